#include "src/publish/sweep.h"

#include <utility>

namespace mimi {
namespace {

// Batches looked through in one tick: a fraction of a millisecond.
constexpr int kTickBatches = 4;

}  // namespace

void Sweep::Begin(Version begin) {
  begin_ = begin;
  snapshot_.reset();
  batch_.reset();
}

bool Sweep::Tick(Pump& pump) {
  if (!pump.sweeping()) {
    snapshot_.reset();  // it ended, or a new round or term has cancelled it
    batch_.reset();
    return false;
  }
  if (store_ == nullptr) {
    return pump.FinishResync();
  }
  if (snapshot_ == nullptr) {
    absl::StatusOr<std::unique_ptr<Cursor>> cursor = store_->Snapshot(table_, [] {});
    if (!cursor.ok()) {
      return false;  // the store is away; again at the next tick
    }
    snapshot_ = *std::move(cursor);
  }
  for (int i = 0; i < kTickBatches; ++i) {
    if (!SweepBatch(pump)) {
      return false;
    }
    absl::StatusOr<std::optional<BatchView>> batch = snapshot_->Next();
    if (!batch.ok()) {
      snapshot_.reset();  // from the beginning; erasing a row twice changes nothing
      batch_.reset();
      return false;
    }
    batch_ = *batch;
    next_ = 0;
    if (!batch_.has_value()) {
      return snapshot_->done() && pump.FinishResync();
    }
  }
  return false;
}

bool Sweep::SweepBatch(Pump& pump) {
  for (; batch_.has_value() && next_ < batch_->size(); ++next_) {
    const RecordView record = (*batch_)[next_];
    if (record.op == Op::kPut && record.origin == origin_ && record.version < begin_ &&
        !pump.SweepErase(record.key)) {
      return false;
    }
  }
  return true;
}

}  // namespace mimi
