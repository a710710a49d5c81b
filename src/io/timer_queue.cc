#include "src/io/timer_queue.h"

#include <algorithm>
#include <utility>

namespace mimi::internal {

TimerId TimerQueue::Add(MonotonicTime at, std::function<void()> fire) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.fire = std::move(fire);
  slot.live = true;
  ++live_;
  const TimerId timer = TimerId{slot.generation} << 32 | index;
  heap_.push_back({at, next_order_++, timer});
  std::push_heap(heap_.begin(), heap_.end(), Later);
  return timer;
}

TimerQueue::Slot* TimerQueue::Find(TimerId timer) {
  const std::size_t index = timer & 0xffffffff;
  if (index >= slots_.size() || slots_[index].generation != timer >> 32 || !slots_[index].live) {
    return nullptr;
  }
  return &slots_[index];
}

void TimerQueue::Free(TimerId timer) {
  const auto index = static_cast<std::uint32_t>(timer & 0xffffffff);
  Slot& slot = slots_[index];
  slot.live = false;
  // 0 is no generation: it would make TimerId 0, which is no timer.
  slot.generation = slot.generation == 0xffffffff ? 1 : slot.generation + 1;
  free_.push_back(index);
  --live_;
}

void TimerQueue::Cancel(TimerId timer) {
  Slot* slot = Find(timer);
  if (slot == nullptr) {
    return;
  }
  Free(timer);
  // What the callback holds may cancel or add timers as it goes, so it goes last.
  const std::function<void()> dropped = std::exchange(slot->fire, nullptr);
  if (heap_.size() > 64 && heap_.size() > 2 * live_) {
    std::erase_if(heap_, [this](const Entry& entry) { return Find(entry.timer) == nullptr; });
    std::make_heap(heap_.begin(), heap_.end(), Later);
  }
}

void TimerQueue::DropDead() {
  while (!heap_.empty() && Find(heap_.front().timer) == nullptr) {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    heap_.pop_back();
  }
}

std::optional<MonotonicTime> TimerQueue::Earliest() {
  DropDead();
  if (heap_.empty()) {
    return std::nullopt;
  }
  return heap_.front().at;
}

std::function<void()> TimerQueue::PopDue(MonotonicTime now) {
  std::function<void()> fire;
  while (fire == nullptr) {
    DropDead();
    if (heap_.empty() || heap_.front().at > now) {
      break;
    }
    const Entry entry = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    heap_.pop_back();
    if (entry.order >= round_) {
      held_.push_back(entry);
      continue;
    }
    fire = std::exchange(slots_[entry.timer & 0xffffffff].fire, nullptr);
    Free(entry.timer);
  }
  if (fire == nullptr) {
    for (const Entry& entry : held_) {
      heap_.push_back(entry);
      std::push_heap(heap_.begin(), heap_.end(), Later);
    }
    held_.clear();
  }
  return fire;
}

}  // namespace mimi::internal
