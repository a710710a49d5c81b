#ifndef MIMI_TESTS_SUPPORT_VIRTUAL_TIME_H_
#define MIMI_TESTS_SUPPORT_VIRTUAL_TIME_H_

// Time that a test owns: one queue of events, and loops that live on it.
//
//   VirtualTime time; VirtualLoop a(time), b(time);          // two processes
//   time.RunFor(std::chrono::seconds(3));  // runs what is due, in order, without waiting
//
// A loop can be frozen, as a process by SIGSTOP: its events wait, and run late when it goes on. A
// loop that is destroyed takes its events with it. Events of one moment run in the order in which
// they were asked for.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"

#include "mimi/loop.h"

namespace mimi::testing {

class VirtualLoop;

class VirtualTime {
 public:
  MonotonicTime now() const { return now_; }
  UnixTime unix_now() const { return UnixTime(now_.time_since_epoch() + wall_ahead_); }
  /// The wall clock jumps; nothing but shown times may notice.
  void StepWall(Duration by) { wall_ahead_ += by; }

  std::uint64_t At(MonotonicTime at, const VirtualLoop* owner, std::function<void()> event) {
    const std::uint64_t id = ++last_id_;
    queue_.emplace(std::pair(std::max(at, now_), id), Event{owner, std::move(event)});
    times_.emplace(id, std::max(at, now_));
    return id;
  }
  void Cancel(std::uint64_t id) {
    if (const auto it = times_.find(id); it != times_.end()) {
      queue_.erase({it->second, id});
      times_.erase(it);
    }
  }
  void CancelAllOf(const VirtualLoop* owner) {
    for (auto it = queue_.begin(); it != queue_.end();) {
      if (it->second.owner == owner) {
        times_.erase(it->first.second);
        it = queue_.erase(it);
      } else {
        ++it;
      }
    }
  }

  std::optional<MonotonicTime> next() const {
    return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first.first);
  }

  /// Runs the next event if it is due by `until`. Returns whether there was one.
  bool RunNext(MonotonicTime until);
  void RunFor(Duration duration) {
    const MonotonicTime until = now_ + duration;
    while (RunNext(until)) {}
    now_ = until;
  }
  /// Runs until `done` holds, or for `most` at the longest. Returns whether it holds.
  bool RunUntil(const std::function<bool()>& done, Duration most) {
    const MonotonicTime until = now_ + most;
    while (!done()) {
      if (!RunNext(until)) {
        now_ = until;
        return done();
      }
    }
    return true;
  }

 private:
  struct Event {
    const VirtualLoop* owner;
    std::function<void()> run;
  };
  MonotonicTime now_{std::chrono::hours(1)};
  Duration wall_ahead_{std::chrono::hours(24 * 365 * 50)};
  std::uint64_t last_id_ = 0;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Event> queue_;
  std::map<std::uint64_t, MonotonicTime> times_;
};

class VirtualLoop final : public Loop {
 public:
  explicit VirtualLoop(VirtualTime& time) : time_(time) {}
  ~VirtualLoop() override { time_.CancelAllOf(this); }
  VirtualLoop(const VirtualLoop&) = delete;
  VirtualLoop& operator=(const VirtualLoop&) = delete;

  void Freeze() { frozen_ = true; }
  void Thaw() { frozen_ = false; }
  bool frozen() const { return frozen_; }

  MonotonicTime now() const override { return time_.now(); }
  UnixTime unix_now() const override { return time_.unix_now(); }
  TimerId At(MonotonicTime at, std::function<void()> fire) override {
    return time_.At(at, this, std::move(fire));
  }
  void Cancel(TimerId timer) override { time_.Cancel(timer); }
  absl::Status WatchFd(int, std::uint32_t, std::function<void(std::uint32_t)>) override {
    return absl::UnimplementedError("a loop on virtual time has no descriptors");
  }
  void UnwatchFd(int) override {}
  void Post(std::function<void()> task) override { time_.At(time_.now(), this, std::move(task)); }
  int PollFd() const override { return -1; }
  std::optional<MonotonicTime> NextDeadline() const override { return time_.next(); }
  bool RunOnce() override { return time_.RunNext(time_.now()); }
  void Run() override {
    stopped_ = false;
    while (!stopped_ && time_.RunNext(MonotonicTime::max())) {}
  }
  void Stop() override { stopped_ = true; }

 private:
  VirtualTime& time_;
  bool frozen_ = false;
  bool stopped_ = false;
};

inline bool VirtualTime::RunNext(MonotonicTime until) {
  for (auto it = queue_.begin(); it != queue_.end() && it->first.first <= until; ++it) {
    if (it->second.owner != nullptr && it->second.owner->frozen()) {
      continue;
    }
    now_ = std::max(now_, it->first.first);
    const std::function<void()> run = std::move(it->second.run);
    times_.erase(it->first.second);
    queue_.erase(it);
    run();
    return true;
  }
  return false;
}

}  // namespace mimi::testing

#endif  // MIMI_TESTS_SUPPORT_VIRTUAL_TIME_H_
