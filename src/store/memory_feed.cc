#include "src/store/memory_feed.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mimi::internal {
namespace {

constexpr std::size_t kSmallestFeed = 4096;
constexpr std::size_t kSmallestChunk = 1024;
constexpr std::size_t kLargestChunk = PageBuffer::kHugePage;

}  // namespace

MemoryFeed::MemoryFeed(std::size_t limit, Position from)
    : limit_(std::max(limit, kSmallestFeed)),
      chunk_size_(std::clamp(limit_ / 8, kSmallestChunk, kLargestChunk)),
      head_(from),
      trimmed_(from) {
}

Position MemoryFeed::Append(const BatchView& batch) {
  const std::span<const std::byte> bytes = batch.bytes();
  Chunk& chunk = ChunkFor(bytes.size());
  std::byte* copy = chunk.bytes + chunk.used;
  std::memcpy(copy, bytes.data(), bytes.size());
  chunk.used += bytes.size();
  bytes_ += bytes.size();
  head_ += std::max<std::size_t>(batch.size(), 1);
  chunk.entries.push_back({batch.At({copy, bytes.size()}), head_});
  Trim();
  return head_;
}

MemoryFeed::Chunk& MemoryFeed::ChunkFor(std::size_t size) {
  if (!chunks_.empty() && chunks_.back()->capacity - chunks_.back()->used >= size) {
    return *chunks_.back();
  }
  std::shared_ptr<Chunk> chunk;
  if (spare_ != nullptr && spare_.use_count() == 1 && spare_->capacity >= size) {
    chunk = std::move(spare_);
    chunk->entries.clear();
    chunk->used = 0;
  } else {
    chunk = NewChunk(std::max(size, chunk_size_));
  }
  chunk->number = next_number_++;
  chunk->before = head_;
  chunks_.push_back(std::move(chunk));
  return *chunks_.back();
}

// A huge page costs one fault where it would be 512, which is 8 ns per record.
std::shared_ptr<MemoryFeed::Chunk> MemoryFeed::NewChunk(std::size_t capacity) {
  auto chunk = std::make_shared<Chunk>();
  chunk->capacity = capacity;
  if (capacity >= PageBuffer::kHugePage) {
    chunk->huge = PageBuffer::Map(capacity);
    chunk->huge.AdviseHuge();
    chunk->bytes = chunk->huge.data();
  }
  if (chunk->bytes == nullptr) {
    chunk->small.reset(new std::byte[capacity]);  // not zeroed: it is written before it is read
    chunk->bytes = chunk->small.get();
  }
  return chunk;
}

void MemoryFeed::Trim() {
  while (bytes_ > limit_ && chunks_.size() > 1) {
    std::shared_ptr<Chunk> oldest = std::move(chunks_.front());
    chunks_.pop_front();
    bytes_ -= oldest->used;
    trimmed_ = oldest->entries.back().after;
    if (oldest->capacity == chunk_size_) {
      spare_ = std::move(oldest);
    }
  }
}

std::optional<MemoryFeed::Reader> MemoryFeed::ReaderAt(Position position) const {
  if (position < trimmed_ || position > head_) {
    return std::nullopt;
  }
  Reader reader;
  reader.position_ = position;
  // The last chunk that begins at or before the position; in it the first batch that ends behind
  // it.
  const auto chunk =
      std::upper_bound(chunks_.begin(), chunks_.end(), position,
                       [](Position p, const std::shared_ptr<Chunk>& c) { return p < c->before; });
  if (chunk != chunks_.begin()) {
    reader.chunk_ = *std::prev(chunk);
    const std::vector<Entry>& entries = reader.chunk_->entries;
    const auto entry = std::upper_bound(entries.begin(), entries.end(), position,
                                        [](Position p, const Entry& e) { return p < e.after; });
    reader.index_ = static_cast<std::size_t>(entry - entries.begin());
  }
  return reader;
}

MemoryFeed::Step MemoryFeed::Next(Reader* reader, BatchView* batch) const {
  if (reader->position_ < trimmed_) {
    return Step::kGone;
  }
  while (reader->chunk_ == nullptr || reader->index_ == reader->chunk_->entries.size()) {
    if (chunks_.empty() || reader->chunk_ == chunks_.back()) {
      return Step::kNothing;
    }
    // Not trimmed past the reader, so its chunk, if gone, is the one just before the first.
    const std::uint64_t first = chunks_.front()->number;
    const bool before_first = reader->chunk_ == nullptr || reader->chunk_->number < first;
    reader->chunk_ = before_first
                         ? chunks_.front()
                         : chunks_[static_cast<std::size_t>(reader->chunk_->number + 1 - first)];
    reader->index_ = 0;
  }
  const Entry& entry = reader->chunk_->entries[reader->index_++];
  reader->position_ = entry.after;
  *batch = entry.batch;
  return Step::kBatch;
}

}  // namespace mimi::internal
