#ifndef MIMI_SRC_STATE_TOMBSTONES_H_
#define MIMI_SRC_STATE_TOMBSTONES_H_

// Tombstones: what is left of erased rows, oldest first.
//
// A queue of fixed-size entries (version, feed position, time, origin, key), each with a *place*:
// the count of those ever pushed before it. Time and position only grow along the queue, so what
// may be forgotten is always at its front. A row that comes back clears its entry; the hole leaves
// the queue when it reaches the front.
//
// Threads: one at a time. Lifetime: a key's span is valid until its entry leaves the queue.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>

#include "mimi/record.h"
#include "mimi/types.h"

namespace mimi {

class Tombstones {
 public:
  explicit Tombstones(std::size_t key_size)
      : key_size_(key_size), stride_((kMetaSize + key_size + 7) / 8 * 8) {}

  /// Returns the new entry's place.
  std::uint64_t Push(std::span<const std::byte> key, Version version, std::uint16_t origin,
                     MonotonicTime at, Position position) {
    if (end_ == (begin_ & ~kChunkMask) + chunks_.size() * kChunk) {
      chunks_.push_back(spare_ ? std::move(spare_)
                               : std::unique_ptr<std::byte[]>(new std::byte[kChunk * stride_]));
    }
    const std::uint64_t place = end_++;
    std::byte* entry = At(place);
    const Meta meta = {version, position, at.time_since_epoch().count(), origin, 1};
    std::memcpy(entry, &meta, kMetaSize);
    std::memcpy(entry + kMetaSize, key.data(), key_size_);
    ++size_;
    return place;
  }
  /// The row is back.
  void Clear(std::uint64_t place) {
    At(place)[offsetof(Meta, set)] = std::byte{0};
    --size_;
  }
  /// REQUIRES: begin() < end(), and the front cleared.
  void PopFront() {
    ++begin_;
    if ((begin_ & kChunkMask) == 0) {
      spare_ = std::move(chunks_.front());
      chunks_.pop_front();
    }
  }

  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  std::size_t size() const { return size_; }

  bool IsSet(std::uint64_t place) const { return At(place)[offsetof(Meta, set)] != std::byte{0}; }
  std::span<const std::byte> key(std::uint64_t place) const {
    return {At(place) + kMetaSize, key_size_};
  }
  Version version(std::uint64_t place) const { return Load(place).version; }
  std::uint16_t origin(std::uint64_t place) const { return Load(place).origin; }
  Position position(std::uint64_t place) const { return Load(place).position; }
  MonotonicTime at(std::uint64_t place) const {
    return MonotonicTime(MonotonicTime::duration(Load(place).at));
  }

  std::size_t memory_bytes() const {
    return (chunks_.size() + (spare_ ? 1 : 0)) * kChunk * stride_;
  }

  // An index slot holds 31 bits of a place, with the top bit set to tell it from a row's number.
  static std::uint32_t ReferenceOf(std::uint64_t place) {
    return 0x80000000U | static_cast<std::uint32_t>(place);
  }
  static bool IsReference(std::uint32_t reference) { return (reference & 0x80000000U) != 0; }
  std::uint64_t PlaceOf(std::uint32_t reference) const {
    return begin_ + ((reference - static_cast<std::uint32_t>(begin_)) & 0x7FFFFFFFU);
  }

 private:
  struct Meta {
    Version version;
    Position position = 0;
    MonotonicTime::rep at = 0;
    std::uint16_t origin = 0;
    std::uint8_t set = 0;
  };
  static constexpr std::size_t kMetaSize =
      35;  // up to and with `set`; the padding behind is the key's
  static constexpr std::uint64_t kChunk = 1024;
  static constexpr std::uint64_t kChunkMask = kChunk - 1;

  Meta Load(std::uint64_t place) const {
    Meta meta;
    std::memcpy(static_cast<void*>(&meta), At(place), kMetaSize);
    return meta;
  }
  std::byte* At(std::uint64_t place) const {
    const std::uint64_t from_first = place - (begin_ & ~kChunkMask);
    return chunks_[from_first / kChunk].get() + (from_first & kChunkMask) * stride_;
  }

  std::size_t key_size_;
  std::size_t stride_;
  std::deque<std::unique_ptr<std::byte[]>> chunks_;
  std::unique_ptr<std::byte[]> spare_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_STATE_TOMBSTONES_H_
