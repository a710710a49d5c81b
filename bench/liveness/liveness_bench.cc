// How soon BFD of 10 ms x 3 tells that a box is dead, and how often it says so of one that is not.
//
// The box is a process of its own that speaks our BFD, over loopback; the watcher is a
// LivenessThread, with real-time priority where that is allowed (printed). failover.detect_ms: from
// SIGKILL of the box to the event, 20 times, idle and under three busy loops.
// failover.false_alarms: events of the other kind in five minutes (MIMI_FALSE_ALARM_SECONDS: in so
// many seconds) under three busy loops, while both live; failover.false_alarms_seconds says how
// long.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mimi/builtin/bfd.h"
#include "mimi/builtin/liveness_thread.h"

#include "bench/bench.h"

namespace {

using mimi::Health;
using std::chrono::seconds;

const mimi::Ip kManager = *mimi::Ip::Parse("127.0.0.41");
const mimi::Ip kBox = *mimi::Ip::Parse("127.0.0.42");
// The child inherits it.
const auto kPort = static_cast<std::uint16_t>(20000 + getpid() % 10000);

mimi::BfdOptions Options(const mimi::Ip& local, const mimi::Ip& peer) {
  mimi::BfdOptions options;
  options.peer = peer;
  options.port_options.local = local;
  options.port_options.port = kPort;
  return options;
}

// Newest health, and what was said while nobody waited for it.
class Watcher {
 public:
  Watcher() : thread_(*mimi::NewLivenessThread()) {
    thread_->Add(*mimi::NewBfd(Options(kManager, kBox), thread_->loop()));
    if (!thread_->Start([this](const mimi::LivenessEvent& event) { OnEvent(event); }).ok()) {
      std::abort();
    }
  }
  bool Await(Health health) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, seconds(20), [&] { return health_ == health; });
  }
  mimi::MonotonicTime at() {
    const std::lock_guard lock(mutex_);
    return at_;
  }
  int downs() {
    const std::lock_guard lock(mutex_);
    return downs_;
  }
  std::string scheduling() const { return std::string(thread_->scheduling()); }

 private:
  void OnEvent(const mimi::LivenessEvent& event) {
    const std::lock_guard lock(mutex_);
    health_ = event.health;
    at_ = event.at;
    downs_ += event.health == Health::kDown ? 1 : 0;
    news_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable news_;
  Health health_ = Health::kUnknown;
  mimi::MonotonicTime at_;
  int downs_ = 0;
  const std::unique_ptr<mimi::LivenessThread> thread_;
};

// Everything that it makes is made in the child, which is killed with its owner.
class Box {
 public:
  Box() : pid_(fork()) {
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const auto thread = *mimi::NewLivenessThread();
      thread->Add(*mimi::NewBfd(Options(kBox, kManager), thread->loop()));
      _exit(thread->Start([](const mimi::LivenessEvent&) {}).ok() ? pause() : 1);
    }
  }
  ~Box() { Kill(); }
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;
  void Kill() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = 0;
    }
  }

 private:
  pid_t pid_;
};

class BusyLoops {
 public:
  explicit BusyLoops(int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {}
      });
    }
  }
  ~BusyLoops() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

void Detect(mimi::bench::Bench& bench, const char* metric, int busy) {
  if (!bench.Wants(metric)) {
    return;
  }
  std::vector<double> milliseconds;
  const int rounds = bench.smoke() ? 1 : 20;
  for (int i = 0; i < rounds; ++i) {
    Box box;  // before any thread of ours: it forks
    Watcher watcher;
    const BusyLoops load(busy);
    if (!watcher.Await(Health::kUp)) {
      bench.Fail("the session does not come up");
      return;
    }
    // Until then the box's last packet may be one of the slow ones, from before the session was up.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto killed = mimi::bench::Now();
    box.Kill();
    if (!watcher.Await(Health::kDown)) {
      bench.Fail("the box's death was not noticed");
      return;
    }
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(watcher.at() - killed).count());
  }
  bench.Report(metric, "ms", milliseconds);
}

void FalseAlarms(mimi::bench::Bench& bench) {
  constexpr const char* kMetric = "failover.false_alarms";
  if (!bench.Wants(kMetric)) {
    return;
  }
  Box box;
  Watcher watcher;
  const BusyLoops load(3);
  if (!watcher.Await(Health::kUp)) {
    bench.Fail("the session does not come up");
    return;
  }
  std::fprintf(stderr, "# watching at %s\n", watcher.scheduling().c_str());
  const char* wanted = std::getenv("MIMI_FALSE_ALARM_SECONDS");
  const int lasts = wanted != nullptr ? std::atoi(wanted) : 300;
  const auto begin = mimi::bench::Now();
  std::this_thread::sleep_for(seconds(bench.smoke() ? 1 : lasts));
  bench.Report(kMetric, "1", {static_cast<double>(watcher.downs())});
  bench.Report("failover.false_alarms_seconds", "s", {mimi::bench::SecondsSince(begin)});
}

}  // namespace

void BenchMain(mimi::bench::Bench& bench) {
  Detect(bench, "failover.detect_ms", 0);
  Detect(bench, "failover.detect_ms.loaded", 3);
  FalseAlarms(bench);
}
