#ifndef MIMI_SRC_STORE_REDIS_REDIS_TABLES_H_
#define MIMI_SRC_STORE_REDIS_REDIS_TABLES_H_

// RedisTables: a handle's copy of the pair's tables, and which of their buckets the server does not
// have yet.
//
// Bucket i holds the rows with the numbers 64 i to 64 i + 63 (row_map.h), so that a bucket is found
// and packed without an index of its own; chunk i holds the tombstones with the places 128 i to 128
// i + 127. Numbers differ from handle to handle: a new keeper writes all buckets anew.
//
// Rows as JSON: a bucket or chunk is a line for each record, as mimi/json.h writes them. What is
// read tells by itself which of the two it is.
//
//     tables.Apply(batch, now, position);            // each batch of the feed, in order
//     tables.Track();                                // from now on, and all of it: what is dirty
//     while (tables.NextDirty(…)) …                  // redis_keeper.h
//
// Threads: one at a time. Lifetime: a table lives as long as this.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "mimi/builtin/redis_store.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/store.h"

#include "src/state/row_map.h"
#include "src/store/redis/row_blob.h"
#include "src/store/row_stream.h"

namespace mimi::internal {

class RedisTables {
 public:
  static constexpr std::uint32_t kBucketRows = RowMap::kGroupRows;
  static constexpr std::uint64_t kChunkStones = 128;

  /// `rows`: how NextDirty packs them.
  RedisTables(const RowMap::Limits& limits, RedisStoreOptions::Rows rows)
      : limits_(limits), json_(rows == RedisStoreOptions::Rows::kJson) {}

  /// Makes or lengthens the table. REQUIRES: of the same line.
  void Open(const StateSchema& schema);
  /// nullptr: not open.
  RowMap* Find(TableId table);
  const RowMap* Find(TableId table) const;
  const RowMaps& maps() const { return maps_; }

  /// Whether this batch can be applied, and if not, whether a longer schema of its table is all
  /// that lacks.
  absl::Status CheckFits(const BatchView& batch) const;
  /// A batch of a table that is not open changes nothing.
  void Apply(const BatchView& batch, MonotonicTime now, Position position, Position trimmed);
  /// What the server had in a bucket or chunk. Errors: DataLoss (not of this table).
  absl::Status Load(TableId table, std::string_view blob, RowBlobKind kind, MonotonicTime now,
                    Position position);

  /// From now on every change is noted; at first all buckets count as changed.
  void Track();
  void StopTracking();

  /// A bucket or chunk that has to be put; packed in `value`, which is empty when it has to be
  /// removed.
  struct Piece {
    TableId table = 0;
    RowBlobKind kind = RowBlobKind::kRows;
    std::uint64_t number = 0;
    std::string_view value;
  };
  /// The next piece that is dirty, from the place where the last call stopped; it counts as put.
  /// False: the end, and the next call begins again.
  bool NextDirty(Piece* piece);

  /// Buckets and chunks of a table, as they would be if all were put.
  std::uint64_t Buckets(const RowMap& rows) const;
  struct Chunks {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
  };
  Chunks ChunksOf(const RowMap& rows) const;

  /// Sums over the tables, and what was counted here.
  void Report(StoreState* state) const;

 private:
  struct Dirt {
    std::vector<std::uint64_t> buckets;  // a bit for each, set by its RowMap
    std::uint64_t chunk = 0;             // chunks from here on may have changed
    std::uint64_t first_chunk = 0;       // chunks before are removed
  };

  static absl::Status LoadPacked(RowMap& rows, std::string_view blob, RowBlobKind kind,
                                 MonotonicTime now, Position position);
  static absl::Status LoadJson(RowMap& rows, std::string_view lines, RowBlobKind kind,
                               MonotonicTime now, Position position);
  void Pack(const RowMap& rows, RowBlobWriter* blob, const RecordView& record);
  std::string_view Packed(RowBlobWriter* blob);
  bool NextBucket(RowMap& rows, Dirt* dirt, Piece* piece);
  bool NextChunk(RowMap& rows, Dirt* dirt, Piece* piece);

  RowMap::Limits limits_;
  bool json_;
  std::string lines_;
  RowMaps maps_;
  std::map<TableId, Dirt> dirt_;
  bool tracking_ = false;
  // NextDirty's place.
  TableId at_table_ = 0;
  std::size_t at_word_ = 0;
  RowBlobWriter rows_blob_{RowBlobKind::kRows};
  RowBlobWriter stones_blob_{RowBlobKind::kTombstones};
  std::uint64_t stale_ = 0;
  std::uint64_t table_full_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_TABLES_H_
