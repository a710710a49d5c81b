#include "src/minion/netfilter/held_flows.h"

#include <algorithm>
#include <cstring>

namespace mimi::internal {
namespace {

constexpr std::size_t kSlotsPerStep = 8;  // TagIndex::Step

std::uint32_t TagOf(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32);
}

}  // namespace

std::uint64_t* HeldFlows::FindSlot(std::span<const std::byte> key) {
  return index_->Find(TagOf(hash_(key)), [&](std::uint32_t number) {
    return std::memcmp(At(number).key.data(), key.data(), kKeySize) == 0;
  });
}

HeldFlows::Held* HeldFlows::Find(std::span<const std::byte> key) {
  const std::uint64_t* slot = FindSlot(key);
  return slot == nullptr ? nullptr : &At(TagIndex::Reference(*slot));
}

HeldFlows::Held* HeldFlows::Touch(std::span<const std::byte> key) {
  if (const std::uint64_t* slot = FindSlot(key); slot != nullptr) {
    Held& held = At(TagIndex::Reference(*slot));
    Renew(held);
    return &held;
  }
  const std::uint32_t number = Allocate();
  if (number == 0) {
    return nullptr;
  }
  Held& held = At(number);
  held = Held();
  std::copy_n(key.begin(), kKeySize, held.key.begin());
  index_->Step(1, kSlotsPerStep);
  if (!index_->Insert(TagOf(hash_(key)), number)) {
    held.older = free_;
    free_ = number;
    return nullptr;
  }
  Link(number);
  ++size_;
  return &held;
}

void HeldFlows::Renew(Held& held) {
  const std::uint32_t number = held.older == 0 ? oldest_ : At(held.older).newer;
  Unlink(number);
  Link(number);
}

void HeldFlows::Forget(std::span<const std::byte> key) {
  std::uint64_t* slot = FindSlot(key);
  if (slot == nullptr) {
    return;
  }
  const std::uint32_t number = TagIndex::Reference(*slot);
  index_->Erase(slot);
  Unlink(number);
  At(number).older = free_;
  free_ = number;
  --size_;
}

void HeldFlows::Clear() {
  index_ = std::make_unique<TagIndex>();
  chunks_.clear();
  used_ = free_ = oldest_ = newest_ = 0;
  size_ = 0;
}

std::size_t HeldFlows::memory_bytes() const {
  return index_->memory_bytes() + chunks_.size() * sizeof(Chunk);
}

std::uint32_t HeldFlows::Allocate() {
  if (free_ != 0) {
    const std::uint32_t number = free_;
    free_ = At(number).older;
    return number;
  }
  if (used_ == ~std::uint32_t{0}) {
    return 0;
  }
  if (used_ == chunks_.size() * kChunk) {
    chunks_.push_back(std::make_unique<Chunk>());
  }
  return ++used_;
}

void HeldFlows::Link(std::uint32_t number) {
  Held& held = At(number);
  held.older = newest_;
  held.newer = 0;
  (newest_ == 0 ? oldest_ : At(newest_).newer) = number;
  newest_ = number;
}

void HeldFlows::Unlink(std::uint32_t number) {
  const Held& held = At(number);
  (held.older == 0 ? oldest_ : At(held.older).newer) = held.newer;
  (held.newer == 0 ? newest_ : At(held.newer).older) = held.older;
}

}  // namespace mimi::internal
