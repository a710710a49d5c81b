#include "src/base/page_buffer.h"

#include <sys/mman.h>

#include <cstdint>

namespace mimi {
namespace {

std::size_t RoundUp(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

PageBuffer PageBuffer::Map(std::size_t size) {
  PageBuffer buffer;
  size = RoundUp(size == 0 ? 1 : size, kPage);
  const bool align = size >= kHugePage;
  const std::size_t span = align ? size + kHugePage : size;
  void* mapped = mmap(nullptr, span, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return buffer;
  }
  auto* start = static_cast<std::byte*>(mapped);
  if (align) {  // cut the ends off, so that the first byte starts a huge page
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    const std::size_t head = RoundUp(address, kHugePage) - address;
    if (head > 0) {
      munmap(start, head);
    }
    if (span - head > size) {
      munmap(start + head + size, span - head - size);
    }
    start += head;
  }
  buffer.data_ = start;
  buffer.size_ = size;
  return buffer;
}

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) {
    munmap(data_, size_);
  }
}

void PageBuffer::AdviseHuge() {
  if (size_ >= kHugePage) {
    madvise(data_, size_, MADV_HUGEPAGE);
  }
}

void PageBuffer::Release(std::size_t from, std::size_t to) {
  from = RoundUp(from, kPage);
  to = to / kPage * kPage;
  if (from < to) {
    madvise(data_ + from, to - from, MADV_DONTNEED);
  }
}

}  // namespace mimi
