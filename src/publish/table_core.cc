#include "src/publish/table_core.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "src/base/status.h"
#include "src/state/row.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kSlotsPerRecord = 8;
constexpr std::size_t kExpireBudget = 4096;
constexpr std::size_t kMaxEntries = 0x7FFFFFF0;

std::uint64_t RandomSeed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

TableOptions Bounded(TableOptions options) {
  options.max_rows = std::clamp<std::size_t>(options.max_rows, 1, kMaxEntries - 1);
  if (options.max_tombstones == 0) {
    options.max_tombstones = options.max_rows;
  }
  options.max_tombstones = std::min(options.max_tombstones, kMaxEntries);
  return options;
}

}  // namespace

// References in the index: a row's number + 1, or a tombstone's place with the top bit set.

TableCore::TableCore(const StateSchema& schema, const TableOptions& options, const Clock& clock)
    : schema_(schema),
      options_(Bounded(options)),
      clock_(clock),
      key_size_(schema.key_size()),
      row_size_(schema.row_size()),
      hash_(RandomSeed()),
      // One more: a change of a row in a full table needs an entry to go to.
      rows_(row_size_, options_.max_rows + 1, options_.order == TableOrder::kVersion),
      tombstones_(key_size_),
      scratch_(new std::byte[row_size_]) {
}

// ---- Readers ----

bool TableCore::LookupTag(std::uint32_t tag, const std::byte* key, std::byte* row) const {
  for (;;) {
    const std::uint64_t published = index_.Published();
    const SharedIndex::Array& array = index_.ArrayOf(published);
    bool replaced = false;
    for (const Slot* slot = array.HomeOf(tag); !replaced; ++slot) {
      std::uint64_t value = slot->load(std::memory_order_acquire);
      if (value == 0) {
        break;
      }
      while (SharedIndex::Tag(value) == tag && IsRow(SharedIndex::Reference(value))) {
        const bool whole = rows_.Read(SharedIndex::Reference(value) - 1, row);
        if (whole && std::memcmp(row, key, key_size_) == 0) {
          return true;
        }
        const std::uint64_t again = slot->load(std::memory_order_acquire);
        if (again == value && (whole || (replaced = !index_.StillPublished(published)))) {
          break;  // another key with this tag, or an array that nobody keeps up to date any more
        }
        value = again;  // the row has moved: the writer has got on, so this ends
      }
    }
    if (!replaced && index_.StillPublished(published)) {
      return false;
    }
  }
}

std::size_t TableCore::LookupMany(const std::byte* keys, std::byte* rows,
                                  std::span<bool> found) const {
  std::size_t hits = 0;
  std::uint32_t tags[kGroup];
  for (std::size_t first = 0; first < found.size(); first += kGroup) {
    const std::size_t count = std::min(kGroup, found.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      tags[i] = TagOf(keys + (first + i) * key_size_);
      index_.Prefetch(tags[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (const std::uint32_t reference = index_.Guess(tags[i]); IsRow(reference)) {
        rows_.Prefetch(reference - 1);
      }
    }
    for (std::size_t i = first; i < first + count; ++i) {
      found[i] = LookupTag(tags[i - first], keys + i * key_size_, rows + i * row_size_);
      hits += found[i] ? 1U : 0U;
    }
  }
  return hits;
}

// ---- The writer ----

absl::Status TableCore::CheckShape(const BatchView& batch) const {
  if (batch.table() != schema_.table() || batch.key_size() != key_size_) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "table {}: batch of table {:016x} with keys of {} bytes, expected {:016x} and {}",
                 schema_.name(), batch.table(), batch.key_size(), schema_.table(), key_size_);
  }
  const StateSchema::Prefix* prefix = schema_.FindPrefix(batch.fingerprint());
  // A longer line's fingerprint is unknown here; its row begins with ours.
  const bool fits =
      prefix != nullptr ? batch.row_size() == prefix->row_size : batch.row_size() > row_size_;
  if (!fits) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "table {}: rows of {} bytes with fingerprint {:016x} are not of this line ({} "
                 "bytes, {:016x})",
                 schema_.name(), batch.row_size(), batch.fingerprint(), row_size_,
                 schema_.fingerprint());
  }
  return absl::OkStatus();
}

absl::StatusOr<Position> TableCore::Apply(const BatchView& batch) {
  if (absl::Status status = CheckShape(batch); !status.ok()) {
    return status;
  }
  const MonotonicTime now = clock_.now();
  for (std::size_t first = 0; first < batch.size(); first += kGroup) {
    const std::size_t count = std::min(kGroup, batch.size() - first);
    index_.Step(count, count * kSlotsPerRecord);
    for (std::size_t i = 0; i < count; ++i) {
      group_[i].record = batch[first + i];
    }
    PrefetchGroup(count);
    for (std::size_t i = 0; i < count; ++i) {
      ApplyOne(group_[i].record, group_[i].tag, now);
    }
  }
  if (batch.empty()) {
    index_.Step(0, 4096);
  }
  Expire(now);
  applied_ += std::max<std::size_t>(batch.size(), 1);
  return applied_;
}

void TableCore::PrefetchGroup(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    group_[i].tag = TagOf(group_[i].record.key.data());
    index_.Prefetch(group_[i].tag);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::uint32_t reference = index_.Guess(group_[i].tag); IsRow(reference)) {
      rows_.Prefetch(reference - 1);
      rows_.PrefetchVersion(reference - 1);
    }
  }
}

