#ifndef MIMI_SRC_STATE_TAG_INDEX_H_
#define MIMI_SRC_STATE_TAG_INDEX_H_

// TagIndex: from 32 bits of a hash (the tag) to 32-bit references, as an open-addressed array of
// 8-byte slots.
//
//     slot = tag << 32 | reference        0 is an empty slot; a reference is never 0
//
// The home of a slot is the tag's upper bits, so the tag alone says where a slot belongs: entries
// are deleted by shifting back (no deleted-markers pile up) and the array doubles without reading a
// single row. Slots follow each other from the home on (linear probing: one cache line, mostly).
// Behind the last home lies a pad instead of a wrap-around.
//
// Doubling is spread over the operations: old and new array live side by side, and every call of
// Step() moves whole runs of slots from the front of the old one. `cursor_` always stands on a
// boundary between runs, so a tag whose home is before it is in the new array and nowhere else, and
// any other is in the old one and nowhere else.
//
// Threads: one at a time. Lifetime: slot pointers are valid until the next Insert, Erase or Step.

#include <cstddef>
#include <cstdint>

#include "src/base/page_buffer.h"

namespace mimi {

class TagIndex {
 public:
  static std::uint32_t Reference(std::uint64_t slot) { return static_cast<std::uint32_t>(slot); }
  static std::uint32_t Tag(std::uint64_t slot) { return static_cast<std::uint32_t>(slot >> 32); }

  TagIndex() = default;
  TagIndex(const TagIndex&) = delete;
  TagIndex& operator=(const TagIndex&) = delete;

  /// The slot with this tag for whose reference `match` says true; nullptr when there is none.
  template <class Match>
  std::uint64_t* Find(std::uint32_t tag, Match match) {
    for (std::uint64_t* slot = HomeOf(tag); *slot != 0; ++slot) {
      if (Tag(*slot) == tag && match(Reference(*slot))) {
        return slot;
      }
    }
    return nullptr;
  }
  /// The reference of the first slot with this tag, 0 if none: a guess, good enough to prefetch by.
  std::uint32_t Guess(std::uint32_t tag) const {
    for (const std::uint64_t* slot = HomeOf(tag); *slot != 0; ++slot) {
      if (Tag(*slot) == tag) {
        return Reference(*slot);
      }
    }
    return 0;
  }
  /// Inlined always: see RowSlab::Prefetch.
  [[gnu::always_inline]] void Prefetch(std::uint32_t tag) const {
    __builtin_prefetch(HomeOf(tag), 1);
  }

  /// Makes room for so many at once, so that they need not be moved. Only while nothing was
  /// inserted.
  void Reserve(std::size_t count);

  /// Adds a slot. REQUIRES: none with this tag and reference. False when memory has run out.
  bool Insert(std::uint32_t tag, std::uint32_t reference);
  /// Removes a slot that Find returned.
  void Erase(std::uint64_t* slot);
  static void Replace(std::uint64_t* slot, std::uint32_t reference) {
    *slot = (*slot & 0xFFFFFFFF00000000U) | reference;
  }

  /// Makes room for `more` inserts at up to 3/4 of load, and moves about `slots` slots if the array
  /// is growing. 2 per insert are enough; what is asked of an empty cache line costs nothing more,
  /// so callers ask for 8.
  void Step(std::size_t more, std::size_t slots);
  bool growing() const { return !old_.buffer.empty(); }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;

 private:
  struct Array {
    PageBuffer buffer;
    std::uint64_t* slots = nullptr;
    std::uint64_t* last = nullptr;  // never filled: ends every probe
    std::size_t homes = 0;          // a power of two
    unsigned shift = 32;
  };
  static constexpr std::size_t kFirstHomes = 256;
  static constexpr std::size_t kMaxHomes = std::size_t{1} << 31;

  static bool MapArray(std::size_t homes, Array* array);
  static bool InsertInto(const Array& array, std::uint64_t slot);
  const Array& ArrayOf(std::uint32_t tag) const {
    return (std::uint64_t{tag} >> old_.shift) < cursor_ ? current_ : *unmoved_;
  }
  std::uint64_t* HomeOf(std::uint32_t tag) const {
    const Array& array = ArrayOf(tag);
    return array.slots + (std::uint64_t{tag} >> array.shift);
  }
  bool StartGrowing();
  void Move(std::size_t slots);
  bool Rebuild();
  void DropOld();

  std::uint64_t none_ = 0;  // the only slot of an index that has not needed memory yet

  Array current_{.buffer = {}, .slots = &none_, .last = &none_, .homes = 1, .shift = 32};
  Array old_;                         // while growing
  const Array* unmoved_ = &current_;  // where tags behind the cursor are
  std::size_t cursor_ = 0;            // in old_'s slots
  std::size_t released_ = 0;          // bytes of old_ given back
  std::size_t size_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_STATE_TAG_INDEX_H_
