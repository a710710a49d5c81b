#ifndef MIMI_SRC_STORE_FILE_WORKER_H_
#define MIMI_SRC_STORE_FILE_WORKER_H_

// Worker: the thread that waits for the disc, so that the loop does not.
//
//     worker.Run([file] { return fdatasync(file->fd.get()) == 0 ? 0 : errno; },
//                [this](int error) { … on the loop thread … });
//
// Threads: the loop thread only. `work` runs on the worker's thread, `done` on the loop thread.
// Lifetime: its end waits for the work that runs, drops what waits, and calls no `done` any more.
// The thread starts with the first Run().

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "mimi/loop.h"

namespace mimi::internal {

class Worker {
 public:
  explicit Worker(Loop& loop) : loop_(loop), alive_(std::make_shared<bool>(true)) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Tasks run one after the other. `work` returns 0 or an errno.
  void Run(std::function<int()> work, std::function<void(int)> done);

 private:
  struct Task {
    std::function<int()> work;
    std::function<void(int)> done;
  };
  void Work();

  Loop& loop_;
  std::shared_ptr<bool> alive_;  // what was posted looks here, on the loop thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stop_ = false;       // guarded by mutex_
  std::thread thread_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_WORKER_H_
