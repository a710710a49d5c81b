#ifndef MIMI_LANE_H_
#define MIMI_LANE_H_

/// \file
/// Lane: where a packet thread writes its state changes.
///
/// A lane is a ring in memory between one thread of yours and the loop. Nothing here waits: a Put
/// takes no lock, no system call and no allocation, whatever the store and the network do (bench
/// `publish.put_ns`). A ring that is full says so at once; what is lost is counted, seen, and
/// repaired by one resync.
///
///     Lane* lane = *publisher->OpenLane();          // on the loop thread, one per packet thread
///     …
///     lane->Put(flow);                              // the packet thread, from here on; typed.h
///     if (lane->ResyncWanted()) { walk.Start(); }   // one atomic load; see "Resync"
///     …
///     lane->Close();                                // what was put is still sent
///
/// **Claim** is the way without a copy: it gives the place of the row in the ring, to be filled and
/// committed, or left. A claim that is never committed blocks this lane only, and costs nothing.
///
/// **Output commit.** Mark() names all that was put so far; once Confirmed(ticket), the sink has
/// all of it, or newer values of the same keys. Ask before you let a packet out that must not
/// outlive its state. A ticket does not wait for erases that the pump holds back (`erase_linger`).
/// What the pump itself had to refuse (`max_pending`) is confirmed by the resync that repairs it.
///
/// **Resync.** After a loss ResyncWanted() is true on every lane of the table. Then call
/// BeginResync(), Walk() once for each row that is live on this thread, and EndResync(), in slices
/// between packets, as many or as few as suit you; live Puts and erases go on in between. Each of
/// the three may return false: there is no room *now*, nothing is lost, call it again later. At the
/// end whatever nobody walked is erased from the repository. Calling BeginResync() again starts
/// anew; a walk without an end counts for nothing. A key belongs to one lane at a time; rows of a
/// lane that is closed belong to whoever walks them.
///
/// A record carries no time stamp of its own, since reading a clock would cost more than the Put.
/// The pump stamps what it drains with the time of the drain before: an upper bound of its age, at
/// most one drain (200 µs while records come) too old.
///
/// Threads: one producer: one thread at a time calls these functions. lost() and Confirmed() may be
/// called by any.
/// Lifetime: until Close(), also when the publisher or engine goes first (then nothing is sent any
/// more). A thread that ends without Close() harms nothing: what it put is sent; but a resync waits
/// for its walk until someone closes the lane.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "mimi/internal/ring.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/types.h"

namespace mimi {

/// A point in one lane's stream; compare tickets of one lane only.
using Ticket = std::uint64_t;

/// How a struct becomes a row; defined in typed.h for every struct with a cereal `serialize`.
template <class T>
struct TypedRow;

/// What is put as a struct: anything but bytes.
template <class T>
concept RowStruct = !std::convertible_to<const T&, std::span<const std::byte>>;

class Lane {
 public:
  /// The place of a row, row_size() bytes, uninitialised. nullptr: the ring is full, and the record
  /// is counted as lost.
  std::byte* Claim() {
    if (!ring_.Room()) [[unlikely]] {
      CountLost();
      return nullptr;
    }
    return RowAt(ring_.next());
  }
  /// Hands over the claimed row as a Put.
  void Commit() { Publish(Op::kPut); }
  /// The claim is given back. (Nothing happens: the next Claim returns the same place.)
  void Abort() {}

  /// False: the ring is full, or `row` has not row_size() bytes; nothing is taken, and it is
  /// counted as lost.
  bool Put(std::span<const std::byte> row) {
    return row.size() == row_size_ ? Write(Op::kPut, row) : Refuse();
  }
  /// Puts a struct; include typed.h. It must be the struct of this lane's schema; its size is
  /// compared at each call.
  template <RowStruct T>
  bool Put(const T& value);

  /// The flow ended by its protocol. False as with Put.
  bool Erase(std::span<const std::byte> key) {
    return key.size() == key_size_ ? Write(Op::kErase, key) : Refuse();
  }
  /// The fields of the key are read, no other.
  template <RowStruct T>
  bool Erase(const T& value) {
    return EraseTyped(Op::kErase, value);
  }
  /// The flow just vanished (a time-out, a flush): held for `erase_linger`, since a dying box does
  /// this to all of them.
  bool EraseAbrupt(std::span<const std::byte> key) {
    return key.size() == key_size_ ? Write(Op::kEraseAbrupt, key) : Refuse();
  }
  template <RowStruct T>
  bool EraseAbrupt(const T& value) {
    return EraseTyped(Op::kEraseAbrupt, value);
  }

  /// All that was put so far.
  Ticket Mark() const { return ring_.next(); }
  /// All up to this ticket is confirmed. One atomic load.
  Ticket Confirmed() const { return confirmed_.load(std::memory_order_acquire); }
  bool Confirmed(Ticket ticket) const { return Confirmed() >= ticket; }
  /// Waits until `ticket` is confirmed, asking each 100 µs; false: not by `deadline`. It sleeps, so
  /// not for packet threads; on the loop thread it would wait for itself. Any other thread.
  bool Flush(Ticket ticket, MonotonicTime deadline) const;

