#ifndef MIMI_SRC_STORE_FILE_FILE_CURSOR_H_
#define MIMI_SRC_STORE_FILE_FILE_CURSOR_H_

// The cursors of a file store. A WatchCursor reads the feed's files itself, so it needs no memory
// but one buffer, and what it reads stays readable when compaction unlinks it.
//
// Threads: the loop thread only. Lifetime: the core outlives them.

#include <functional>
#include <memory>
#include <optional>

#include "mimi/store.h"

#include "src/store/file/file_store_core.h"
#include "src/store/row_stream.h"

namespace mimi::internal {

class WatchCursor final : public Cursor {
 public:
  WatchCursor(FileStoreCore& core, const WatchFrom& from, std::function<void()> wake);
  ~WatchCursor() override;
  WatchCursor(const WatchCursor&) = delete;
  WatchCursor& operator=(const WatchCursor&) = delete;

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return false; }

 private:
  absl::Status Begin();
  absl::StatusOr<bool> OpenNext();
  // Nothing more for now: wakes when there is.
  std::optional<BatchView> Wait(LogPlace seen);
  // Ends this call, not the reading.
  std::optional<BatchView> Pause();

  FileStoreCore& core_;
  WatchFrom from_;
  std::function<void()> wake_;
  std::uint64_t reader_id_;
  std::shared_ptr<bool> alive_;
  std::optional<FrameReader> reader_;
  Position position_;
};

class SnapshotCursor final : public Cursor {
 public:
  SnapshotCursor(FileStoreCore& core, TableId table, std::function<void()> wake);
  ~SnapshotCursor() override;
  SnapshotCursor(const SnapshotCursor&) = delete;
  SnapshotCursor& operator=(const SnapshotCursor&) = delete;

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return stream_.has_value() && stream_->done(); }

 private:
  void Begin();

  FileStoreCore& core_;
  TableId table_;
  std::function<void()> wake_;
  std::shared_ptr<bool> alive_;
  std::optional<RowStream> stream_;
  std::uint64_t epoch_ = 0;
  Position position_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FILE_CURSOR_H_
