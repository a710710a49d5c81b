#include "src/engine/replica.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr Duration kConfirmEvery = std::chrono::milliseconds(1);
constexpr Duration kSampleEvery = std::chrono::milliseconds(100);
constexpr std::uint32_t kRowsPerStep = 1024;
constexpr std::size_t kUpkeepPerTick = 256;
constexpr std::uint8_t kMarks = 15;

}  // namespace

Replica::Replica(const StateSchema& schema, Minion* minion, Loop& loop, ReplicaOptions options)
    : schema_(schema),
      minion_(minion),
      loop_(loop),
      options_(std::move(options)),
      rows_(std::make_unique<RowMap>(schema, RowMap::Limits{.max_rows = options_.max_rows})),
      warm_backoff_(options_.warm_retry_min, options_.warm_retry_max, options_.seed),
      self_(std::make_shared<Replica*>(this)),
      outbox_(kLeastErases),
      builder_(schema, options_.own) {
  if (!options_.wake) {
    options_.wake = [] {
    };
  }
  if (minion_ == nullptr) {
    warmth_ = Warmth::kWarm;
  }
}

Replica::~Replica() {
  *self_ = nullptr;
}

void Replica::Start() {
  now_ = loop_.now();
  if (minion_ != nullptr && warmth_ == Warmth::kCold) {
    healthy_ = minion_->state().healthy;
    Warm();
  }
}

bool Replica::Tick(MonotonicTime now) {
  now_ = now;
  slice_end_ = now + options_.slice;
  bool more = false;
  if (minion_ != nullptr) {
    WatchHealth();
    if (warm_at_.has_value() && now >= *warm_at_) {
      Warm();
    }
  }
  if (drop_at_.has_value()) {
    more = DropUnmentioned();
  }
  more = Drain() || more;
  ReadConfirmed();
  SampleSilence();
  rows_->Expire(now, ~Position{0}, kUpkeepPerTick);
  rows_->Work(kUpkeepPerTick);
  return more;
}

std::optional<MonotonicTime> Replica::NextDeadline() const {
  if (minion_ == nullptr) {
    return std::nullopt;
  }
  MonotonicTime next = health_at_;
  if (warm_at_.has_value()) {
    next = std::min(next, *warm_at_);
  }
  if (offer_at_.has_value() && !outbox_.empty()) {
    next = std::min(next, *offer_at_);
  }
  if (!landings_.empty()) {
    next = std::min(next, now_ + kConfirmEvery);
  }
  return next;
}

void Replica::OnOtherIncarnation() {
  if (old_rows_ == nullptr) {
    old_rows_ = std::move(rows_);
  } else {
    audit_wanted_ = true;  // what the load that came to nothing brought is in no set of rows
  }
  rows_ = std::make_unique<RowMap>(schema_, RowMap::Limits{.max_rows = options_.max_rows});
  outbox_
      .Clear();  // row numbers mean nothing any more; the end of the load tells what is to be erased
  round_.reset();
  landings_.clear();
  position_ = 0;
  confirmed_ = 0;
  load_base_ = 0;
  settle_at_ = 0;
}

void Replica::OnLoadBegin(Position at) {
  ++epoch_;
  if (!loading_) {
    load_base_ = position_;
  }
  loading_ = true;
  drop_at_.reset();
  mark_ = static_cast<std::uint8_t>(mark_ % kMarks + 1);
  rows_->set_mark(mark_);
  position_ = at;
  sparing_ = false;
  spare_ = spare_ || (options_.knows_better && counters_.loads > 0 && warmth_ == Warmth::kWarm);
}

void Replica::OnBatch(const BatchView& batch, Position after, bool snapshot) {
  now_ = loop_.now();
  position_ = after;
  const bool own = options_.own != 0 && batch.origin() == options_.own;
  std::optional<UnixTime> time;
  if (!snapshot) {
    own_writes_ = own;
    if (!own) {
      time = time_ = batch.time();
    }
  }
  if (!batch.empty() && !rows_->CanApply(batch)) {
    ++counters_.malformed;
    counters_.reason = "a batch in the feed does not fit the table";
    return;
  }
  outcomes_.resize(std::max(outcomes_.size(), batch.size()));
  const RowMap::Counts counts =
      rows_->Apply(batch, now_, after, std::span(outcomes_).first(batch.size()));
  Count(counts);
  if (warmth_ != Warmth::kWarm) {
    return;  // all will be told when it is
  }
  if (minion_ != nullptr && !batch.empty()) {
    if (CanPassOn(batch, counts, snapshot) && PassOn(batch, time)) {
      return;
    }
    if (warmth_ == Warmth::kWarm) {
      MarkBatch(batch, snapshot);
    }
  }
  if (warmth_ == Warmth::kWarm && outbox_.empty()) {
    Land(time);
  }
}

