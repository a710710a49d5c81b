#ifndef MIMI_SRC_PUBLISH_LANE_H_
#define MIMI_SRC_PUBLISH_LANE_H_

// LaneConsumer: the pump's side of a Lane (mimi/lane.h).
//
// Threads: the loop thread only.
// Lifetime: the ring's memory goes when both sides are done: the producer by Close(), the pump by
// destroying this.

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

#include "mimi/lane.h"
#include "mimi/record.h"
#include "mimi/schema.h"

namespace mimi {

class LaneConsumer {
 public:
  static constexpr Op kBegin = Lane::kBegin;
  static constexpr Op kEnd = Lane::kEnd;

  // `slots` is rounded up to a power of two, at least 2. `wake_fd` (an eventfd, or -1) is
  // duplicated. Errors: ResourceExhausted.
  static absl::StatusOr<LaneConsumer> Open(const StateSchema& schema, std::size_t slots,
                                           int wake_fd);
  LaneConsumer(LaneConsumer&& other) noexcept;
  LaneConsumer& operator=(LaneConsumer&& other) noexcept;
  ~LaneConsumer();

  Lane* lane() const { return lane_; }

  std::uint64_t tail() const { return lane_->ring_.tail(); }
  std::uint64_t Head() const { return lane_->ring_.Head(); }
  std::span<const std::byte> OpAndRow(std::uint64_t index) const {
    return {lane_->RowAt(index) - 1, lane_->row_size_ + std::size_t{1}};
  }
  // The slot was written by another core: ask for it some records ahead. Any index is good.
  // Inlined always: g++ takes a function that only prefetches for one without effect, and drops
  // calls of it.
  [[gnu::always_inline]] void Prefetch(std::uint64_t index) const {
    __builtin_prefetch(lane_->RowAt(index) - 1);
  }
  void Release(std::uint64_t end) { lane_->ring_.Release(end); }

  // Acquire: whatever the producer put before a loss that is counted here shows in a later Head().
  std::uint64_t Lost() const { return lane_->lost_.load(std::memory_order_acquire); }
  // The losses before the newest begin; to be read after its slot.
  std::uint64_t LostAtBegin() const {
    return lane_->lost_at_begin_.load(std::memory_order_relaxed);
  }
  // Acquire: a Head() read after this showed true is the last one.
  bool Closed() const { return lane_->closed_.load(std::memory_order_acquire); }

  void Want(std::uint64_t wish) { lane_->wanted_.store(wish, std::memory_order_relaxed); }
  void Confirm(Ticket ticket) { lane_->confirmed_.store(ticket, std::memory_order_release); }
  void HoldWalk(bool hold) { lane_->walk_hold_.store(hold, std::memory_order_relaxed); }

  // With a wake_fd: the producer will write to it once when it next puts something. False: there is
  // something already, drain it first. Sequentially consistent, as is the producer's side: of
  // "asleep, then look at head" and "head, then look at asleep" at least one sees the other.
  bool Sleep();

 private:
  explicit LaneConsumer(Lane* lane) : lane_(lane) {}
  static void Drop(Lane* lane);
  friend class Lane;

  Lane* lane_;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_LANE_H_
