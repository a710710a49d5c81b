#ifndef MIMI_SRC_STATE_ROW_SLAB_H_
#define MIMI_SRC_STATE_ROW_SLAB_H_

// RowSlab: entries of one size, numbered from 0, that stay where they are while they live.
//
// An entry is packed, and rounded up to 8 bytes as a whole:
//
//      0       8          16       18      19
//      +-------+----------+--------+-------+-- - - --+
//      | term  | sequence | origin | flags |   row   |
//      +-------+----------+--------+-------+-- - - --+
//
// so that a 29-byte row makes 48 bytes. Chunks of 2^17 entries are a whole number of huge pages at
// any multiple of 16; the kernel gives pages as they are touched, so a small table is small.
//
// Extend() makes rows longer without a pause: entries move, one by one, to chunks of the new size,
// each when it is touched, and some with every Step(); numbers stay.
//
// Threads: one at a time. Lifetime: an entry's address is valid until Extend(), and while an
// extension runs until the next call.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "mimi/record.h"

#include "src/base/page_buffer.h"

namespace mimi {

class RowSlab {
 public:
  static constexpr std::size_t kMetaSize = 19;
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kMaxEntries = 0x7FFFFFFE;

  struct Meta {
    Version version;
    std::uint16_t origin = 0;
    std::uint8_t flags = 0;
    std::uint8_t mark() const { return flags >> 4; }
  };
  static constexpr std::uint8_t kLive = 1;
  static constexpr std::uint8_t kMoved = 2;
  static std::uint8_t LiveFlags(std::uint8_t mark) {
    return static_cast<std::uint8_t>(kLive | mark << 4);
  }

  static Meta LoadMeta(const std::byte* entry) {
    Meta meta;
    std::memcpy(&meta.version.term, entry, 8);
    std::memcpy(&meta.version.sequence, entry + 8, 8);
    std::memcpy(&meta.origin, entry + 16, 2);
    meta.flags = static_cast<std::uint8_t>(entry[18]);
    return meta;
  }
  static void StoreMeta(std::byte* entry, const Meta& meta) {
    std::memcpy(entry, &meta.version.term, 8);
    std::memcpy(entry + 8, &meta.version.sequence, 8);
    std::memcpy(entry + 16, &meta.origin, 2);
    entry[18] = std::byte{meta.flags};
  }
  static Version LoadVersion(const std::byte* entry) {
    Version version;
    std::memcpy(&version.term, entry, 8);
    std::memcpy(&version.sequence, entry + 8, 8);
    return version;
  }
  static bool IsLive(const std::byte* entry) {
    return (static_cast<std::uint8_t>(entry[18]) & kLive) != 0;
  }
  static void SetMark(std::byte* entry, std::uint8_t mark) {
    entry[18] = std::byte{LiveFlags(mark)};
  }

  explicit RowSlab(std::size_t row_size);

  /// A free entry's number, not live yet: the caller stores meta and row. kNone when memory has run
  /// out.
  std::uint32_t Allocate();
  void Free(std::uint32_t number);

  std::byte* at(std::uint32_t number) {
    if (extending()) [[unlikely]] {
      return AtExtending(number);
    }
    return Address(current_, number);
  }
  // Inlined always: g++ takes a function that only prefetches for one without effect, and drops
  // calls of it.
  [[gnu::always_inline]] void Prefetch(std::uint32_t number) const {
    if (number < high_ && !extending()) {
      const std::byte* entry = Address(current_, number);
      __builtin_prefetch(entry, 1);
      __builtin_prefetch(entry + current_.stride - 1, 1);  // the second line, where there is one
    }
  }

  /// From now on rows have the size of `default_row`, whose tail those that exist get. Finishes an
  /// extension that still runs. False, and no change, when the kernel refuses the address space.
  bool Extend(std::span<const std::byte> default_row);
  bool extending() const { return moving_ != 0; }
  /// Moves up to `entries` on.
  void Step(std::size_t entries);

  std::uint32_t end() const { return high_; }  ///< one more than the highest number ever used
  std::size_t size() const { return live_; }
  std::size_t memory_bytes() const;

 private:
  static constexpr unsigned kChunkBits = 17;
  static constexpr std::uint32_t kChunkMask = (1U << kChunkBits) - 1;

  struct Layout {
    std::vector<PageBuffer> chunks;
    std::size_t stride = 0;
    std::size_t row_size = 0;
  };
  static Layout MakeLayout(std::size_t row_size);
  static std::byte* Address(const Layout& layout, std::uint32_t number) {
    return layout.chunks[number >> kChunkBits].data() + (number & kChunkMask) * layout.stride;
  }
  static std::size_t TouchedBytes(const Layout& layout, std::uint32_t from, std::uint32_t to);
  static bool MakeChunks(std::uint32_t number, Layout* layout);
  std::byte* AtExtending(std::uint32_t number);

  Layout current_;
  Layout old_;                // while extending: numbers in [moved_, moving_) may still be here
  std::uint32_t moved_ = 0;   // all before it are in current_
  std::uint32_t moving_ = 0;  // high_ when the extension began; 0: none runs
  std::vector<std::byte> tail_;
  std::uint32_t high_ = 0;
  std::uint32_t free_ = kNone;  // head of a list threaded through the free entries
  std::size_t live_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_STATE_ROW_SLAB_H_
