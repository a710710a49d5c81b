#include "src/engine/source.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

// Rows that one tick may age.
constexpr std::size_t kAgeSlice = 2048;
constexpr Duration kDriverRetry = std::chrono::seconds(1);
// Between two times that the same reason not to start is told.
constexpr Duration kDriverToldEvery = std::chrono::minutes(10);
// What a source that cannot be walked has missed has come to its end, or aged, by then.
constexpr Duration kUnrepaired = std::chrono::hours(1);
constexpr Duration kCountRowsEvery = std::chrono::milliseconds(50);

Coverage Both(const Coverage& a, const Coverage& b) {
  return {.begins = a.begins && b.begins,
          .ends = a.ends && b.ends,
          .walkable = a.walkable && b.walkable,
          .complete = a.complete && b.complete,
          .limits = a.limits.empty() ? b.limits : a.limits};
}

}  // namespace

Source::Source(const StateSchema& schema, Options options, StateStore& store, Loop& loop)
    : schema_(schema),
      options_(std::move(options)),
      store_(store),
      loop_(loop),
      sweep_(schema.table(), options_.origin, &store) {
}

Source::~Source() {
  StopDriver();
}

absl::StatusOr<std::unique_ptr<Source>> Source::New(const StateSchema& schema, Options options,
                                                    StateStore& store, Loop& loop) {
  std::unique_ptr<Source> source(new Source(schema, std::move(options), store, loop));
  absl::StatusOr<std::unique_ptr<Pump>> pump =
      Pump::New(schema, source->options_.origin, store, loop, *source, source->options_.publish);
  if (!pump.ok()) {
    return pump.status();
  }
  source->pump_ = *std::move(pump);
  if (!source->coverage().ends) {
    source->ager_ = Ager::For(schema, source->options_.age_field);
    source->aged_ = std::make_unique<BatchBuilder>(schema, source->options_.origin);
  }
  return source;
}

void Source::StartDriver(MonotonicTime now) {
  if (options_.driver == nullptr || driver_started_) {
    return;
  }
  absl::Status status = options_.driver->Start(*this);
  const bool told = status == driver_status_ && now < driver_tell_at_;
  driver_status_ = std::move(status);
  if (!driver_status_.ok()) {
    if (!told) {
      options_.emit("error", fmt::format("{}: the driver cannot start: {}", schema_.name(),
                                         Message(driver_status_)));
      driver_tell_at_ = now + kDriverToldEvery;
    }
    driver_retry_at_ = now + kDriverRetry;
    return;
  }
  driver_started_ = true;
  driver_retry_at_ = {};
  // A source that cannot be walked must not be waited for.
  const Coverage coverage = options_.driver->coverage();
  pump_->set_direct(coverage.walkable);
  pump_->set_direct_ends_sure(coverage.ends && coverage.ends_in_packets);
}

void Source::StopDriver() {
  if (driver_started_) {
    options_.driver->Stop();
    driver_started_ = false;
  }
}

absl::Status Source::SetTerm(std::uint64_t term, bool resync) {
  const absl::Status set = pump_->SetTerm(term);
  if (set.ok() && resync && walkable()) {
    pump_->WantResync();
  }
  return set;
}

void Source::Mute() {
  pump_->Mute();
}

absl::StatusOr<Position> Source::Apply(const BatchView& draft) {
  const absl::Status offered = pump_->Offer(draft);
  if (!offered.ok()) {
    return offered;
  }
  if (options_.wake) {  // an idle pump is up to 10 ms away from its next tick
    options_.wake();
  }
  return ++applied_;
}

void Source::OnResyncWanted() {
  if (!driver_started_) {
    return;
  }
  const absl::Status asked = options_.driver->Resync();
  if (!asked.ok()) {
    options_.emit("error",
                  fmt::format("{}: the driver cannot resync: {}", schema_.name(), Message(asked)));
  }
}

void Source::OnResyncWalked(Version begin) {
  sweep_.Begin(begin);
}

void Source::WatchDriver(MonotonicTime now) {
  if (options_.driver == nullptr) {
    return;
  }
  if (!driver_started_) {
    if (driver_retry_at_ != MonotonicTime{} && now >= driver_retry_at_) {
      StartDriver(now);
    }
    return;
  }
  const DriverState state = options_.driver->state();
  if (state.lost > driver_lost_) {
    driver_lost_ = state.lost;
    lost_at_ = now;
    if (walkable()) {
      pump_->WantResync();
    }
  }
}

