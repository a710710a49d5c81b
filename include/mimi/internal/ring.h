#ifndef MIMI_INTERNAL_RING_H_
#define MIMI_INTERNAL_RING_H_

/// \file
/// RingIndex: the counting of a ring with one producer and one consumer; the inside of a Lane
/// (publisher.h).
///
/// It is here, and not hidden, because a packet thread's Put must inline. There is nothing in it to
/// call directly. Only indices: whoever uses it keeps the slots. The order that makes it right, and
/// that the exhaustive model (tests/publish/ring_model_test.cc) checks, mutations included:
///
///     producer                                  consumer
///     Room()      acquire tail (when cached     end = Head()   acquire head
///                 tail says full)               … read slots up to end …
///     … write the slot …                        Release(end)   release tail
///     Publish()   release head
///
/// - head is released after the slot's bytes: the consumer's acquire of head sees them whole.
/// - tail is released after the consumer's reads: the producer's acquire of tail may write over
///   them.
///
/// Each side keeps what it writes, and its last look at the other, on a cache line of its own; a
/// consumer that sleeps between drains therefore costs the producer one miss a drain, not one a
/// record.
///
/// Threads: one producer, one consumer.

#include <atomic>
#include <cstdint>

namespace mimi::internal {

struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
};

template <class Atomics = StdAtomics>
class RingIndex {
 public:
  /// `capacity` is a power of two.
  explicit RingIndex(std::uint64_t capacity) : capacity_(capacity) {}

  // Producer.

  /// Whether the slot next() may be written.
  bool Room() { return Used() < capacity_; }
  /// Slots in use, as far as this thread knows; looks again at the consumer only when it matters,
  /// so it may say too many, and never too few.
  std::uint64_t Used(std::uint64_t matters_from) {
    if (next_ - seen_tail_ >= matters_from) {
      seen_tail_ = tail_.load(std::memory_order_acquire);  // pairs with Release()
    }
    return next_ - seen_tail_;
  }
  std::uint64_t Used() { return Used(capacity_); }
  std::uint64_t next() const { return next_; }
  /// The slot next() is written: hand it over.
  void Publish() { head_.store(++next_, std::memory_order_release); }  // pairs with Head()
  /// Same, ordered before the producer's next sequentially consistent load as well (the wake-up
  /// handshake needs it).
  void PublishSequential() { head_.store(++next_, std::memory_order_seq_cst); }

  // Consumer.

  /// Slots before this are written.
  std::uint64_t Head() const { return head_.load(std::memory_order_acquire); }
  std::uint64_t HeadSequential() const { return head_.load(std::memory_order_seq_cst); }
  std::uint64_t tail() const { return read_; }
  /// Slots before `end` are read and may be written again.
  void Release(std::uint64_t end) {
    read_ = end;
    tail_.store(end, std::memory_order_release);  // pairs with Used()
  }

 private:
  alignas(64) typename Atomics::template Atomic<std::uint64_t> head_{0};
  std::uint64_t next_ = 0;
  std::uint64_t seen_tail_ = 0;
  std::uint64_t capacity_;
  alignas(64) typename Atomics::template Atomic<std::uint64_t> tail_{0};
  std::uint64_t read_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_INTERNAL_RING_H_
