#include "src/engine/sweep.h"

#include <optional>

namespace mimi::internal {

absl::StatusOr<bool> Sweep::Slice(std::size_t budget,
                                  const std::function<void(std::span<const std::byte>)>& stale) {
  if (cursor_ == nullptr) {
    absl::StatusOr<std::unique_ptr<Cursor>> cursor = store_.Snapshot(table_, wake_);
    if (!cursor.ok()) {
      return cursor.status();
    }
    cursor_ = *std::move(cursor);
  }
  for (std::size_t read = 0; read < budget && !cursor_->done();) {
    absl::StatusOr<std::optional<BatchView>> batch = cursor_->Next();
    if (!batch.ok()) {
      cursor_.reset();
      return batch.status();
    }
    if (!batch->has_value()) {
      break;
    }
    for (const RecordView record : **batch) {
      if (record.op == Op::kPut && record.origin == origin_ && record.version < begin_) {
        stale(record.key);
      }
    }
    read += (*batch)->size();
  }
  return cursor_->done();
}

}  // namespace mimi::internal
