#ifndef MIMI_SRC_STATE_ROW_MAP_H_
#define MIMI_SRC_STATE_ROW_MAP_H_

// RowMap: the rows of one table with all that must be known of each, and the rule that decides
// between versions.
//
// Stores and replicas keep their tables in it, so that one piece of code says what applying a batch
// means:
//
//     RowMap rows(schema, {.max_rows = 1'000'000});
//     std::vector<RowMap::Outcome> outcomes(batch.size());
//     RowMap::Counts counts = rows.Apply(batch, clock.now(), position, outcomes);
//     if (std::optional<RowMap::Row> row = rows.Find(key)) { … row->row … }
//     rows.Expire(clock.now(), feed.trimmed(), 4096);
//
// Version rule. A record is applied when its version is newer than that of the row, or of the row's
// tombstone; else it is stale and changes nothing. An erase of a row that is not there leaves a
// tombstone all the same: the Put that it ends may still be on its way.
//
// Length. Rows of any length of the schema's line are taken. A shorter one keeps the stored tail;
// as a new row it gets the defaults. A longer one is cut to what this map's schema knows: whoever
// must not lose the tail (a store) calls Extend() with the longer schema first. REQUIRES of every
// batch: the same key size, checked by CanApply().
//
// Memory. A row costs 19 bytes beside itself (version 16, origin 2, flags 1; rounded up to 8)
// and 10.7 to 21.3 bytes of index (8 per slot, at most 3/4 full): 61 to 69 bytes for a 29-byte row.
// A tombstone costs 35 bytes, the key, and index. Tables neither shrink nor move a row: at most
// `max_rows` rows and `max_tombstones` tombstones, ever. Above, the *new* row is refused
// (kTableFull) and the *oldest* tombstone dropped early (counted: tombstones_dropped()).
//
// Time. Nothing here pauses: the index grows by moving a few slots with every record (old and new
// live side by side), Extend() moves rows when they are touched and a few with every record. Work()
// does more of both when idle.
//
// Why so fast (bench/store_bench): a record touches its index slot (one cache line) and its row
// (one or two), and Apply asks for the slot 32 records ahead and for the row 16 ahead, so that the
// lines of many records are on their way at once. The index keeps 32 bits of the hash beside the
// row's number, so that it reads a row only when it is almost surely the right one, and grows
// without reading rows at all.
//
// Threads: one at a time. No locks, no clock (times are arguments).
// Lifetime: a Row and its span are valid until the next call of a non-const method; row numbers
// (Walk) while the row lives.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/types.h"

#include "src/base/hash.h"
#include "src/state/row_slab.h"
#include "src/state/tag_index.h"
#include "src/state/tombstones.h"

namespace mimi {

class RowMap {
 public:
  struct Limits {
    std::size_t max_rows = std::size_t{1} << 24;
    /// 0: as many as max_rows.
    std::size_t max_tombstones = 0;
    Duration tombstone_age = std::chrono::seconds(120);
  };

  /// What became of one record.
  enum class Outcome : std::uint8_t {
    kInserted,   ///< a new row
    kReplaced,   ///< a newer version of a row that was there
    kErased,     ///< the row is gone
    kNoSuchRow,  ///< an erase of no live row; its version is remembered
    kStale,      ///< the row or its tombstone is as new or newer: nothing changed
    kTableFull,  ///< a new row beyond max_rows: left out
  };

  struct Counts {
    std::uint64_t inserted = 0;
    std::uint64_t replaced = 0;
    std::uint64_t erased = 0;
    std::uint64_t no_such_row = 0;
    std::uint64_t stale = 0;
    std::uint64_t table_full = 0;
  };

  struct Row {
    std::span<const std::byte> row;  ///< the whole row, as long as this map's schema says
    Origin origin = 0;
    Version version;
    std::uint8_t mark = 0;     ///< set_mark() at the last record that named this row
    std::uint32_t number = 0;  ///< stays the same while the row lives
  };

