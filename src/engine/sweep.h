#ifndef MIMI_SRC_ENGINE_SWEEP_H_
#define MIMI_SRC_ENGINE_SWEEP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

#include "mimi/record.h"
#include "mimi/store.h"

namespace mimi::internal {

/// Finds what the end of a resync has to erase: rows of one origin that are older than the resync's
/// begin. It reads a snapshot of the store in slices, so it works with any store; a row that was
/// put again since is safe, because the erases carry the version of the begin and lose against
/// newer ones.
///
/// Threads: the loop thread only.
class Sweep {
 public:
  Sweep(StateStore& store, TableId table, Origin origin, Version begin, std::function<void()> wake)
      : store_(store), table_(table), origin_(origin), begin_(begin), wake_(std::move(wake)) {}

  Version begin() const { return begin_; }

  /// Reads up to `budget` rows and calls `stale` for each key to erase. True: all was read. Errors:
  /// the store's (the sweep starts again with the next call).
  absl::StatusOr<bool> Slice(std::size_t budget,
                             const std::function<void(std::span<const std::byte>)>& stale);

 private:
  StateStore& store_;
  TableId table_;
  Origin origin_;
  Version begin_;
  std::function<void()> wake_;
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_SWEEP_H_
