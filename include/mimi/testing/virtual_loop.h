#ifndef MIMI_TESTING_VIRTUAL_LOOP_H_
#define MIMI_TESTING_VIRTUAL_LOOP_H_

/// \file
/// A loop and a clock that tests own: time moves when the test says so, and not otherwise.
///
///     VirtualClock clock;
///     VirtualLoop loop(clock);
///     auto store = NewMemoryStore({}, loop);
///     loop.RunOnce();                      // what was posted, and what is due
///     clock.Advance(std::chrono::seconds(1));
///     loop.RunUntilIdle();
///
/// Several loops may share one clock: the nodes of a simulation. For timers to fire at their own
/// times rather than at the end of a long step, advance to NextDeadline().
///
/// Threads: one, Post() and Stop() included. No descriptors: PollFd() is -1 and WatchFd()
/// Unimplemented.
/// Lifetime: the clock outlives its loops.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"

#include "mimi/loop.h"

namespace mimi {

class VirtualClock final : public Clock {
 public:
  MonotonicTime now() const override { return now_; }
  UnixTime unix_now() const override { return unix_now_; }

  void Advance(Duration by) {
    now_ += by;
    unix_now_ += by;
  }
  void AdvanceTo(MonotonicTime at) {
    if (at > now_) {
      Advance(at - now_);
    }
  }
  /// Somebody sets the wall clock; the monotonic one does not notice.
  void StepUnixTime(Duration by) { unix_now_ += by; }

 private:
  MonotonicTime now_{std::chrono::seconds(1000)};
  UnixTime unix_now_{Duration(1'700'000'000'000'000'000)};
};

class VirtualLoop final : public Loop {
 public:
  explicit VirtualLoop(VirtualClock& clock) : clock_(clock) {}

  MonotonicTime now() const override { return clock_.now(); }
  UnixTime unix_now() const override { return clock_.unix_now(); }

  TimerId At(MonotonicTime at, std::function<void()> fire) override {
    timers_.emplace(std::pair(at, ++last_timer_), std::move(fire));
    return last_timer_;
  }
  void Cancel(TimerId timer) override {
    for (auto at = timers_.begin(); at != timers_.end(); ++at) {
      if (at->first.second == timer) {
        timers_.erase(at);
        return;
      }
    }
  }

  absl::Status WatchFd(int, std::uint32_t, std::function<void(std::uint32_t)>) override {
    return absl::UnimplementedError("a virtual loop has no descriptors");
  }
  void UnwatchFd(int) override {}

  void Post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }

  int PollFd() const override { return -1; }
  std::optional<MonotonicTime> NextDeadline() const override {
    if (!tasks_.empty()) {
      return now();
    }
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first);
  }

  bool RunOnce() override {
    bool ran = false;
    // What these post, and timers that they set for now, wait for the next call.
    const TimerId last = last_timer_;
    for (std::size_t left = tasks_.size(); left > 0; --left) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
      ran = true;
    }
    for (auto at = timers_.begin(); at != timers_.end() && at->first.first <= now();) {
      if (at->first.second > last) {
        ++at;
        continue;
      }
      const std::function<void()> fire = std::move(at->second);
      timers_.erase(at);
      fire();
      ran = true;
      at = timers_.begin();  // the call may have changed anything
    }
    return ran;
  }
  /// RunOnce() while there is something to do now. False when `limit` turns were not enough.
  bool RunUntilIdle(int limit = 100'000) {
    while (limit > 0 && RunOnce()) {
      --limit;
    }
    return limit > 0;
  }
  /// From deadline to deadline, until Stop() or until nothing is left to wait for.
  void Run() override {
    stopped_ = false;
    while (!stopped_) {
      if (RunOnce()) {
        continue;
      }
      const std::optional<MonotonicTime> next = NextDeadline();
      if (!next.has_value()) {
        return;
      }
      clock_.AdvanceTo(*next);
    }
  }
  void Stop() override { stopped_ = true; }

 private:
  VirtualClock& clock_;
  std::deque<std::function<void()>> tasks_;
  std::map<std::pair<MonotonicTime, TimerId>, std::function<void()>> timers_;
  TimerId last_timer_ = 0;
  bool stopped_ = false;
};

}  // namespace mimi

#endif  // MIMI_TESTING_VIRTUAL_LOOP_H_
