// The timers of a loop: a heap of moments, with cancelling that needs no search.
//
// A timer is a slot; its id is the slot's index and a generation that grows with every use of the
// slot, so that an old id never cancels a successor. Cancelling marks the slot; its heap entry is
// dropped when it comes to the top, or when dead entries outnumber live ones.
//
// Threads: one at a time.
#ifndef MIMI_SRC_IO_TIMER_QUEUE_H_
#define MIMI_SRC_IO_TIMER_QUEUE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "mimi/loop.h"

namespace mimi::internal {

class TimerQueue {
 public:
  TimerId Add(MonotonicTime at, std::function<void()> fire);
  void Cancel(TimerId timer);

  // When the earliest live timer is due.
  std::optional<MonotonicTime> Earliest();

  // Everything that Add() accepted before this call and is due at `now`, one by one: nullptr when
  // there is no more. A timer that a callback adds waits for the next round, so that one which
  // always re-arms itself for the past cannot keep the loop.
  void StartRound() { round_ = next_order_; }
  std::function<void()> PopDue(MonotonicTime now);

 private:
  struct Slot {
    std::function<void()> fire;
    std::uint32_t generation = 1;
    bool live = false;
  };
  struct Entry {
    MonotonicTime at;
    std::uint64_t order = 0;  // timers of one moment fire in the order of their Add()
    TimerId timer = 0;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  Slot* Find(TimerId timer);
  void Free(TimerId timer);
  void DropDead();

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<Entry> heap_;
  std::vector<Entry> held_;  // due, but added in this round
  std::uint64_t next_order_ = 0;
  std::uint64_t round_ = 0;
  std::size_t live_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_TIMER_QUEUE_H_
