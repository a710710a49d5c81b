#ifndef MIMI_SRC_STORE_MEMORY_FEED_H_
#define MIMI_SRC_STORE_MEMORY_FEED_H_

// MemoryFeed: the last so many bytes of sealed batches, in order, for any number of readers at
// their own pace.
//
// Batches are copied once, one behind the other, into chunks; when the feed is over its limit the
// oldest chunk goes and, unless a reader still stands in it, becomes the next new one: at a steady
// pace nothing is allocated.
//
// Threads: one at a time. Lifetime: a batch that Next() returned is valid until that reader's next
// call, trimmed or not.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "mimi/record.h"

#include "src/base/page_buffer.h"

namespace mimi::internal {

class MemoryFeed {
 private:
  struct Chunk;

 public:
  /// `from`: the position of a feed that was begun elsewhere.
  explicit MemoryFeed(std::size_t limit, Position from = 0);

  /// Returns the head after it: plus the records, or plus 1 if there are none.
  Position Append(const BatchView& batch);

  Position head() const { return head_; }
  Position trimmed() const { return trimmed_; }
  std::size_t bytes() const { return bytes_; }

  /// A place in the feed. It pins the chunk that it stands in.
  class Reader {
   public:
    Position position() const { return position_; }

   private:
    friend class MemoryFeed;
    std::shared_ptr<const Chunk> chunk_;  // null: before the first
    std::size_t index_ = 0;               // of the next batch in it
    Position position_ = 0;
  };

  /// nullopt: the feed does not hold what comes after `position` (any more).
  std::optional<Reader> ReaderAt(Position position) const;

  enum class Step { kBatch, kNothing, kGone };
  Step Next(Reader* reader, BatchView* batch) const;

 private:
  struct Entry {
    BatchView batch;
    Position after = 0;
  };
  struct Chunk {
    std::uint64_t number = 0;
    Position before = 0;
    std::vector<Entry> entries;
    std::unique_ptr<std::byte[]> small;  // one of the two holds the bytes
    PageBuffer huge;
    std::byte* bytes = nullptr;
    std::size_t capacity = 0;
    std::size_t used = 0;
  };

  Chunk& ChunkFor(std::size_t size);
  static std::shared_ptr<Chunk> NewChunk(std::size_t capacity);
  void Trim();

  std::size_t limit_;
  std::size_t chunk_size_;
  std::deque<std::shared_ptr<Chunk>> chunks_;
  std::shared_ptr<Chunk> spare_;
  std::uint64_t next_number_ = 0;
  Position head_ = 0;
  Position trimmed_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_MEMORY_FEED_H_