// What a burst of erases is a share of (EraseHold). Lanes do not count their rows; the store does,
// all tables of the pair together, and one is as good as all of it.
void Source::CountRows(MonotonicTime now) {
  if (now < count_rows_at_) {
    return;
  }
  count_rows_at_ = now + kCountRowsEvery;
  const std::uint64_t known = rows();
  const StoreState store = store_.state();
  pump_->set_rows(static_cast<std::size_t>(known != 0 ? known : store.rows));
  if (store.missing_fit > 0) {
    pump_->WantResync();  // what a full table left out finds room now
  }
}

void Source::OnLoadBegin(Position /*position*/) {
}

void Source::OnBatch(const BatchView& batch, Position /*after*/, bool /*snapshot*/) {
  const MonotonicTime now = loop_.now();
  for (const RecordView record : batch) {
    if (record.op == Op::kPut) {
      ager_->Put(record.row, now);
    } else {
      ager_->Erase(record.key);
    }
  }
}

void Source::Age(MonotonicTime now) {
  if (!ager_.has_value() || pump_->stats().term == 0) {
    return;
  }
  ager_->Expire(now, kAgeSlice, [this](std::span<const std::byte> key) {
    if (!aged_->Erase(key)) {
      // An erase is never refused for back-pressure, so the builder is empty again after this.
      (void)pump_->Offer(aged_->Draft());
      aged_->Clear();
      (void)aged_->Erase(key);
    }
  });
  if (!aged_->empty()) {
    (void)pump_->Offer(aged_->Draft());
    aged_->Clear();
  }
}

void Source::Tick(MonotonicTime now) {
  WatchDriver(now);
  CountRows(now);
  Age(now);
  pump_->Tick(now);
  if (sweep_.Tick(*pump_)) {
    options_.emit("resync", fmt::format("{}: complete", schema_.name()));
  }
  const std::uint64_t lost_now = lost();
  if (lost_now != reported_lost_) {
    options_.emit(
        "lost",
        fmt::format("{}: {} more lost, {} in all; a resync follows if the source can be walked",
                    schema_.name(), lost_now - reported_lost_, lost_now));
    reported_lost_ = lost_now;
    if (pump_->stats().term == 0 && options_.on_lost_unwritten) {
      options_.on_lost_unwritten();
    }
  }
}

MonotonicTime Source::NextDeadline() const {
  MonotonicTime next = pump_->NextDeadline();
  if (driver_retry_at_ != MonotonicTime{}) {
    next = std::min(next, driver_retry_at_);
  }
  return next;
}

Coverage Source::coverage() const {
  return options_.driver == nullptr ? options_.lane_coverage
                                    : Both(options_.driver->coverage(), options_.lane_coverage);
}

bool Source::healthy() const {
  return options_.driver == nullptr || (driver_started_ && options_.driver->state().healthy);
}

void Source::Assess(bool writing, ReadinessFindings* findings) const {
  if (options_.driver != nullptr && !driver_started_) {
    findings->Add(Readiness::kBlind, fmt::format("{}: driver not running: {}", schema_.name(),
                                                 Message(driver_status_)));
  } else if (!healthy()) {
    findings->Add(Readiness::kDegraded,
                  fmt::format("{}: {}", schema_.name(), options_.driver->state().reason));
  }
  if (!coverage().begins) {
    findings->Add(Readiness::kBlind, fmt::format("{}: live flows are not seen", schema_.name()));
  }
  if (writing && pump_->stats().resync_wanted) {
    findings->Add(Readiness::kSyncing, fmt::format("{}: resync", schema_.name()));
  }
  if (!walkable() && driver_lost_ != 0 && loop_.now() - lost_at_ < kUnrepaired) {
    findings->Add(Readiness::kDegraded,
                  fmt::format("{}: lost, and the source cannot be walked", schema_.name()));
  }
}

// A driver that cannot walk is never asked to: nobody would answer.
bool Source::walkable() const {
  return options_.driver == nullptr || options_.driver->coverage().walkable;
}

bool Source::syncing() const {
  const PublisherStats stats = pump_->stats();
  return stats.resyncing || stats.resync_wanted;
}

std::uint64_t Source::lost() const {
  return pump_->stats().lost() + driver_lost_;
}

std::uint64_t Source::rows() const {
  return options_.driver == nullptr ? 0 : options_.driver->state().rows;
}

}  // namespace mimi::internal