  /// One atomic load, cheap enough for each packet; false again once BeginResync() has returned
  /// true.
  bool ResyncWanted() const { return wanted_.load(std::memory_order_relaxed) != begun_; }
  bool BeginResync();
  bool Walk(std::span<const std::byte> row);
  template <RowStruct T>
  bool Walk(const T& value);
  bool EndResync();

  /// Records that found no room since the lane was opened. Any thread.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  std::size_t row_size() const { return row_size_; }
  std::size_t key_size() const { return key_size_; }
  std::uint64_t capacity() const { return mask_ + 1; }

  /// The producer is done; the pointer is not to be used any more. What was put is still sent.
  void Close();

  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

 private:
  friend class LaneConsumer;  // src/publish/lane.h: the pump's side
  /// Slot ops beside those of record.h; a ring holds them, a batch never does.
  static constexpr auto kBegin = static_cast<Op>(16);
  static constexpr auto kEnd = static_cast<Op>(17);

  Lane(const StateSchema& schema, std::byte* slots, std::uint64_t count, std::size_t stride,
       int wake_fd);
  ~Lane();

  /// A slot ends with its row, and the op stands just before it: op and row are one string, copied
  /// in one piece.
  std::byte* RowAt(std::uint64_t index) const {
    return slots_ + (index & mask_) * stride_ + row_offset_;
  }

  void Publish(Op op) {
    std::byte* row = RowAt(ring_.next());
    row[-1] = static_cast<std::byte>(op);
    // The consumer has read these lines since we wrote them last. Ask for the one that comes a few
    // records from now, so that its write does not wait for the other core.
    __builtin_prefetch(RowAt(ring_.next() + kAhead), 1);
    if (wake_fd_ < 0) [[likely]] {
      ring_.Publish();
    } else {
      PublishAndWake();
    }
  }
  bool Write(Op op, std::span<const std::byte> bytes) {
    std::byte* row = Claim();
    if (row == nullptr) [[unlikely]] {
      return false;
    }
    std::memcpy(row, bytes.data(), bytes.size());
    if (op != Op::kPut) {
      // An erase says its key, and nothing of the slot's last row.
      std::memset(row + bytes.size(), 0, row_size_ - bytes.size());
    }
    Publish(op);
    return true;
  }
  bool Refuse() {
    CountLost();
    return false;
  }
  template <RowStruct T>
  bool EraseTyped(Op op, const T& value);
  bool WalkRoom();
  void CountLost();
  void PublishAndWake();

  static constexpr std::uint64_t kAhead = 6;

  // The producer's: constants and what it writes, on lines that nobody else writes.
  std::byte* slots_;
  std::uint64_t mask_;
  std::uint32_t stride_;
  std::uint32_t row_offset_;
  std::uint32_t row_size_;
  std::uint32_t key_size_;
  int wake_fd_;
  std::uint64_t begun_ = 0;                         ///< the wish that was answered last
  internal::RingIndex<> ring_;                      ///< on lines of its own
  alignas(64) std::atomic<std::uint64_t> lost_{0};  ///< written by the producer, read by the pump
  std::atomic<std::uint64_t> lost_at_begin_{0};
  std::atomic<bool> closed_{false};
  // The pump's.
  alignas(64) std::atomic<std::uint64_t> wanted_{0};  ///< number of the newest wish for a resync
  std::atomic<std::uint64_t> confirmed_{0};
  std::atomic<bool> walk_hold_{false};  ///< the sink is far behind: no walking now
  std::atomic<bool> asleep_{false};     ///< wake = eventfd: the pump wants to be woken
  std::atomic<int> owners_{2};          ///< the producer and the pump; the last one frees
};

/// Closes a lane at the end of a scope.
struct LaneCloser {
  void operator()(Lane* lane) const { lane->Close(); }
};
using LanePtr = std::unique_ptr<Lane, LaneCloser>;

template <RowStruct T>
bool Lane::Put(const T& value) {
  if (TypedRow<T>::size() != row_size_) [[unlikely]] {
    return Refuse();
  }
  std::byte* row = Claim();
  if (row == nullptr) [[unlikely]] {
    return false;
  }
  TypedRow<T>::Encode(value, row);
  Commit();
  return true;
}

template <RowStruct T>
bool Lane::EraseTyped(Op op, const T& value) {
  if (TypedRow<T>::size() != row_size_ || TypedRow<T>::key_size() != key_size_) [[unlikely]] {
    return Refuse();
  }
  std::byte* row = Claim();
  if (row == nullptr) [[unlikely]] {
    return false;
  }
  TypedRow<T>::EncodeKey(value, row);
  std::memset(row + key_size_, 0, row_size_ - key_size_);
  Publish(op);
  return true;
}

template <RowStruct T>
bool Lane::Walk(const T& value) {
  return WalkRoom() && Put(value);
}

}  // namespace mimi

#endif  // MIMI_LANE_H_
