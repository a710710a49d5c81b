#include "src/publish/lane.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "absl/status/status.h"

#include "src/base/status.h"

namespace mimi {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Memory that is there: advised to be huge pages where it fills one, and touched, so that no Put
// ever takes a page fault.
std::byte* NewSlots(std::size_t size) {
  const std::size_t alignment = size >= kHugePage ? kHugePage : 64;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, rounded);
  if (memory != nullptr) {
    if (alignment == kHugePage) {
      // Best effort: without it the ring works the same, with more TLB misses.
      (void)::madvise(memory, rounded, MADV_HUGEPAGE);
    }
    std::memset(memory, 0, rounded);
  }
  return static_cast<std::byte*>(memory);
}

}  // namespace

Lane::Lane(const StateSchema& schema, std::byte* slots, std::uint64_t count, std::size_t stride,
           int wake_fd)
    : slots_(slots),
      mask_(count - 1),
      stride_(static_cast<std::uint32_t>(stride)),
      row_offset_(static_cast<std::uint32_t>(stride - schema.row_size())),
      row_size_(static_cast<std::uint32_t>(schema.row_size())),
      key_size_(static_cast<std::uint32_t>(schema.key_size())),
      wake_fd_(wake_fd),
      ring_(count) {
}

Lane::~Lane() {
  std::free(slots_);
  if (wake_fd_ >= 0) {
    ::close(wake_fd_);
  }
}

bool Lane::Flush(Ticket ticket, MonotonicTime deadline) const {
  while (!Confirmed(ticket)) {
    const MonotonicTime now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::min<Duration>(deadline - now, std::chrono::microseconds(100)));
  }
  return true;
}

bool Lane::BeginResync() {
  if (!ring_.Room()) {
    return false;
  }
  const std::uint64_t wish = wanted_.load(std::memory_order_relaxed);
  std::memset(RowAt(ring_.next()), 0, row_size_);
  // Ordered before the slot by its release: the pump reads this when it has seen the slot.
  lost_at_begin_.store(lost_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  Publish(kBegin);
  begun_ = wish;
  return true;
}

// A walk leaves half the ring to live records.
bool Lane::WalkRoom() {
  const std::uint64_t half = std::max<std::uint64_t>(1, capacity() / 2);
  return !walk_hold_.load(std::memory_order_relaxed) && ring_.Used(half) < half;
}

bool Lane::Walk(std::span<const std::byte> row) {
  if (row.size() != row_size_) {
    return Refuse();
  }
  return WalkRoom() && Write(Op::kPut, row);
}

bool Lane::EndResync() {
  if (!ring_.Room()) {
    return false;
  }
  std::memset(RowAt(ring_.next()), 0, row_size_);
  Publish(kEnd);
  return true;
}

void Lane::CountLost() {
  // Release: see LaneConsumer::Lost. One writer, so no read-modify-write.
  lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void Lane::PublishAndWake() {
  ring_.PublishSequential();
  if (!asleep_.load(std::memory_order_seq_cst)) {  // see LaneConsumer::Sleep
    return;
  }
  asleep_.store(false, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  // It can fail only when the counter is full, and then the pump is being woken already.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
}

void Lane::Close() {
  closed_.store(true, std::memory_order_release);  // after the last Publish()
  if (wake_fd_ >= 0) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
  }
  LaneConsumer::Drop(this);
}

absl::StatusOr<LaneConsumer> LaneConsumer::Open(const StateSchema& schema, std::size_t slots,
                                                int wake_fd) {
  const std::size_t count = std::bit_ceil(std::max<std::size_t>(slots, 2));
  // Op and row, rounded up to words; the row ends with the slot, so a row of whole words is
  // aligned.
  const std::size_t stride = (schema.row_size() + 1 + 7) / 8 * 8;
  int own_fd = -1;
  if (wake_fd >= 0 && (own_fd = ::fcntl(wake_fd, F_DUPFD_CLOEXEC, 0)) < 0) {
    return Error(absl::StatusCode::kResourceExhausted, "{}: no descriptor left for a lane",
                 schema.name());
  }
  std::byte* const memory = NewSlots(count * stride);
  Lane* const lane =
      memory == nullptr ? nullptr : new (std::nothrow) Lane(schema, memory, count, stride, own_fd);
  if (lane == nullptr) {
    std::free(memory);
    if (own_fd >= 0) {
      ::close(own_fd);
    }
    return Error(absl::StatusCode::kResourceExhausted,
                 "{}: no memory for a lane of {} slots of {} bytes", schema.name(), count, stride);
  }
  return LaneConsumer(lane);
}

LaneConsumer::LaneConsumer(LaneConsumer&& other) noexcept
    : lane_(std::exchange(other.lane_, nullptr)) {
}

LaneConsumer& LaneConsumer::operator=(LaneConsumer&& other) noexcept {
  std::swap(lane_, other.lane_);
  return *this;
}

LaneConsumer::~LaneConsumer() {
  if (lane_ != nullptr) {
    lane_->asleep_.store(false, std::memory_order_relaxed);
    Drop(lane_);
  }
}

void LaneConsumer::Drop(Lane* lane) {
  // Acquire and release: the side that frees has seen all that the other did.
  if (lane->owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete lane;
  }
}

bool LaneConsumer::Sleep() {
  lane_->asleep_.store(true, std::memory_order_seq_cst);
  if (lane_->ring_.HeadSequential() == lane_->ring_.tail()) {
    return true;
  }
  lane_->asleep_.store(false, std::memory_order_relaxed);
  return false;
}

}  // namespace mimi
