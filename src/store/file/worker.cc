#include "src/store/file/worker.h"

#include <utility>

namespace mimi::internal {

Worker::~Worker() {
  *alive_ = false;
  if (thread_.joinable()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
}

void Worker::Run(std::function<int()> work, std::function<void(int)> done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back({std::move(work), std::move(done)});
  }
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { Work(); });
  }
  changed_.notify_one();
}

void Worker::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (stop_) {
      return;
    }
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    const int error = task.work();
    // What `work` held (files) ends on this thread; what `done` holds, on the loop's.
    loop_.Post([alive = alive_, done = std::move(task.done), error] {
      if (*alive) {
        done(error);
      }
    });
    task = Task();
    lock.lock();
  }
}

}  // namespace mimi::internal