TableCore::Slot* TableCore::FindSlot(std::uint32_t tag, const std::byte* key) {
  return index_.Find(tag, [this, key](std::uint32_t reference) {
    if (Tombstones::IsReference(reference)) {
      return std::memcmp(tombstones_.key(tombstones_.PlaceOf(reference)).data(), key, key_size_) ==
             0;
    }
    rows_.Read(reference - 1, scratch_.get());  // our own writes: always whole
    return std::memcmp(scratch_.get(), key, key_size_) == 0;
  });
}

std::uint32_t TableCore::Walk(std::uint32_t from, std::uint32_t steps,
                              const std::function<void(std::span<const std::byte> row)>& visit) {
  const std::uint32_t left = rows_.end() - std::min(from, rows_.end());
  const std::uint32_t end = rows_.end() - left + std::min(steps, left);
  for (std::uint32_t number = from; number < end; ++number) {
    // To the writer, an entry that cannot be read is a free one.
    if (rows_.Read(number, scratch_.get())) {
      visit({scratch_.get(), row_size_});
    }
  }
  return end < rows_.end() ? end : 0;
}

void TableCore::ApplyOne(const RecordView& record, std::uint32_t tag, MonotonicTime now) {
  Slot* slot = FindSlot(tag, record.key.data());  // leaves the row, if there is one, in scratch_
  if (slot != nullptr && options_.order == TableOrder::kVersion) {
    const std::uint32_t reference = SharedIndex::Reference(slot->load(std::memory_order_relaxed));
    const Version stored = IsRow(reference) ? rows_.version(reference - 1)
                                            : tombstones_.version(tombstones_.PlaceOf(reference));
    if (record.version <= stored) {
      ++stale_;
      return;
    }
  }
  if (record.op == Op::kPut) {
    Put(record, tag, slot);
  } else {
    Erase(record, tag, slot, now);
  }
  size_.store(rows_.size(), std::memory_order_relaxed);
}

void TableCore::Put(const RecordView& record, std::uint32_t tag, Slot* slot) {
  const std::uint32_t old =
      slot == nullptr ? 0 : SharedIndex::Reference(slot->load(std::memory_order_relaxed));
  const bool replaces = IsRow(old);
  const std::uint32_t number =
      replaces || rows_.size() < options_.max_rows ? rows_.Allocate() : SharedRows::kNone;
  if (number == SharedRows::kNone) {
    ++table_full_;
    return;
  }
  ExtendRow(schema_, record.row,
            replaces ? std::span<const std::byte>(scratch_.get(), row_size_)
                     : std::span<const std::byte>(),
            {scratch_.get(), row_size_});
  rows_.Write(number, {scratch_.get(), row_size_});
  if (options_.order == TableOrder::kVersion) {
    rows_.set_version(number, record.version);
  }
  if (slot == nullptr) {
    if (!index_.Insert(tag, number + 1)) {
      rows_.Free(number);
      ++table_full_;
    }
    return;
  }
  index_.Replace(slot, number + 1);
  if (replaces) {
    rows_.Free(old - 1);
  } else {
    tombstones_.Clear(tombstones_.PlaceOf(old));
  }
}

void TableCore::Erase(const RecordView& record, std::uint32_t tag, Slot* slot, MonotonicTime now) {
  if (options_.order == TableOrder::kArrival) {
    if (slot != nullptr) {
      const std::uint32_t old = SharedIndex::Reference(slot->load(std::memory_order_relaxed));
      index_.Replace(slot, SharedIndex::kDeleted);
      rows_.Free(old - 1);
    }
    return;
  }
  if (tombstones_.end() - tombstones_.begin() >= options_.max_tombstones) {
    tombstones_dropped_ += tombstones_.IsSet(tombstones_.begin()) ? 1U : 0U;
    PopTombstone();
    slot = FindSlot(tag, record.key.data());  // it may have been this key's
  }
  const std::uint64_t place = tombstones_.Push(record.key, record.version, 0, now, 0);
  const std::uint32_t reference = Tombstones::ReferenceOf(place);
  if (slot == nullptr) {
    if (!index_.Insert(tag, reference)) {
      tombstones_.Clear(place);
    }
    return;
  }
  const std::uint32_t old = SharedIndex::Reference(slot->load(std::memory_order_relaxed));
  index_.Replace(slot, reference);
  if (IsRow(old)) {
    rows_.Free(old - 1);
  } else {
    tombstones_.Clear(tombstones_.PlaceOf(old));
  }
}

void TableCore::PopTombstone() {
  const std::uint64_t place = tombstones_.begin();
  if (tombstones_.IsSet(place)) {
    const std::uint32_t reference = Tombstones::ReferenceOf(place);
    Slot* slot = index_.Find(TagOf(tombstones_.key(place).data()),
                             [reference](std::uint32_t stored) { return stored == reference; });
    index_.Replace(slot, SharedIndex::kDeleted);
    tombstones_.Clear(place);
  }
  tombstones_.PopFront();
}

void TableCore::Expire(MonotonicTime now) {
  for (std::size_t left = kExpireBudget; left > 0 && tombstones_.begin() < tombstones_.end();
       --left) {
    const std::uint64_t place = tombstones_.begin();
    if (tombstones_.IsSet(place) && now - tombstones_.at(place) < options_.tombstone_age) {
      return;
    }
    PopTombstone();
  }
}

TableState TableCore::state() const {
  return {.rows = rows_.size(),
          .tombstones = tombstones_.size(),
          .table_full = table_full_,
          .stale = stale_,
          .tombstones_dropped = tombstones_dropped_,
          .rebuilds = index_.rebuilds(),
          .memory_bytes = sizeof(*this) + row_size_ + index_.memory_bytes() + rows_.memory_bytes() +
                          tombstones_.memory_bytes()};
}

}  // namespace mimi::internal
