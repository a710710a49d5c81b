#include "src/state/row_slab.h"

#include <algorithm>
#include <utility>

namespace mimi {
namespace {

// From this many entries on, a table is big enough for huge pages: below, one would waste most of a
// huge page.
constexpr std::uint32_t kHugeFrom = 1U << 15;

std::size_t RoundUp(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

RowSlab::RowSlab(std::size_t row_size) : current_(MakeLayout(row_size)) {
}

RowSlab::Layout RowSlab::MakeLayout(std::size_t row_size) {
  Layout layout;
  layout.row_size = row_size;
  layout.stride = RoundUp(kMetaSize + row_size, 8);
  return layout;
}

bool RowSlab::MakeChunks(std::uint32_t number, Layout* layout) {
  while (layout->chunks.size() <= number >> kChunkBits) {
    PageBuffer chunk = PageBuffer::Map(layout->stride << kChunkBits);
    if (chunk.empty()) {
      return false;
    }
    if (number > kHugeFrom) {
      chunk.AdviseHuge();
    }
    layout->chunks.push_back(std::move(chunk));
  }
  if (number == kHugeFrom) {
    layout->chunks[0].AdviseHuge();
  }
  return true;
}

std::uint32_t RowSlab::Allocate() {
  if (free_ != kNone) {
    const std::uint32_t number = free_;
    std::memcpy(&free_, at(number), sizeof(free_));
    Prefetch(free_);  // what was freed long ago is in no cache, and is asked for here next
    ++live_;
    return number;
  }
  if (high_ >= kMaxEntries || !MakeChunks(high_, &current_)) {
    return kNone;
  }
  ++live_;
  return high_++;
}

void RowSlab::Free(std::uint32_t number) {
  std::byte* entry = at(number);
  std::memcpy(entry, &free_, sizeof(free_));
  entry[18] = std::byte{0};
  free_ = number;
  --live_;
}

bool RowSlab::Extend(std::span<const std::byte> default_row) {
  while (extending()) {
    Step(high_);
  }
  Layout longer = MakeLayout(default_row.size());
  // All addresses now, so that moving cannot fail; pages come when they are touched.
  if (high_ > 0 && !MakeChunks(high_ - 1, &longer)) {
    return false;
  }
  tail_.assign(default_row.begin() + static_cast<std::ptrdiff_t>(current_.row_size),
               default_row.end());
  old_ = std::exchange(current_, std::move(longer));
  moved_ = 0;
  moving_ = high_;
  if (moving_ == 0) {
    old_ = Layout();
  }
  return true;
}

std::byte* RowSlab::AtExtending(std::uint32_t number) {
  std::byte* entry = Address(current_, number);
  if (number < moved_ || number >= moving_) {
    return entry;
  }
  std::byte* old = Address(old_, number);
  const auto flags = static_cast<std::uint8_t>(old[18]);
  if ((flags & kMoved) == 0) {
    const std::size_t size = kMetaSize + old_.row_size;
    std::memcpy(entry, old, size);
    std::memcpy(entry + size, tail_.data(), tail_.size());
    old[18] = std::byte{static_cast<std::uint8_t>(flags | kMoved)};
  }
  return entry;
}

void RowSlab::Step(std::size_t entries) {
  if (!extending()) {
    return;
  }
  for (; entries > 0 && moved_ < moving_; --entries) {
    AtExtending(moved_);
    ++moved_;
    if ((moved_ & kChunkMask) == 0) {
      old_.chunks[(moved_ >> kChunkBits) - 1] = PageBuffer();
    }
  }
  if (moved_ == moving_) {
    old_ = Layout();
    moving_ = 0;
  }
}

std::size_t RowSlab::TouchedBytes(const Layout& layout, std::uint32_t from, std::uint32_t to) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < layout.chunks.size(); ++i) {
    const std::size_t first = i << kChunkBits;
    const std::size_t last = first + kChunkMask + 1;
    if (from >= last || to <= first) {
      continue;
    }
    const std::size_t used = (std::min<std::size_t>(to, last) - first) * layout.stride;
    const std::size_t page = to > kHugeFrom ? PageBuffer::kHugePage : PageBuffer::kPage;
    bytes += std::min(layout.chunks[i].size(), RoundUp(used, page));
  }
  return bytes;
}

std::size_t RowSlab::memory_bytes() const {
  return TouchedBytes(current_, 0, high_) +
         (extending() ? TouchedBytes(old_, moved_ & ~kChunkMask, moving_) : 0);
}

}  // namespace mimi
