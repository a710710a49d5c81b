#include "src/publish/shared_rows.h"

#include <algorithm>

namespace mimi::internal {
namespace {

constexpr std::uint32_t kHugeFrom = 1U << 15;  // below, a huge page would mostly be waste

std::size_t RoundUp(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

SharedRows::SharedRows(std::size_t row_size, std::size_t max_entries, bool with_versions)
    : row_size_(row_size),
      stride_(1 + RoundUp(row_size, 8) / 8),
      with_versions_(with_versions),
      max_entries_(max_entries),
      chunks_((max_entries >> kChunkBits) + 1) {
}

bool SharedRows::MakeChunk(std::size_t chunk) {
  PageBuffer words = PageBuffer::Map((stride_ * sizeof(Word)) << kChunkBits);
  PageBuffer versions =
      with_versions_ ? PageBuffer::Map(sizeof(Version) << kChunkBits) : PageBuffer();
  if (words.empty() || (with_versions_ && versions.empty())) {
    return false;
  }
  if (chunk > 0) {
    words.AdviseHuge();
    versions.AdviseHuge();
  }
  chunks_[chunk] = {std::move(words), std::move(versions)};
  ++made_;
  return true;
}

std::uint32_t SharedRows::Allocate() {
  if (free_ != kNone) {
    const std::uint32_t number = free_;
    free_ = static_cast<std::uint32_t>(At(number)[1].load(std::memory_order_relaxed));
    ++used_;
    return number;
  }
  if (high_ == max_entries_ || (high_ >> kChunkBits == made_ && !MakeChunk(made_))) {
    return kNone;
  }
  if (high_ == kHugeFrom) {
    chunks_[0].words.AdviseHuge();
    chunks_[0].versions.AdviseHuge();
  }
  ++used_;
  return high_++;
}

void SharedRows::Free(std::uint32_t number) {
  Word* entry = At(number);
  // The link overwrites the row, so this is a write like any other.
  const std::uint64_t count = entry[0].load(std::memory_order_relaxed);
  entry[0].store(count | 1, std::memory_order_release);
  entry[1].store(free_, std::memory_order_release);
  free_ = number;
  --used_;
}

void SharedRows::Write(std::uint32_t number, std::span<const std::byte> row) {
  Word* entry = At(number);
  const std::uint64_t count = entry[0].load(std::memory_order_relaxed) | 1;
  entry[0].store(count, std::memory_order_release);
  std::size_t at = 0;
  for (std::size_t i = 1; i < stride_; ++i, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, row.data() + at, std::min<std::size_t>(8, row_size_ - at));
    entry[i].store(word, std::memory_order_release);
  }
  entry[0].store(count + 1, std::memory_order_release);
}

std::size_t SharedRows::memory_bytes() const {
  const std::size_t page = high_ > kHugeFrom ? PageBuffer::kHugePage : PageBuffer::kPage;
  std::size_t bytes = chunks_.capacity() * sizeof(Chunk);
  for (std::size_t i = 0; i < made_; ++i) {
    const std::size_t entries = std::min<std::size_t>(high_ - (i << kChunkBits), kChunkMask + 1);
    bytes += std::min(chunks_[i].words.size(), RoundUp(entries * stride_ * sizeof(Word), page));
    bytes += std::min(chunks_[i].versions.size(), RoundUp(entries * sizeof(Version), page));
  }
  return bytes;
}

}  // namespace mimi::internal
