#include "src/state/row_map.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "src/base/bytes.h"

namespace mimi {
namespace {

// Records between two stages of Apply: what is asked of memory in one is there in the next.
constexpr std::size_t kAhead = 16;
// Records between two steps of growth, and slots and rows that each of them moves on. 2 slots are
// enough to be done in time; 8 are a cache line.
constexpr std::size_t kGroup = 32;
constexpr std::size_t kSlotsPerRecord = 8;
constexpr std::size_t kRowsPerRecord = 4;
constexpr std::size_t kMaxOrigins = 0xFFFF;

std::uint64_t RandomSeed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// memcmp for the 4 to 40 bytes that keys have, without a call: the last two words may overlap.
bool SameKey(const std::byte* a, const std::byte* b, std::size_t size) {
  if (size < 8) {
    return std::memcmp(a, b, size) == 0;
  }
  std::size_t at = 0;
  for (; at + 8 < size; at += 8) {
    if (LoadLe<std::uint64_t>(a + at) != LoadLe<std::uint64_t>(b + at)) {
      return false;
    }
  }
  return LoadLe<std::uint64_t>(a + size - 8) == LoadLe<std::uint64_t>(b + size - 8);
}

// The same for memcpy, up to a cache line.
void CopyRow(std::byte* to, const std::byte* from, std::size_t size) {
  if (size < 8 || size > 64) {
    std::memcpy(to, from, size);
    return;
  }
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    StoreLe(to + at, LoadLe<std::uint64_t>(from + at));
  }
  StoreLe(to + size - 8, LoadLe<std::uint64_t>(from + size - 8));
}

using Tally = std::array<std::uint64_t, 6>;  // by Outcome

RowMap::Counts CountsOf(const Tally& tally) {
  const auto of = [&tally](RowMap::Outcome outcome) {
    return tally[static_cast<std::size_t>(outcome)];
  };
  return {.inserted = of(RowMap::Outcome::kInserted),
          .replaced = of(RowMap::Outcome::kReplaced),
          .erased = of(RowMap::Outcome::kErased),
          .no_such_row = of(RowMap::Outcome::kNoSuchRow),
          .stale = of(RowMap::Outcome::kStale),
          .table_full = of(RowMap::Outcome::kTableFull)};
}

}  // namespace

// References in the index: a row's number + 1, or a tombstone's place with the top bit set.

RowMap::RowMap(const StateSchema& schema, const Limits& limits)
    : schema_(schema),
      limits_(limits),
      key_size_(schema.key_size()),
      row_size_(schema.row_size()),
      hash_(RandomSeed()),
      slab_(schema.row_size()),
      tombstones_(schema.key_size()) {
  limits_.max_rows = std::min<std::size_t>(limits_.max_rows, RowSlab::kMaxEntries);
  if (limits_.max_tombstones == 0) {
    limits_.max_tombstones = limits_.max_rows;
  }
  limits_.max_tombstones = std::clamp<std::size_t>(limits_.max_tombstones, 1, RowSlab::kMaxEntries);
}

template <class RecordAt>
RowMap::Counts RowMap::ApplyAll(std::size_t size, RecordAt record_at, MonotonicTime now,
                                Position position, std::span<Outcome> outcomes) {
  // A record passes three stages, kAhead records apart: its tag is computed and its index slot
  // asked for; the slot is read and the row asked for; the record is applied.
  std::array<std::uint32_t, 2 * kAhead> tags;  // of the records between the first and the last
  Tally tally{};
  for (std::size_t i = 0; i < size + 2 * kAhead; ++i) {
    std::uint32_t& tag = tags[i % tags.size()];
    if (i >= 2 * kAhead) {
      const std::size_t at = i - 2 * kAhead;
      if (at % kGroup == 0) {
        const std::size_t group = std::min(kGroup, size - at);
        index_.Step(group, group * kSlotsPerRecord);
        slab_.Step(group * kRowsPerRecord);
      }
      const Outcome outcome = ApplyOne(record_at(at), tag, now, position);
      ++tally[static_cast<std::size_t>(outcome)];
      if (!outcomes.empty()) {
        outcomes[at] = outcome;
      }
    }
    if (i >= kAhead && i - kAhead < size) {
      const std::uint32_t reference = index_.Guess(tags[(i - kAhead) % tags.size()]);
      if (reference != 0 && !Tombstones::IsReference(reference)) {
        slab_.Prefetch(reference - 1);
      }
    }
    if (i < size) {
      tag = TagOf(record_at(i).key);
      index_.Prefetch(tag);
    }
  }
  return CountsOf(tally);
}

RowMap::Counts RowMap::Apply(const BatchView& batch, MonotonicTime now, Position position,
                             std::span<Outcome> outcomes) {
  const auto record_at = [&batch](std::size_t i) {
    return batch[i];
  };
  const Counts counts = ApplyAll(batch.size(), record_at, now, position, outcomes);
  NoteMissing(batch, counts.table_full);
  return counts;
}

