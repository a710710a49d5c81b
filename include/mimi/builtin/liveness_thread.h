#ifndef MIMI_BUILTIN_LIVENESS_THREAD_H_
#define MIMI_BUILTIN_LIVENESS_THREAD_H_

/// \file
/// A loop and thread of its own for livenesses, with real-time priority where that is allowed.
///
/// A loop that also loads a table or writes a store looks at its sockets when it gets there. 30 ms
/// of detection time leave no room for that: watching runs apart, above everything else.
///
///     auto thread = *NewLivenessThread({.priority = 20});
///     thread->Add(*NewBfd(options, thread->loop()));
///     absl::Status status = thread->Start([&](const LivenessEvent& e) { engine->Report(e); });
///     std::puts(std::string(thread->scheduling()).c_str());   // "SCHED_FIFO 20"
///
/// Real-time priority needs CAP_SYS_NICE or RLIMIT_RTPRIO. Without it the thread runs as others do,
/// and says so: in scheduling(), and once as a warning to `log`.
///
/// Threads: Add, Start, Stop and the destructor: one at a time, not the thread itself. loop() may
/// be used by the caller until Start(), by what runs on the thread afterwards. `report` and the log
/// run on the thread, scheduling() and metrics() on any.
/// Lifetime: owns what is added. Stop() (the destructor, too) stops all and waits for the thread:
/// afterwards nothing is reported.

#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/liveness.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/metrics.h"

namespace mimi {

struct LivenessThreadOptions {
  /// SCHED_FIFO, 1 to 99. 0: run as other threads do, without a warning. Threaded interrupts have
  /// 50: stay below.
  int priority = 20;
  LogCallback log{};
};

class LivenessThread {
 public:
  virtual ~LivenessThread() = default;

  /// The loop to make livenesses with.
  virtual Loop& loop() = 0;
  /// REQUIRES: not started.
  virtual void Add(std::unique_ptr<Liveness> liveness) = 0;
  /// Starts the thread, and all livenesses on it. When one of them cannot start, stops all and
  /// answers its error, with its name. FailedPrecondition: started before.
  virtual absl::Status Start(std::function<void(const LivenessEvent&)> report) = 0;
  virtual void Stop() = 0;
  /// "SCHED_FIFO 20", or "normal priority" and why. Empty before Start().
  virtual std::string_view scheduling() const = 0;
  /// Of all livenesses added.
  virtual MetricList metrics() const = 0;
};

/// Errors: InvalidArgument (priority), ResourceExhausted (descriptors).
absl::StatusOr<std::unique_ptr<LivenessThread>> NewLivenessThread(
    const LivenessThreadOptions& options = {});

}  // namespace mimi

#endif  // MIMI_BUILTIN_LIVENESS_THREAD_H_
