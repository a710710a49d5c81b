#ifndef MIMI_LOOP_H_
#define MIMI_LOOP_H_

/// \file
/// Loop: the reactor that everything with a descriptor or a timer runs on.
///
/// The library never insists on a loop of its own. Firmware with a poll loop takes the doors: watch
/// PollFd() for reading, and call RunOnce() when it is readable or NextDeadline() has come. A
/// program without a loop calls Run().
///
///     std::unique_ptr<Loop> loop = *NewEpollLoop();  // mimi::core; builtin/uv_loop.h has libuv
///     pollfd fds[] = {{.fd = loop->PollFd(), .events = POLLIN}, {… yours …}};
///     poll(fds, 2, …);                                  // timers wake PollFd() as well
///     loop->RunOnce();
///
/// Threads: one thread runs a loop, and everything that is bound to it lives on that thread; Post()
/// and Stop() are the exceptions, any thread may call them.
/// Lifetime: outlives everything bound to it.
///
/// Implementing: callbacks run only inside RunOnce() or Run(), one at a time; a callback may call
/// everything here but those two and may cancel or unwatch itself and others, whose callbacks then
/// do not run any more. A loop on a virtual clock (tests, the simulator) has no descriptors:
/// PollFd() is -1 and WatchFd is Unimplemented.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/types.h"

namespace mimi {

/// Where times come from; injected, so that tests own it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  virtual UnixTime unix_now() const = 0;
};

/// The system's clocks; never destroyed.
const Clock& SystemClock();

enum IoEvents : std::uint32_t { kReadable = 1, kWritable = 2, kFailed = 4 };

using TimerId = std::uint64_t;  ///< 0 is none

class Loop : public Clock {
 public:
  /// Calls `fire` once, at `at` or soon after, on the loop thread. Microseconds count: the pump's
  /// tick is 200 µs.
  virtual TimerId At(MonotonicTime at, std::function<void()> fire) = 0;
  /// Harmless when it has fired.
  virtual void Cancel(TimerId timer) = 0;

  /// Calls `ready` with IoEvents whenever `fd` has one of `events` (level-triggered; errors and
  /// hang-ups always count). A second call for the same fd replaces the first. The fd stays the
  /// caller's, who unwatches it before closing.
  virtual absl::Status WatchFd(int fd, std::uint32_t events,
                               std::function<void(std::uint32_t)> ready) = 0;
  virtual void UnwatchFd(int fd) = 0;

  /// Runs `task` on the loop thread, soon, never inside the call, in order. Any thread.
  virtual void Post(std::function<void()> task) = 0;

  /// Readable when RunOnce() has something to do, timers included.
  virtual int PollFd() const = 0;
  /// When RunOnce() must be called at the latest; nullopt: not before PollFd() is readable.
  virtual std::optional<MonotonicTime> NextDeadline() const = 0;
  /// Does what is due, without waiting. Returns whether there was anything.
  virtual bool RunOnce() = 0;
  /// RunOnce() and wait, again and again, until Stop().
  virtual void Run() = 0;
  /// Makes Run() return. Any thread, and signal handlers.
  virtual void Stop() = 0;
};

/// A loop on an epoll set of its own. Errors: ResourceExhausted (descriptors).
absl::StatusOr<std::unique_ptr<Loop>> NewEpollLoop();

}  // namespace mimi

#endif  // MIMI_LOOP_H_
