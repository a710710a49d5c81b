#ifndef MIMI_SRC_STORE_FIND_ROW_H_
#define MIMI_SRC_STORE_FIND_ROW_H_

// What StateStore::Lookup answers in a store that has its tables as row maps.
//
// Threads: the row map's.

#include <cstddef>
#include <optional>
#include <span>

#include "absl/status/statusor.h"

#include "mimi/store.h"

#include "src/base/status.h"
#include "src/state/row_map.h"

namespace mimi {

/// `rows` of `table`; nullptr: not open. The row is valid until the next change.
inline absl::StatusOr<StateStore::Found> FindRow(RowMap* rows, TableId table,
                                                 std::span<const std::byte> key) {
  if (rows == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "lookup: table {:016x} is not open", table);
  }
  if (key.size() != rows->schema().key_size()) {
    return Error(absl::StatusCode::kInvalidArgument, "lookup in {}: key of {} bytes, expected {}",
                 rows->schema().name(), key.size(), rows->schema().key_size());
  }
  const std::optional<RowMap::Row> row = rows->Find(key);
  if (!row.has_value()) {
    return Error(absl::StatusCode::kNotFound, "lookup in {}: no such row", rows->schema().name());
  }
  return StateStore::Found{row->row, row->origin, row->version};
}

}  // namespace mimi

#endif  // MIMI_SRC_STORE_FIND_ROW_H_