void Replica::Count(const RowMap::Counts& counts) {
  counters_.applied += counts.inserted + counts.replaced + counts.erased;
  counters_.stale += counts.stale;
  counters_.table_full += counts.table_full;
}

// Whether any record is the box's own, or of a key about which the box knows something newer.
bool Replica::ConcernsOwn(const BatchView& batch) const {
  if (options_.own == 0) {
    return false;
  }
  return std::any_of(batch.begin(), batch.end(), [&](const RecordView& record) {
    return record.origin == options_.own || IsUnconfirmed(record.key);
  });
}

// While the data plane is compared, what comes live is newer than all that is marked, and would be
// taken for something that the data plane knows better.
bool Replica::CanPassOn(const BatchView& batch, const RowMap::Counts& counts, bool snapshot) const {
  const bool next = spare_ ? !snapshot : outbox_.empty();
  return next && !offer_at_.has_value() && counts.stale == 0 && counts.table_full == 0 &&
         batch.fingerprint() == schema_.fingerprint() && !ConcernsOwn(batch);
}

// False: the minion did not take it, and its keys must be marked.
bool Replica::PassOn(const BatchView& batch, std::optional<UnixTime> time) {
  const absl::StatusOr<Position> ticket = minion_->Apply(batch);
  if (ticket.ok()) {
    last_ticket_ = *ticket;
    counters_.passed_on += batch.size();
    if (outbox_.empty()) {
      Land(time);
    }
    return true;
  }
  if (ticket.status().code() == absl::StatusCode::kResourceExhausted) {
    WaitForRoom();
    return false;
  }
  if (ticket.status().code() == absl::StatusCode::kUnavailable) {
    LoseMinion(ticket.status());
    return true;
  }
  ++counters_.rejected;
  audit_wanted_ = true;
  counters_.reason = ticket.status().ToString();
  Event("error", fmt::format("{}: the sink refused a batch: {}", schema_.name(), counters_.reason));
  Land(time);
  return true;
}

// The keys of a batch that was applied to the rows. What the rows say about a key when its turn
// comes is what will be sent, so only whether there is a row matters here.
void Replica::MarkBatch(const BatchView& batch, bool snapshot) {
  // Once the traffic has left a box, its data plane was put right with what the store had then:
  // what the box wrote itself, and comes only now, may have been taken for too much.
  const bool has_own = !snapshot && !(options_.knows_better && options_.knows_better() == false);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (outcomes_[i] == RowMap::Outcome::kStale || outcomes_[i] == RowMap::Outcome::kTableFull) {
      continue;
    }
    const RecordView record = batch[i];
    const std::optional<RowMap::Row> row = rows_->Find(record.key);
    if (options_.own != 0 && record.origin == options_.own && has_own) {
      if (row.has_value() && row->version == record.version) {
        outbox_.UnmarkRow(row->number);  // the box itself has what is newest
      }
    } else if (row.has_value()) {
      outbox_.MarkRow(row->number);
    } else {
      MarkErased(record.key, record.version);
    }
  }
}

void Replica::OnLoadEnd() {
  drop_at_ = 0;
  options_.wake();
}

void Replica::OnReached(Position position) {
  if (position == position_) {
    return;
  }
  position_ = position;
  if (warmth_ == Warmth::kWarm && outbox_.empty()) {
    Land(std::nullopt);
  }
}

