#ifndef MIMI_SRC_PUBLISH_SHARED_ROWS_H_
#define MIMI_SRC_PUBLISH_SHARED_ROWS_H_

// SharedRows: rows of one size, numbered, written by one thread while others read.
//
// An entry is words of 64 bits:
//
//     [count << 1 | being written] [row, rounded up to words]
//
// A row that readers can find is never written to: a change fills another entry and then lets the
// index point to it. So a reader that finds an entry being written, or a count that has changed
// while it copied, has come by a reference that the index no longer holds: it looks there again and
// finds the new one. It never waits for a writer, not even for one that was stopped half-way.
//
// Atomics (Boehm, "Can seqlocks get along with programming language memory models?", 2012, without
// fences, which ThreadSanitizer does not know; on x86 all of these are plain moves). Writer: the
// word "being written" (release, so that who sees it sees the index without this entry), the row's
// words (each release), then the new count (release). Reader: count (acquire), the row's words
// (each acquire), count again (relaxed). If a word of the copy is new, its acquire load makes
// "being written" or something later visible to the second load of the count, which then differs.
//
// Threads: Read and Prefetch on any; everything else on one. Lifetime: memory stays until the end.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "mimi/record.h"

#include "src/base/page_buffer.h"

namespace mimi::internal {

class SharedRows {
 public:
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  SharedRows(std::size_t row_size, std::size_t max_entries, bool with_versions);

  // ---- Readers ----

  /// Copies the row of entry `number` to `row`. False: it was being written meanwhile.
  bool Read(std::uint32_t number, std::byte* row) const {
    const Word* entry = At(number);
    const std::uint64_t count = entry[0].load(std::memory_order_acquire);
    if ((count & 1) != 0) {
      return false;
    }
    const Word* words = entry + 1;
    std::size_t left = row_size_;
    for (; left >= 8; left -= 8, row += 8) {
      const std::uint64_t word = (words++)->load(std::memory_order_acquire);
      std::memcpy(row, &word, 8);
    }
    if (left > 0) {
      const std::uint64_t word = words->load(std::memory_order_acquire);
      std::memcpy(row, &word, left);
    }
    return entry[0].load(std::memory_order_relaxed) == count;
  }
  /// REQUIRES: a number that came from the index. Inlined always: see SharedIndex::Prefetch.
  [[gnu::always_inline]] void Prefetch(std::uint32_t number) const {
    const Word* entry = At(number);
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + stride_ - 1);
  }

  // ---- The writer ----

  /// kNone: all entries are used, or memory has run out.
  std::uint32_t Allocate();
  void Free(std::uint32_t number);
  void Write(std::uint32_t number, std::span<const std::byte> row);

  [[gnu::always_inline]] void PrefetchVersion(std::uint32_t number) const {
    if (with_versions_) {
      __builtin_prefetch(VersionAt(number), 1);
    }
  }
  Version version(std::uint32_t number) const {
    Version version;
    std::memcpy(static_cast<void*>(&version), VersionAt(number), sizeof(version));
    return version;
  }
  void set_version(std::uint32_t number, Version version) {
    std::memcpy(VersionAt(number), &version, sizeof(version));
  }

  std::uint32_t end() const { return high_; }  ///< one more than the highest number ever used
  std::size_t size() const { return used_; }
  std::size_t memory_bytes() const;

 private:
  static constexpr unsigned kChunkBits = 17;
  static constexpr std::uint32_t kChunkMask = (1U << kChunkBits) - 1;

  struct Chunk {
    PageBuffer words;
    PageBuffer versions;
  };

  Word* At(std::uint32_t number) const {
    // Zeroed memory is entries with count 0. The chunk was there before any reference to it was.
    return reinterpret_cast<Word*>(chunks_[number >> kChunkBits].words.data()) +
           (number & kChunkMask) * stride_;
  }
  std::byte* VersionAt(std::uint32_t number) const {
    return chunks_[number >> kChunkBits].versions.data() + (number & kChunkMask) * sizeof(Version);
  }
  bool MakeChunk(std::size_t chunk);

  std::size_t row_size_;
  std::size_t stride_;  // words
  bool with_versions_;
  std::size_t max_entries_;
  std::vector<Chunk> chunks_;  // as long as it will ever be: readers use it
  std::size_t made_ = 0;
  std::uint32_t high_ = 0;
  std::uint32_t free_ = kNone;  // head of a list threaded through the entries' first words
  std::size_t used_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_PUBLISH_SHARED_ROWS_H_
