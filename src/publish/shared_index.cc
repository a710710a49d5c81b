#include "src/publish/shared_index.h"

#include <algorithm>

namespace mimi::internal {
namespace {

constexpr std::size_t kPad = 1024;
constexpr unsigned kFirstShift = 32 - 8;  // 256 homes
constexpr unsigned kLastShift = 1;

}  // namespace

SharedIndex::Array* SharedIndex::MapArray(unsigned shift) {
  Array* pair = &arrays_[std::size_t{2} * (32 - shift)];
  Array* array = pair == writing_ ? pair + 1 : pair;
  if (!array->buffer.empty()) {
    return array;  // used before; its pages were given back, so it is empty
  }
  const std::size_t homes = std::size_t{1} << (32 - shift);
  const std::size_t slots = homes + std::min(homes, kPad);
  array->buffer = PageBuffer::Map(slots * sizeof(Slot));
  if (array->buffer.empty()) {
    return nullptr;
  }
  array->buffer.AdviseHuge();
  array->slots = reinterpret_cast<Slot*>(array->buffer.data());  // zeroed memory is empty slots
  array->last = array->slots + slots - 1;
  array->shift = shift;
  return array;
}

std::uint32_t SharedIndex::Guess(std::uint32_t tag) const {
  for (const Slot* slot = ArrayOf(Published()).HomeOf(tag);; ++slot) {
    const std::uint64_t value = slot->load(std::memory_order_acquire);
    if (value == 0) {
      return 0;
    }
    if (Tag(value) == tag && Reference(value) != kDeleted) {
      return Reference(value);
    }
  }
}

SharedIndex::Slot* SharedIndex::FirstFree(const Array& array, std::uint32_t tag) {
  Slot* slot = array.HomeOf(tag);
  for (;; ++slot) {
    const std::uint64_t value = slot->load(std::memory_order_relaxed);
    if (value == 0 || Reference(value) == kDeleted) {
      return slot;
    }
  }
}

// Release here too: a reader may be in the array being built, from when it was published before.
bool SharedIndex::InsertCopy(std::uint64_t value) {
  Slot* slot = FirstFree(*building_, Tag(value));
  if (slot == building_->last) {
    return false;
  }
  building_used_ += slot->load(std::memory_order_relaxed) == 0 ? 1U : 0U;
  slot->store(value, std::memory_order_release);
  return true;
}

void SharedIndex::ReplaceCopy(std::uint64_t before, std::uint64_t after) {
  Slot* slot = building_->HomeOf(Tag(before));
  while (slot->load(std::memory_order_relaxed) != before) {
    ++slot;
  }
  slot->store(after, std::memory_order_release);
}

void SharedIndex::GiveUpBuilding() {
  building_->buffer.Release(0, building_->buffer.size());
  building_ = nullptr;
}

bool SharedIndex::Insert(std::uint32_t tag, std::uint32_t reference) {
  Slot* slot = FirstFree(*writing_, tag);
  while (slot == writing_->last) {  // a thousand entries crowd behind the last home: never seen
    if (!BuildNow()) {
      return false;
    }
    slot = FirstFree(*writing_, tag);
  }
  const std::uint64_t value = Pack(tag, reference);
  if (IsCopied(slot) && !InsertCopy(value)) {
    return BuildNow() && Insert(tag, reference);
  }
  used_ += slot->load(std::memory_order_relaxed) == 0 ? 1U : 0U;
  ++live_;
  slot->store(value, std::memory_order_release);
  return true;
}

void SharedIndex::Replace(Slot* slot, std::uint32_t reference) {
  const std::uint64_t before = slot->load(std::memory_order_relaxed);
  const std::uint64_t after = Pack(Tag(before), reference);
  slot->store(after, std::memory_order_release);
  if (IsCopied(slot)) {
    ReplaceCopy(before, after);
  }
  live_ -= reference == kDeleted ? 1U : 0U;
}

bool SharedIndex::StartBuilding(unsigned shift) {
  if (shift < kLastShift) {
    return false;
  }
  ReleaseOld(~std::size_t{0});
  building_ = MapArray(std::min(shift, kFirstShift));
  building_used_ = 0;
  cursor_ = writing_->slots;
  return building_ != nullptr;
}

// Into an array twice as long as any before, at once.
bool SharedIndex::BuildNow() {
  unsigned shift = (building_ != nullptr ? building_ : writing_)->shift;
  if (building_ != nullptr) {
    GiveUpBuilding();
  }
  const std::uint64_t before = rebuilds_;
  while (rebuilds_ == before) {
    if (!StartBuilding(--shift)) {
      return false;
    }
    Copy(~std::size_t{0});
  }
  return true;
}

void SharedIndex::Copy(std::size_t slots) {
  const auto left = static_cast<std::size_t>(writing_->last - cursor_);
  Slot* const end = cursor_ + std::min(slots, left);
  for (; cursor_ != end; ++cursor_) {
    const std::uint64_t value = cursor_->load(std::memory_order_relaxed);
    if (value != 0 && Reference(value) != kDeleted && !InsertCopy(value)) {
      GiveUpBuilding();  // crowded: Step() or BuildNow() begins again
      return;
    }
  }
  if (cursor_ == writing_->last) {
    Publish();
  }
}

void SharedIndex::Publish() {
  const std::uint64_t number =
      (published_.load(std::memory_order_relaxed) & ~kArrayMask) + kArrayMask + 1;
  published_.store(number | static_cast<std::uint64_t>(building_ - arrays_.data()),
                   std::memory_order_release);
  old_ = writing_;
  released_ = 0;
  writing_ = building_;
  building_ = nullptr;
  used_ = building_used_;
  ++rebuilds_;
}

void SharedIndex::ReleaseOld(std::size_t bytes) {
  if (old_ == nullptr) {
    return;
  }
  const std::size_t size = old_->buffer.size();
  const std::size_t page = size < PageBuffer::kHugePage ? PageBuffer::kPage : PageBuffer::kHugePage;
  const std::size_t end =
      size - released_ <= bytes ? size : released_ + (bytes + page - 1) / page * page;
  old_->buffer.Release(released_, end);
  released_ = end;
  if (released_ >= size) {
    old_ = nullptr;
  }
}

void SharedIndex::Step(std::size_t more, std::size_t slots) {
  ReleaseOld(slots * sizeof(Slot));
  if (building_ == nullptr && used_ + more > writing_->homes() / 8 * 5) {
    // Mostly deleted ones: the same length again will do.
    const bool grow = live_ + more > writing_->homes() / 16 * 5;
    StartBuilding(grow ? writing_->shift - 1 : writing_->shift);
  }
  if (building_ != nullptr) {
    Copy(slots);
  }
}

std::size_t SharedIndex::memory_bytes() const {
  return writing_->buffer.size() + (building_ != nullptr ? building_->buffer.size() : 0) +
         (old_ != nullptr ? old_->buffer.size() - released_ : 0);
}

}  // namespace mimi::internal
