#include "mimi/publisher.h"

#include <memory>
#include <utility>

#include "mimi/store.h"

#include "src/base/status.h"
#include "src/publish/pump.h"
#include "src/publish/sweep.h"

namespace mimi {
namespace {

// A pump, and for the end of its resyncs a look through the store.
class PumpPublisher final : public Publisher, private PumpOwner {
 public:
  PumpPublisher(const StateSchema& schema, Origin origin, StateStore* sweep)
      : schema_(schema), origin_(origin), sweep_(schema.table(), origin, sweep) {}

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
    sweep_.Tick(*pump_);
  }
  MonotonicTime NextDeadline() const override { return pump_->NextDeadline(); }
  int WakeFd() const override { return pump_->WakeFd(); }
  PublisherStats stats() const override { return pump_->stats(); }

 private:
  void OnResyncWalked(Version begin) override { sweep_.Begin(begin); }

  StateSchema schema_;
  Origin origin_;
  Sweep sweep_;
  std::unique_ptr<Pump> pump_;
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