// One step of dropping what the load did not mention. True: there is more.
bool Replica::DropUnmentioned() {
  do {
    if (old_rows_ != nullptr) {
      DropFromOld();
      continue;
    }
    dropping_.clear();
    drop_at_ = rows_->Walk(*drop_at_, kRowsPerStep, [&](const RowMap::Row& row) {
      if (row.mark != mark_) {
        const auto key = row.row.first(schema_.key_size());
        dropping_.emplace_back(std::string(reinterpret_cast<const char*>(key.data()), key.size()),
                               row.version);
      }
    });
    for (const auto& [text, version] : dropping_) {
      const auto key = std::as_bytes(std::span(text));
      rows_->Forget(key);
      MarkErased(key, version);
      ++counters_.dropped;
    }
    if (*drop_at_ >= rows_->end()) {
      EndDrop();
    }
  } while (drop_at_.has_value() && loop_.now() < slice_end_);
  return drop_at_.has_value();
}

void Replica::DropFromOld() {
  drop_at_ = old_rows_->Walk(*drop_at_, kRowsPerStep, [&](const RowMap::Row& row) {
    const auto key = row.row.first(schema_.key_size());
    if (rows_->Find(key).has_value()) {
      return;
    }
    if (active_) {
      return;  // an audit tells, when the traffic is gone
    }
    MarkErased(key, row.version);
    ++counters_.dropped;
  });
  if (*drop_at_ >= old_rows_->end()) {
    old_rows_.reset();
    EndDrop();
  }
}

void Replica::EndDrop() {
  drop_at_.reset();
  loading_ = false;
  ++counters_.loads;
  settle_at_ = position_;
  if (warmth_ == Warmth::kWarm && outbox_.empty()) {
    Land(time_);
  }
  Event("load",
        fmt::format("{}: {} rows at position {}", schema_.name(), rows_->size(), position_));
}

// While nothing arrives, staleness grows all the same: without this a store that hangs would look
// as fresh as ever.
void Replica::SampleSilence() {
  if (!confirmed_time_.has_value() || own_writes_ || now_ < sample_at_) {
    return;
  }
  staleness_.Add(loop_.unix_now() - *confirmed_time_, now_);
  sample_at_ = now_ + kSampleEvery;
}

bool Replica::settled() const {
  return counters_.loads > 0 && !loading_ && warmth_ == Warmth::kWarm && confirmed_ >= settle_at_;
}

bool Replica::TakeAuditWish() {
  return settled() && std::exchange(audit_wanted_, false);
}

void Replica::Repair(std::span<const std::byte> key) {
  if (minion_ == nullptr || warmth_ != Warmth::kWarm) {
    return;
  }
  if (const std::optional<RowMap::Row> row = rows_->Find(key); row.has_value()) {
    outbox_.MarkRow(row->number);
  } else {
    MarkErased(key, rows_->FindVersion(key).value_or(Version()));
  }
}

void Replica::Retell(std::span<const std::byte> key) {
  audit_wanted_ = true;
  if (rows_->Find(key).has_value()) {
    Repair(key);
  }
}

bool Replica::InFlight(std::span<const std::byte> key) {
  if (loading_ || warmth_ != Warmth::kWarm || outbox_.IsErased(key) || IsUnconfirmed(key)) {
    return true;
  }
  const std::optional<RowMap::Row> row = rows_->Find(key);
  return row.has_value() && outbox_.IsMarked(row->number);
}

bool Replica::IsUnconfirmed(std::span<const std::byte> key) const {
  return options_.own != 0 && options_.unconfirmed && options_.unconfirmed(key);
}

ReplicaState Replica::state() const {
  ReplicaState state = counters_;
  state.warm = warmth_ == Warmth::kWarm;
  state.loading = loading_ || (state.warm && confirmed_ < settle_at_);
  state.rows = rows_->size();
  state.waiting = outbox_.size();
  state.position = position_;
  state.confirmed = confirmed_;
  state.staleness_p50 = staleness_.Quantile(0.5);
  state.staleness_p99 = staleness_.Quantile(0.99);
  state.staleness_max = staleness_.Max();
  if (confirmed_time_.has_value() && !own_writes_) {
    state.staleness = std::max(Duration(0), Duration(loop_.unix_now() - *confirmed_time_));
    if (*state.staleness > kSilence) {
      state.staleness_max = std::max(state.staleness_max, *state.staleness);
    }
  }
  state.memory_bytes = rows_->memory_bytes() + outbox_.memory_bytes() +
                       (old_rows_ == nullptr ? 0 : old_rows_->memory_bytes());
  return state;
}

void Replica::Event(std::string_view kind, const std::string& detail) const {
  if (options_.on_event) {
    options_.on_event(kind, detail);
  }
}

}  // namespace mimi::internal
