#include "src/rules/join_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace mimi::rules {
namespace {

std::uint64_t Avalanche(std::uint64_t word) {  // the finalizer of MurmurHash3
  word ^= word >> 33;
  word *= 0xff51afd7ed558ccdULL;
  word ^= word >> 33;
  word *= 0xc4ceb9fe1a85ec53ULL;
  return word ^ word >> 33;
}

}  // namespace

void JoinKeyHasher::Mix(std::uint64_t word) {
  low_ = Avalanche(low_ ^ word);
  high_ = Avalanche(std::rotl(high_, 27) + (word ^ 0x9e3779b97f4a7c15ULL));
}

void JoinKeyHasher::Add(std::uint8_t name, const Value& value) {
  const std::uint64_t what = std::uint64_t{name} << 8 | static_cast<std::uint64_t>(value.kind);
  if (value.kind == ValueKind::kNumber) {
    Mix(what);
    return Mix(value.number);
  }
  if (value.kind == ValueKind::kIp) {
    std::uint64_t halves[2];
    std::memcpy(halves, value.ip.octets.data(), sizeof(halves));
    Mix(what);
    Mix(halves[0]);
    return Mix(halves[1]);
  }
  Mix(what | std::uint64_t{value.text.size()} << 16);
  for (std::size_t at = 0; at < value.text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, value.text.data() + at, std::min<std::size_t>(8, value.text.size() - at));
    Mix(word);
  }
}

JoinMemory::JoinMemory(const JoinDefinition& definition)
    : within_(definition.within),
      max_(std::max<std::size_t>(1, definition.max)),
      fields_(definition.fields.size()),
      entry_size_((offsetof(Entry, fields) + fields_ * sizeof(Entry::Field) + 7) & ~std::size_t{7}),
      mask_(std::bit_ceil(max_ * 2) - 1),
      slab_(static_cast<std::uint8_t*>(std::calloc(max_, entry_size_))),
      index_(static_cast<std::uint32_t*>(std::calloc(mask_ + 1, sizeof(std::uint32_t)))) {
  if (slab_ == nullptr || index_ == nullptr) {
    max_ = 0;  // remembers nothing; all is counted as evicted
  }
}

// The place in the index that holds this key, or the free one where it would be.
std::uint32_t* JoinMemory::Locate(const JoinKey& key) {
  std::size_t slot = SlotOf(key);
  while (index_.get()[slot] != 0 && !(At(index_.get()[slot]).key == key)) {
    slot = (slot + 1) & mask_;
  }
  return index_.get() + slot;
}

const JoinMemory::Entry* JoinMemory::Find(const JoinKey& key, MonotonicTime now) {
  if (max_ == 0) {
    return nullptr;
  }
  const std::uint32_t index = *Locate(key);
  if (index == 0) {
    return nullptr;
  }
  const Entry& entry = At(index);
  return within_.count() != 0 && now - entry.made > within_ ? nullptr : &entry;
}

void JoinMemory::Keep(const JoinKey& key, std::uint32_t rule,
                      const std::vector<std::uint8_t>& slots, const Values& values,
                      MonotonicTime now) {
  if (max_ == 0) {
    ++evicted_;
    return;
  }
  std::uint32_t index = *Locate(key);
  if (index != 0) {
    Unlink(At(index));
  } else {
    if (count_ == max_) {
      ++evicted_;
      Remove(oldest_);
    }
    index = free_ != 0 ? free_ : ++used_;
    if (index == free_) {
      free_ = At(index).older;
    }
    *Locate(key) = index;
    ++count_;
  }
  Entry& entry = At(index);
  entry.key = key;
  entry.made = now;
  entry.rule = rule;
  entry.present = 0;
  for (std::size_t i = 0; i < fields_; ++i) {
    if (slots[i] == 255 || !values.has(slots[i])) {
      continue;
    }
    const Value& value = values.at[slots[i]];
    Entry::Field& field = entry.fields[i];
    field.kind = value.kind;
    field.size = 0;
    if (value.kind == ValueKind::kNumber) {
      std::memcpy(field.bytes, &value.number, sizeof(value.number));
    } else if (value.kind == ValueKind::kIp) {
      std::memcpy(field.bytes, value.ip.octets.data(), 16);
    } else if (value.text.size() <= sizeof(field.bytes)) {
      field.size = static_cast<std::uint8_t>(value.text.size());
      std::memcpy(field.bytes, value.text.data(), value.text.size());
    } else {
      continue;
    }
    entry.present = static_cast<std::uint16_t>(entry.present | 1U << i);
  }
  LinkNewest(index);
}

void JoinMemory::Restore(const Entry& entry, std::size_t field, std::size_t slot, Values* values) {
  const Entry::Field& from = entry.fields[field];
  Value value;
  value.kind = from.kind;
  if (from.kind == ValueKind::kNumber) {
    std::memcpy(&value.number, from.bytes, sizeof(value.number));
  } else if (from.kind == ValueKind::kIp) {
    std::memcpy(value.ip.octets.data(), from.bytes, 16);
  } else {
    value.text = {reinterpret_cast<const char*>(from.bytes), from.size};
  }
  values->Set(slot, value);
}

void JoinMemory::Forget(const JoinKey& key) {
  if (max_ == 0) {
    return;
  }
  if (const std::uint32_t index = *Locate(key); index != 0) {
    Remove(index);
  }
}

std::size_t JoinMemory::Expire(MonotonicTime now) {
  std::size_t dropped = 0;
  while (within_.count() != 0 && oldest_ != 0 && now - At(oldest_).made > within_) {
    Remove(oldest_);
    ++dropped;
  }
  return dropped;
}

void JoinMemory::Remove(std::uint32_t index) {
  Entry& entry = At(index);
  Unlink(entry);
  // Open addressing without marks: what stands behind and belongs before moves up.
  auto hole = static_cast<std::size_t>(Locate(entry.key) - index_.get());
  for (std::size_t next = (hole + 1) & mask_; index_.get()[next] != 0; next = (next + 1) & mask_) {
    const std::size_t home = SlotOf(At(index_.get()[next]).key);
    if (((next - home) & mask_) >= ((next - hole) & mask_)) {
      index_.get()[hole] = index_.get()[next];
      hole = next;
    }
  }
  index_.get()[hole] = 0;
  entry.older = free_;
  free_ = index;
  --count_;
}

void JoinMemory::Unlink(Entry& entry) {
  (entry.older != 0 ? At(entry.older).newer : oldest_) = entry.newer;
  (entry.newer != 0 ? At(entry.newer).older : newest_) = entry.older;
}

void JoinMemory::LinkNewest(std::uint32_t index) {
  Entry& entry = At(index);
  entry.older = newest_;
  entry.newer = 0;
  (newest_ != 0 ? At(newest_).newer : oldest_) = index;
  newest_ = index;
}

}  // namespace mimi::rules