  struct Tombstone {
    std::span<const std::byte> key;
    Origin origin = 0;
    Version version;
  };

  explicit RowMap(const StateSchema& schema) : RowMap(schema, Limits()) {}
  RowMap(const StateSchema& schema, const Limits& limits);

  /// Says how many rows and tombstones will come, so that the index need not grow while they do.
  /// Only of use while the map is empty.
  void Reserve(std::size_t count) { index_.Reserve(std::min(count, limits_.max_rows)); }

  /// Whether a batch's rows fit this table at all: same table, same key size. Apply requires it.
  bool CanApply(const BatchView& batch) const {
    return batch.table() == schema_.table() && batch.key_size() == key_size_ &&
           batch.row_size() >= key_size_;
  }

  /// Applies every record in order. `position`: where the batch stands in its feed; its tombstones
  /// stay at least until Expire() is told that the feed is trimmed up to there (0 where there is no
  /// feed). `outcomes`: empty, or one per record.
  Counts Apply(const BatchView& batch, MonotonicTime now, Position position,
               std::span<Outcome> outcomes = {});
  /// The same for one record.
  Outcome Apply(const RecordView& record, MonotonicTime now, Position position);
  /// The same for many that are in no batch, as fast as a batch of them.
  Counts Apply(std::span<const RecordView> records, MonotonicTime now, Position position);

  std::optional<Row> Find(std::span<const std::byte> key);
  /// The newest version known of a key, row or tombstone.
  std::optional<Version> FindVersion(std::span<const std::byte> key);

  /// Visits the live rows with numbers in [from, from + steps), in order, and returns where to go
  /// on; done when that is
  /// >= end(). A row that lives from the first call to the last is seen exactly once, whatever else
  /// changes between the calls. `visit(const Row&)` must not change the map.
  template <class Visit>
  std::uint32_t Walk(std::uint32_t from, std::uint32_t steps, Visit visit) {
    const std::uint32_t end = from + steps < slab_.end() ? from + steps : slab_.end();
    std::uint32_t at = from;
    for (; at < end; ++at) {
      const std::byte* entry = slab_.at(at);
      if (RowSlab::IsLive(entry)) {
        visit(MakeRow(entry, at));
      }
    }
    return at;
  }
  std::uint32_t end() const { return slab_.end(); }

  /// Visits tombstones, oldest first, from a place that starts at 0; returns where to go on; done
  /// when that is >= tombstones_end().
  template <class Visit>
  std::uint64_t WalkTombstones(std::uint64_t from, std::uint64_t steps, Visit visit) const {
    std::uint64_t at = from < tombstones_.begin() ? tombstones_.begin() : from;
    for (; steps > 0 && at < tombstones_.end(); ++at, --steps) {
      if (tombstones_.IsSet(at)) {
        visit(Tombstone{tombstones_.key(at), origins_[tombstones_.origin(at)],
                        tombstones_.version(at)});
      }
    }
    return at;
  }
  std::uint64_t tombstones_end() const { return tombstones_.end(); }

  /// Forgets tombstones that are older than tombstone_age and at or before `trimmed` in the feed,
  /// at most `budget` of them. Returns how many.
  std::size_t Expire(MonotonicTime now, Position trimmed, std::size_t budget);

  /// Drops a row without a trace: no tombstone, so any version may come back. For who knows by
  /// other means than a record that the row is gone (a load that did not mention it). False: no
  /// such row.
  bool Forget(std::span<const std::byte> key);

  /// From now on every row that comes, changes or goes sets a bit in `groups`, which grows as
  /// needed: bit i stands for the row numbers 64 i to 64 i + 63. nullptr: no more.
  static constexpr std::uint32_t kGroupRows = 64;
  void NoteChanges(std::vector<std::uint64_t>* groups) { changed_ = groups; }

