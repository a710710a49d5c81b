#include "mimi/publisher.h"

#include <memory>
#include <optional>
#include <utility>

#include "mimi/store.h"

#include "src/base/status.h"
#include "src/publish/pump.h"

namespace mimi {
namespace {

// A pump, and for the end of its resyncs a look through the store.
class PumpPublisher final : public Publisher, private PumpOwner {
 public:
  PumpPublisher(const StateSchema& schema, Origin origin, StateStore* sweep)
      : schema_(schema), origin_(origin), store_(sweep) {}

  absl::Status Init(StateSink& sink, const Clock& clock, const PublisherOptions& options) {
    absl::StatusOr<std::unique_ptr<Pump>> pump =
        Pump::New(schema_, origin_, sink, clock, *this, options);
    if (!pump.ok()) {
      return pump.status();
    }
    pump_ = *std::move(pump);
    return absl::OkStatus();
  }

  absl::StatusOr<Lane*> OpenLane() override { return pump_->OpenLane(); }
  absl::Status SetTerm(std::uint64_t term) override { return pump_->SetTerm(term); }
  void Mute() override { pump_->Mute(); }
  absl::Status status() const override { return pump_->status(); }
  void set_rows(std::size_t rows) override { pump_->set_rows(rows); }
  void WantResync() override { pump_->WantResync(); }

  void Tick(MonotonicTime now) override {
    pump_->Tick(now);
    if (pump_->sweeping()) {
      Sweep();
    } else {
      snapshot_.reset();
    }
  }
  MonotonicTime NextDeadline() const override { return pump_->NextDeadline(); }
  int WakeFd() const override { return pump_->WakeFd(); }
  PublisherStats stats() const override { return pump_->stats(); }

 private:
  // Batches looked through in one tick: a fraction of a millisecond.
  static constexpr int kTickBatches = 4;

  void OnResyncWalked(Version begin) override {
    begin_ = begin;
    snapshot_.reset();
    have_ = std::nullopt;
    next_ = 0;
  }

  void Sweep() {
    if (store_ == nullptr) {
      pump_->FinishResync();
      return;
    }
    if (snapshot_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Cursor>> cursor = store_->Snapshot(schema_.table(), [] {});
      if (!cursor.ok()) {
        return;  // the store is away; again at the next tick
      }
      snapshot_ = *std::move(cursor);
      have_ = std::nullopt;
    }
    for (int i = 0; i < kTickBatches; ++i) {
      if (!SweepBatch()) {
        return;
      }
      absl::StatusOr<std::optional<BatchView>> batch = snapshot_->Next();
      if (!batch.ok()) {
        snapshot_.reset();  // from the beginning; erasing a row twice changes nothing
        return;
      }
      have_ = *batch;
      next_ = 0;
      if (!have_) {
        if (snapshot_->done()) {
          pump_->FinishResync();
        }
        return;
      }
    }
  }

  // What is left of the batch at hand. False: the pump has no room.
  bool SweepBatch() {
    for (; have_ && next_ < have_->size(); ++next_) {
      const RecordView record = (*have_)[next_];
      if (record.op == Op::kPut && record.origin == origin_ && record.version < begin_ &&
          !pump_->SweepErase(record.key)) {
        return false;
      }
    }
    return true;
  }

  StateSchema schema_;
  Origin origin_;
  StateStore* store_;
  std::unique_ptr<Pump> pump_;
  Version begin_;
  std::unique_ptr<Cursor> snapshot_;
  std::optional<BatchView> have_;
  std::size_t next_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> NewPublisher(const StateSchema& schema, Origin origin,
                                                        StateSink& sink, const Clock& clock,
                                                        PublisherOptions options) {
  auto publisher = std::make_unique<PumpPublisher>(schema, origin, options.sweep);
  if (absl::Status status = publisher->Init(sink, clock, options); !status.ok()) {
    return status;
  }
  return publisher;
}

}  // namespace mimi
