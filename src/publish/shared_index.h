#ifndef MIMI_SRC_PUBLISH_SHARED_INDEX_H_
#define MIMI_SRC_PUBLISH_SHARED_INDEX_H_

// SharedIndex: from 32 bits of a hash (the tag) to 32-bit references, written by one thread while
// others read.
//
//     slot = tag << 32 | reference        0 is an empty slot
//
// Slots never move within an array, and an entry that goes leaves kDeleted, so a reader that walks
// from the tag's home to the first empty slot passes every entry that was there all the time.
// (state/tag_index.h, for one thread, moves them.)
//
// When an array is 5/8 full of entries and deleted ones it is built anew: into one twice as long,
// or of the same length if most are deleted. The writer copies some slots with every operation;
// what it changes in front of the copy's cursor it changes in both arrays, what is behind it will
// be copied. When all is copied the new array is *published*; readers start in the published one.
//
// A reader may be anywhere in the old array then. Nobody waits for it: the old array's pages go
// back to the kernel, so that it reads as empty, but it stays mapped, and is used again when that
// length is built next. So a reader can miss an entry only in an array that has been replaced
// meanwhile. Hence the rule: *a miss counts only if the same array is still the published one*
// (StillPublished); else look again. A hit always counts: the row itself says whether it is the one
// (shared_rows.h). Memory: at most two arrays of each length are ever mapped, and only the
// published one and the one being built have pages.
//
// Atomics. A slot's release store pairs with the reader's acquire load: who sees a reference sees
// the row that was written before it. The store of published_ (release) pairs with its loads
// (acquire): who sees the number sees the array's slots; and since the old array is touched only
// after that store, who sees the old array change sees the new number.
//
// Threads: Published, StillPublished, ForEach, Prefetch and Guess on any; everything else on one.
// Lifetime: a Slot pointer of the writer is valid until the next Step() or Insert().

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "src/base/page_buffer.h"

namespace mimi::internal {

class SharedIndex {
 public:
  using Slot = std::atomic<std::uint64_t>;
  static constexpr std::uint32_t kDeleted = 0x7FFFFFFF;

  static std::uint32_t Reference(std::uint64_t slot) { return static_cast<std::uint32_t>(slot); }
  static std::uint32_t Tag(std::uint64_t slot) { return static_cast<std::uint32_t>(slot >> 32); }
  static std::uint64_t Pack(std::uint32_t tag, std::uint32_t reference) {
    return (std::uint64_t{tag} << 32) | reference;
  }

  SharedIndex() = default;
  SharedIndex(const SharedIndex&) = delete;
  SharedIndex& operator=(const SharedIndex&) = delete;

  // ---- Readers ----

  struct Array {
    Slot* slots = nullptr;
    Slot* last = nullptr;  // never filled: ends every walk
    unsigned shift = 32;
    PageBuffer buffer;
    Slot* HomeOf(std::uint32_t tag) const { return slots + (std::uint64_t{tag} >> shift); }
    std::size_t homes() const { return std::size_t{1} << (32 - shift); }
  };

  /// A number that changes with every array that is published, and the array.
  std::uint64_t Published() const { return published_.load(std::memory_order_acquire); }
  bool StillPublished(std::uint64_t published) const { return Published() == published; }
  const Array& ArrayOf(std::uint64_t published) const { return arrays_[published & kArrayMask]; }

  // Inlined always: g++ takes a function that only prefetches for one without effect, and drops
  // calls of it.
  [[gnu::always_inline]] void Prefetch(std::uint32_t tag) const {
    __builtin_prefetch(ArrayOf(Published()).HomeOf(tag));
  }
  /// The reference of the first slot with this tag, 0 if none: good enough to prefetch by.
  std::uint32_t Guess(std::uint32_t tag) const;

  // ---- The writer ----

  /// The slot with this tag for whose reference `match` says true; nullptr when there is none.
  template <class Match>
  Slot* Find(std::uint32_t tag, Match match) const {
    for (Slot* slot = writing_->HomeOf(tag);; ++slot) {
      const std::uint64_t value = slot->load(std::memory_order_relaxed);  // our own store
      if (value == 0) {
        return nullptr;
      }
      if (Tag(value) == tag && Reference(value) != kDeleted && match(Reference(value))) {
        return slot;
      }
    }
  }
  /// REQUIRES: no slot with this tag and reference. False: no memory.
  bool Insert(std::uint32_t tag, std::uint32_t reference);
  /// Changes the reference of a slot that Find returned; kDeleted removes it.
  void Replace(Slot* slot, std::uint32_t reference);

  /// Begins to build anew if `more` inserts would fill the array above 5/8, and moves a build, and
  /// the return of old pages, on by about `slots` slots. 4 for each operation are enough.
  void Step(std::size_t more, std::size_t slots);

  std::uint64_t rebuilds() const { return rebuilds_; }
  std::size_t memory_bytes() const;

 private:
  static constexpr std::uint64_t kArrayMask = 0xFF;

  Array* MapArray(unsigned shift);
  static Slot* FirstFree(const Array& array, std::uint32_t tag);
  bool InsertCopy(std::uint64_t value);
  void ReplaceCopy(std::uint64_t before, std::uint64_t after);
  void GiveUpBuilding();
  bool StartBuilding(unsigned shift);
  bool BuildNow();
  void Copy(std::size_t slots);
  void Publish();
  void ReleaseOld(std::size_t bytes);
  bool IsCopied(const Slot* slot) const { return building_ != nullptr && slot < cursor_; }

  Slot none_{0};  // the only slot of arrays_[0], published until memory is needed
  // [32 - shift][0 or 1]: two of each length.
  std::array<Array, 2 * 32> arrays_{
      Array{.slots = &none_, .last = &none_, .shift = 32, .buffer = {}}};
  std::atomic<std::uint64_t> published_{0};

  Array* writing_ = &arrays_[0];  // the published one
  Array* building_ = nullptr;     // nullptr: none is being built
  Slot* cursor_ = nullptr;        // in writing_: slots before it are in building_ as well
  Array* old_ = nullptr;          // replaced, and not all its pages are given back
  std::size_t released_ = 0;      // bytes of old_
  std::size_t live_ = 0;          // slots with a reference
  std::size_t used_ = 0;          // … and deleted ones, of writing_
  std::size_t building_used_ = 0;
  std::uint64_t rebuilds_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_PUBLISH_SHARED_INDEX_H_
