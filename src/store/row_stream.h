#ifndef MIMI_SRC_STORE_ROW_STREAM_H_
#define MIMI_SRC_STORE_ROW_STREAM_H_

// RowStream: all rows and tombstones of a repository's tables as kBatchVersioned batches, in
// slices, while the tables go on changing. Snapshots and base files are made of it.
//
// A row that is there from the first call to the last is in it exactly once; one that comes,
// changes or goes meanwhile may be in it in any of its versions, or not at all. Tombstones come
// last, so that who takes the stream in order ends with what is newest.
//
// Threads: one at a time. Lifetime: the tables outlive it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "mimi/record.h"

#include "src/state/row_map.h"

namespace mimi::internal {

using RowMaps = std::map<TableId, std::unique_ptr<RowMap>>;

class RowStream {
 public:
  // `table` 0: of all.
  RowStream(const RowMaps& tables, TableId table);

  // Looks at `steps` rows, or as many as fill a batch. The batch is valid until the next call,
  // and sealed with `term`. nullopt: there was none among them, or done().
  std::optional<BatchView> Next(std::uint32_t steps, std::uint64_t term, UnixTime time);
  bool done() const { return at_ == tables_.size(); }
  // Whether a table took a longer schema since the beginning.
  bool extended() const { return extended_; }

 private:
  bool Append(const RecordView& record);
  void TakeRows(RowMap& rows, std::uint32_t steps);
  void TakeTombstones(const RowMap& rows, std::uint32_t steps);

  enum class Phase : std::uint8_t { kRows, kTombstones };

  const RowMaps& maps_;
  std::vector<TableId> tables_;
  std::size_t at_ = 0;
  Phase phase_ = Phase::kRows;
  std::uint64_t next_ = 0;  // row number or tombstone's place
  std::unique_ptr<BatchBuilder> builder_;
  std::size_t builder_row_size_ = 0;
  bool extended_ = false;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_ROW_STREAM_H_
