#include "src/service/row_stream.h"

#include <utility>

#include "mimi/json.h"

namespace mimi::service {

RowStream::RowStream(const StateSchema& schema, std::uint64_t limit, StateStore& store, Loop& loop,
                     Sink sink)
    : schema_(schema), limit_(limit), store_(store), loop_(loop), sink_(std::move(sink)) {
  ContinueSoon();
}

void RowStream::ContinueSoon() {
  if (std::exchange(posted_, true)) {
    return;
  }
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      posted_ = false;
      Continue();
    }
  });
}

void RowStream::Finish(const absl::Status& status) {
  finished_ = true;
  cursor_.reset();
  sink_.done(status, rows_);  // may destroy this
}

void RowStream::Continue() {
  if (finished_) {
    return;
  }
  if (cursor_ == nullptr) {
    auto cursor = store_.Snapshot(schema_.table(), [this, alive = alive_] {
      if (*alive) {
        ContinueSoon();
      }
    });
    if (!cursor.ok()) {
      Finish(cursor.status());
      return;
    }
    cursor_ = *std::move(cursor);
  }
  const MonotonicTime until = loop_.now() + std::chrono::milliseconds(1);
  while (sink_.room()) {
    if (!WriteBatch()) {
      return;
    }
    if (loop_.now() > until) {
      ContinueSoon();
      return;
    }
  }
}

// False: nothing more now, or ever.
bool RowStream::WriteBatch() {
  const absl::StatusOr<std::optional<BatchView>> batch = cursor_->Next();
  if (!batch.ok()) {
    Finish(batch.status());
    return false;
  }
  if (!batch->has_value()) {
    if (cursor_->done()) {
      Finish(absl::OkStatus());
    }
    return false;
  }
  for (const RecordView record : **batch) {
    if (record.op != Op::kPut) {
      continue;
    }
    sink_.row(RowToJson(schema_, record.row));
    if (++rows_ == limit_) {
      Finish(absl::OkStatus());
      return false;
    }
  }
  return true;
}

}  // namespace mimi::service