RowMap::Counts RowMap::Apply(std::span<const RecordView> records, MonotonicTime now,
                             Position position) {
  const auto record_at = [records](std::size_t i) -> const RecordView& {
    return records[i];
  };
  return ApplyAll(records.size(), record_at, now, position, {});
}

void RowMap::TouchGroup(std::size_t group) {
  if (group / 64 >= changed_->size()) {
    changed_->resize(group / 64 + 1);
  }
  (*changed_)[group / 64] |= std::uint64_t{1} << (group % 64);
}

// Whose rows are missing is not known, only that some are; a resync of the writer brings all.
void RowMap::NoteMissing(const BatchView& batch, std::uint64_t left_out) {
  if ((batch.flags() & kBatchResyncBegin) != 0) {
    walk_fits_ = true;
  }
  if (left_out != 0) {
    missing_ += left_out;
    walk_fits_ = false;
  }
  if ((batch.flags() & kBatchResyncEnd) != 0 && std::exchange(walk_fits_, false)) {
    missing_ = 0;
  }
}

RowMap::Outcome RowMap::Apply(const RecordView& record, MonotonicTime now, Position position) {
  index_.Step(1, kSlotsPerRecord);
  slab_.Step(kRowsPerRecord);
  return ApplyOne(record, TagOf(record.key), now, position);
}

std::uint64_t* RowMap::FindSlot(std::uint32_t tag, std::span<const std::byte> key) {
  return index_.Find(tag, [&](std::uint32_t reference) {
    const std::byte* stored = Tombstones::IsReference(reference)
                                  ? tombstones_.key(tombstones_.PlaceOf(reference)).data()
                                  : slab_.at(reference - 1) + RowSlab::kMetaSize;
    return SameKey(stored, key.data(), key_size_);
  });
}

RowMap::Outcome RowMap::ApplyOne(const RecordView& record, std::uint32_t tag, MonotonicTime now,
                                 Position position) {
  highest_term_ = std::max(highest_term_, record.version.term);
  std::uint64_t* slot = FindSlot(tag, record.key);
  std::uint32_t number = RowSlab::kNone;
  if (slot != nullptr) {
    const std::uint32_t reference = TagIndex::Reference(*slot);
    Version stored;
    if (Tombstones::IsReference(reference)) {
      stored = tombstones_.version(tombstones_.PlaceOf(reference));
    } else {
      number = reference - 1;
      stored = RowSlab::LoadVersion(slab_.at(number));
    }
    if (record.version <= stored) {
      if (number != RowSlab::kNone) {
        RowSlab::SetMark(slab_.at(number), mark_);
      }
      return Outcome::kStale;
    }
  }
  if (record.op != Op::kPut) {
    return Erase(record, tag, slot, now, position);
  }
  return number != RowSlab::kNone ? Replace(record, number) : Insert(record, tag, slot);
}

RowMap::Outcome RowMap::Replace(const RecordView& record, std::uint32_t number) {
  std::uint16_t origin = 0;
  if (!InternOrigin(record.origin, &origin)) {
    return Outcome::kTableFull;
  }
  StoreRow(record, origin, slab_.at(number));
  Touch(number);
  return Outcome::kReplaced;
}

RowMap::Outcome RowMap::Insert(const RecordView& record, std::uint32_t tag,
                               std::uint64_t* tombstone_slot) {
  std::uint16_t origin = 0;
  if (slab_.size() >= limits_.max_rows || !InternOrigin(record.origin, &origin)) {
    return Outcome::kTableFull;
  }
  const std::uint32_t number = slab_.Allocate();
  if (number == RowSlab::kNone) {
    return Outcome::kTableFull;
  }
  if (tombstone_slot != nullptr) {
    tombstones_.Clear(tombstones_.PlaceOf(TagIndex::Reference(*tombstone_slot)));
    TagIndex::Replace(tombstone_slot, number + 1);
  } else if (!index_.Insert(tag, number + 1)) {
    slab_.Free(number);
    return Outcome::kTableFull;
  }
  std::byte* entry = slab_.at(number);
  const std::size_t given = std::min(record.row.size(), row_size_);
  StoreRow(record, origin, entry);
  std::memcpy(entry + RowSlab::kMetaSize + given, schema_.default_row().data() + given,
              row_size_ - given);
  Touch(number);
  return Outcome::kInserted;
}

void RowMap::StoreRow(const RecordView& record, std::uint16_t origin, std::byte* entry) {
  RowSlab::StoreMeta(entry, {record.version, origin, RowSlab::LiveFlags(mark_)});
  CopyRow(entry + RowSlab::kMetaSize, record.row.data(), std::min(record.row.size(), row_size_));
}