  /// Takes a longer schema of the same line: rows get the appended fields' defaults. No-op for one
  /// that is not longer. False, and no change, when memory has run out. REQUIRES: compatible
  /// (StateSchema::CheckCompatible).
  bool Extend(const StateSchema& longer);

  /// Every record that names a row, applied or stale, stamps it with the mark, 0 to 15: so a
  /// replica that loads a snapshot beside what it has can tell at the end which rows nobody
  /// mentioned.
  void set_mark(std::uint8_t mark) { mark_ = static_cast<std::uint8_t>(mark & 0x0f); }

  /// Moves growth on by up to `budget` slots or rows. Returns whether there is more to do.
  bool Work(std::size_t budget);

  const StateSchema& schema() const { return schema_; }
  std::size_t size() const { return slab_.size(); }
  /// Rows that were left out and may be missing still: 0 again when a whole resync has found room.
  std::uint64_t missing() const { return missing_; }
  /// Of these, how many there is room for now.
  std::uint64_t missing_fit() const {
    return std::min<std::uint64_t>(missing_, limits_.max_rows - std::min(size(), limits_.max_rows));
  }
  std::size_t tombstones() const { return tombstones_.size(); }
  /// Tombstones that max_tombstones forgot before their time. Older Puts of these keys could come
  /// back.
  std::uint64_t tombstones_dropped() const { return tombstones_dropped_; }
  /// The highest term in any record applied.
  std::uint64_t highest_term() const { return highest_term_; }
  /// Rows, index and tombstones, as far as the kernel has given pages for them.
  std::size_t memory_bytes() const;

 private:
  Row MakeRow(const std::byte* entry, std::uint32_t number) const {
    const RowSlab::Meta meta = RowSlab::LoadMeta(entry);
    return {{entry + RowSlab::kMetaSize, row_size_},
            origins_[meta.origin],
            meta.version,
            meta.mark(),
            number};
  }
  std::uint32_t TagOf(std::span<const std::byte> key) const {
    return static_cast<std::uint32_t>(hash_(key) >> 32);
  }
  template <class RecordAt>
  Counts ApplyAll(std::size_t size, RecordAt record_at, MonotonicTime now, Position position,
                  std::span<Outcome> outcomes);
  void Touch(std::uint32_t number) {
    if (changed_ != nullptr) {
      TouchGroup(number / kGroupRows);
    }
  }
  void TouchGroup(std::size_t group);
  std::uint64_t* FindSlot(std::uint32_t tag, std::span<const std::byte> key);
  Outcome ApplyOne(const RecordView& record, std::uint32_t tag, MonotonicTime now,
                   Position position);
  Outcome Insert(const RecordView& record, std::uint32_t tag, std::uint64_t* tombstone_slot);
  Outcome Replace(const RecordView& record, std::uint32_t number);
  Outcome Erase(const RecordView& record, std::uint32_t tag, std::uint64_t* slot, MonotonicTime now,
                Position position);
  void NoteMissing(const BatchView& batch, std::uint64_t left_out);
  void PopTombstone();
  void StoreRow(const RecordView& record, std::uint16_t origin, std::byte* entry);
  bool InternOrigin(Origin origin, std::uint16_t* index);

  StateSchema schema_;
  Limits limits_;
  std::size_t key_size_;
  std::size_t row_size_;
  RowHash hash_;
  TagIndex index_;
  RowSlab slab_;
  Tombstones tombstones_;
  std::vector<Origin> origins_;
  std::uint16_t last_origin_ = 0;
  std::uint8_t mark_ = 0;
  std::uint64_t tombstones_dropped_ = 0;
  std::uint64_t highest_term_ = 0;
  std::uint64_t missing_ = 0;
  std::vector<std::uint64_t>* changed_ = nullptr;
  bool walk_fits_ = false;  // a resync runs, and nothing was left out since it began
};

}  // namespace mimi

#endif  // MIMI_SRC_STATE_ROW_MAP_H_
