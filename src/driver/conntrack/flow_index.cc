#include "src/driver/conntrack/flow_index.h"

#include <algorithm>
#include <cstring>

namespace mimi::internal {
namespace {

constexpr std::size_t kSlotsPerStep = 8;  // TagIndex::Step

std::uint32_t TagOf(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32);
}

}  // namespace

std::uint64_t* FlowIndex::FindSlot(std::span<const std::byte> key) {
  return index_->Find(TagOf(hash_(key)), [&](std::uint32_t number) {
    return std::memcmp(At(number).key.data(), key.data(), kKeySize) == 0;
  });
}

FlowIndex::Known* FlowIndex::Find(std::span<const std::byte> key) {
  const std::uint64_t* slot = FindSlot(key);
  return slot == nullptr ? nullptr : &At(TagIndex::Reference(*slot));
}

FlowIndex::Known* FlowIndex::Touch(std::span<const std::byte> key) {
  if (Known* known = Find(key); known != nullptr) {
    return known;
  }
  const std::uint32_t number = Allocate();
  if (number == 0) {
    return nullptr;
  }
  index_->Step(1, kSlotsPerStep);
  if (!index_->Insert(TagOf(hash_(key)), number)) {
    free_.push_back(number);
    return nullptr;
  }
  Known& known = At(number);
  known = Known();
  known.used = true;
  std::copy_n(key.begin(), kKeySize, known.key.begin());
  ++size_;
  return &known;
}

void FlowIndex::Forget(Known& known) {
  std::uint64_t* slot = FindSlot(known.key);
  free_.push_back(TagIndex::Reference(*slot));
  index_->Erase(slot);
  known.used = false;
  --size_;
}

void FlowIndex::Clear() {
  index_ = std::make_unique<TagIndex>();
  chunks_.clear();
  free_.clear();
  high_ = 0;
  size_ = 0;
}

std::size_t FlowIndex::memory_bytes() const {
  return index_->memory_bytes() + chunks_.size() * sizeof(Chunk) +
         free_.capacity() * sizeof(std::uint32_t);
}

std::uint32_t FlowIndex::Allocate() {
  if (!free_.empty()) {
    const std::uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  if (high_ == ~std::uint32_t{0} - 1) {
    return 0;
  }
  if (high_ == chunks_.size() * kChunk) {
    chunks_.push_back(std::make_unique<Chunk>());
  }
  return ++high_;
}

}  // namespace mimi::internal