RowMap::Outcome RowMap::Erase(const RecordView& record, std::uint32_t tag, std::uint64_t* slot,
                              MonotonicTime now, Position position) {
  std::uint16_t origin = 0;
  if (!InternOrigin(record.origin, &origin)) {
    return Outcome::kTableFull;
  }
  if (tombstones_.end() - tombstones_.begin() >= limits_.max_tombstones) {
    tombstones_dropped_ += tombstones_.IsSet(tombstones_.begin()) ? 1U : 0U;
    PopTombstone();
    slot = FindSlot(tag, record.key);  // slots have moved, and it may have been this key's
  }
  const std::uint64_t place = tombstones_.Push(record.key, record.version, origin, now, position);
  const std::uint32_t reference = Tombstones::ReferenceOf(place);
  if (slot == nullptr) {
    if (!index_.Insert(tag, reference)) {
      tombstones_.Clear(place);
      return Outcome::kTableFull;
    }
    return Outcome::kNoSuchRow;
  }
  const std::uint32_t stored = TagIndex::Reference(*slot);
  TagIndex::Replace(slot, reference);
  if (Tombstones::IsReference(stored)) {
    tombstones_.Clear(tombstones_.PlaceOf(stored));
    return Outcome::kNoSuchRow;
  }
  slab_.Free(stored - 1);
  Touch(stored - 1);
  return Outcome::kErased;
}

// Leaves the front of the queue, with its index slot unless it is a hole already.
void RowMap::PopTombstone() {
  const std::uint64_t place = tombstones_.begin();
  if (tombstones_.IsSet(place)) {
    const std::uint32_t reference = Tombstones::ReferenceOf(place);
    index_.Erase(index_.Find(TagOf(tombstones_.key(place)),
                             [reference](std::uint32_t stored) { return stored == reference; }));
    tombstones_.Clear(place);
  }
  tombstones_.PopFront();
}

std::size_t RowMap::Expire(MonotonicTime now, Position trimmed, std::size_t budget) {
  std::size_t forgotten = 0;
  while (budget > 0 && tombstones_.begin() < tombstones_.end()) {
    const std::uint64_t place = tombstones_.begin();
    if (tombstones_.IsSet(place)) {
      if (tombstones_.position(place) > trimmed ||
          now - tombstones_.at(place) < limits_.tombstone_age) {
        break;
      }
      ++forgotten;
    }
    PopTombstone();
    --budget;
  }
  return forgotten;
}

bool RowMap::Forget(std::span<const std::byte> key) {
  std::uint64_t* slot = key.size() == key_size_ ? FindSlot(TagOf(key), key) : nullptr;
  if (slot == nullptr || Tombstones::IsReference(TagIndex::Reference(*slot))) {
    return false;
  }
  const std::uint32_t number = TagIndex::Reference(*slot) - 1;
  index_.Erase(slot);
  slab_.Free(number);
  Touch(number);
  return true;
}

std::optional<RowMap::Row> RowMap::Find(std::span<const std::byte> key) {
  if (key.size() != key_size_) {
    return std::nullopt;
  }
  const std::uint64_t* slot = FindSlot(TagOf(key), key);
  if (slot == nullptr || Tombstones::IsReference(TagIndex::Reference(*slot))) {
    return std::nullopt;
  }
  const std::uint32_t number = TagIndex::Reference(*slot) - 1;
  return MakeRow(slab_.at(number), number);
}

std::optional<Version> RowMap::FindVersion(std::span<const std::byte> key) {
  const std::uint64_t* slot = key.size() == key_size_ ? FindSlot(TagOf(key), key) : nullptr;
  if (slot == nullptr) {
    return std::nullopt;
  }
  const std::uint32_t reference = TagIndex::Reference(*slot);
  return Tombstones::IsReference(reference) ? tombstones_.version(tombstones_.PlaceOf(reference))
                                            : RowSlab::LoadVersion(slab_.at(reference - 1));
}

bool RowMap::Extend(const StateSchema& longer) {
  if (longer.row_size() <= row_size_) {
    return true;
  }
  if (!slab_.Extend(longer.default_row())) {
    return false;
  }
  schema_ = longer;
  row_size_ = longer.row_size();
  return true;
}

bool RowMap::Work(std::size_t budget) {
  index_.Step(0, budget);
  slab_.Step(budget);
  return index_.growing() || slab_.extending();
}

bool RowMap::InternOrigin(Origin origin, std::uint16_t* index) {
  if (last_origin_ < origins_.size() && origins_[last_origin_] == origin) {
    *index = last_origin_;
    return true;
  }
  const auto found = std::find(origins_.begin(), origins_.end(), origin);
  if (found == origins_.end()) {
    if (origins_.size() >= kMaxOrigins) {
      return false;
    }
    origins_.push_back(origin);
    last_origin_ = static_cast<std::uint16_t>(origins_.size() - 1);
  } else {
    last_origin_ = static_cast<std::uint16_t>(found - origins_.begin());
  }
  *index = last_origin_;
  return true;
}

std::size_t RowMap::memory_bytes() const {
  return sizeof(*this) + origins_.capacity() * sizeof(Origin) + schema_.row_size() +
         index_.memory_bytes() + slab_.memory_bytes() + tombstones_.memory_bytes();
}

}  // namespace mimi
