#ifndef MIMI_SRC_STORE_MEMORY_CURSORS_H_
#define MIMI_SRC_STORE_MEMORY_CURSORS_H_

// The two cursors of a memory store: along the feed, and over what the tables hold.
//
// Threads: one. Lifetime: they hold the repository; `loop` outlives them.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/store/memory_repository.h"

namespace mimi::internal {

class MemoryWatch final : public Cursor {
 public:
  MemoryWatch(std::shared_ptr<MemoryRepository> repository, const MemoryFeed::Reader& reader,
              Loop& loop, std::function<void()> wake);

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return reader_.position(); }
  bool done() const override { return false; }

 private:
  std::shared_ptr<MemoryRepository> repository_;
  MemoryFeed::Reader reader_;
  std::shared_ptr<MemoryRepository::Waiter> waiter_;
};

/// Walks table after table: first the rows, then the tombstones. A row that is erased behind the
/// walk is in the watch that follows, and so is a row that moves in front of it.
class MemorySnapshot final : public Cursor {
 public:
  MemorySnapshot(std::shared_ptr<MemoryRepository> repository, std::vector<TableId> tables,
                 Loop& loop, std::function<void()> wake);

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return table_ == tables_.size(); }

 private:
  void BeginTable();
  void FillFrom(RowMap& rows);

  std::shared_ptr<MemoryRepository> repository_;
  std::vector<TableId> tables_;
  Position position_;
  const Clock& clock_;
  std::shared_ptr<MemoryRepository::Waiter> waiter_;
  std::size_t table_ = 0;
  std::uint32_t row_ = 0;
  std::uint32_t rows_end_ = 0;
  std::uint64_t tombstone_ = 0;
  std::uint64_t tombstones_end_ = 0;
  std::optional<BatchBuilder> builder_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_MEMORY_CURSORS_H_
