// Replica's way out: the minion's life, from the outbox into it, and what it confirms.

#include <algorithm>
#include <chrono>

#include "src/base/status.h"
#include "src/engine/replica.h"

namespace mimi::internal {
namespace {

constexpr Duration kOfferMin = std::chrono::microseconds(200);
constexpr Duration kOfferMax = std::chrono::milliseconds(2);
constexpr Duration kHealthEvery = std::chrono::milliseconds(100);
constexpr std::size_t kLooksPerBatch = 16384;
constexpr std::size_t kWalkRows = 256;

}  // namespace

void Replica::Warm() {
  warm_at_.reset();
  warmth_ = Warmth::kWarming;
  minion_->Warm([self = self_](const absl::Status& status) {
    if (*self != nullptr) {
      (*self)->OnWarm(status);
    }
  });
}

void Replica::OnWarm(const absl::Status& status) {
  if (warmth_ != Warmth::kWarming) {
    return;
  }
  if (!status.ok()) {
    warmth_ = Warmth::kCold;
    counters_.reason = std::string(Message(status));
    Event("error", fmt::format("{}: cannot warm the sink: {}", schema_.name(), status.ToString()));
    warm_at_ = loop_.now() + warm_backoff_.Next();
    options_.wake();
    return;
  }
  warmth_ = Warmth::kWarm;
  warm_since_ = loop_.now();
  counters_.reason.clear();
  // It may hold anything: all rows are told again, and what it has too much an audit will find.
  MarkAllRows();
  settle_at_ = position_;
  audit_wanted_ = true;
  sparing_ = false;
  spare_ = options_.knows_better && minion_->state().rows > 0;
  if (outbox_.empty()) {
    Land(time_);
  }
  options_.wake();
}

void Replica::LoseMinion(const absl::Status& why) {
  ++counters_.unavailable;
  ++epoch_;
  counters_.reason = std::string(Message(why));
  Event("error",
        fmt::format("{}: the sink may have lost its state: {}", schema_.name(), Message(why)));
  if (now_ - warm_since_ > options_.warm_retry_max) {
    warm_backoff_.Reset();
  }
  warmth_ = Warmth::kCold;
  warm_at_ = now_ + warm_backoff_.Next();
  outbox_.Clear();
  round_.reset();
  spare_ = sparing_ = false;
  landings_.clear();
  offer_at_.reset();
  confirmed_ = 0;
  confirmed_time_.reset();
}

void Replica::WatchHealth() {
  if (now_ < health_at_) {
    return;
  }
  health_at_ = now_ + kHealthEvery;
  const bool healthy = minion_->state().healthy;
  if (healthy && !healthy_ && warmth_ == Warmth::kWarm) {
    LoseMinion(absl::UnavailableError("it was not healthy, and is again"));
  }
  healthy_ = healthy;
}

void Replica::MarkErased(std::span<const std::byte> key, Version version) {
  if (minion_ == nullptr || warmth_ != Warmth::kWarm) {
    return;
  }
  outbox_.set_max_erased(std::max<std::size_t>(kLeastErases, rows_->size()));
  if (!outbox_.MarkErased(key, version)) {
    ++counters_.overflows;
    audit_wanted_ = true;
  }
}

void Replica::MarkAllRows() {
  outbox_.Clear();
  outbox_.MarkAll(rows_->end());
  round_.reset();
}

absl::StatusOr<bool> Replica::WalkSink(AuditVisitor& visitor, std::size_t budget) {
  absl::StatusOr<bool> done = minion_->Audit(visitor, budget);
  walk_begun_ = done.ok() && !*done;
  return done;
}

// A slice of the walk that takes what the data plane holds off the outbox. False: there is more.
bool Replica::SpareHeld() {
  class Held : public AuditVisitor {
   public:
    explicit Held(Replica& replica) : replica_(replica) {}
    void Row(std::span<const std::byte> row) override {
      const auto key = row.first(replica_.schema_.key_size());
      const std::optional<RowMap::Row> ours = replica_.rows_->Find(key);
      if (replica_.resting_) {
        return;
      }
      if (ours.has_value()) {
        replica_.outbox_.UnmarkRow(ours->number);
      } else {
        replica_.outbox_.UnmarkErased(key);  // it began again
      }
    }
    void Finding(std::string_view, std::string_view) override {}

   private:
    Replica& replica_;
  };
  if (!std::exchange(sparing_, true)) {
    resting_ = walk_begun_;
  }
  Held held(*this);
  do {
    const absl::StatusOr<bool> done = WalkSink(held, kWalkRows);
    if (!done.ok()) {
      return true;  // it cannot show what it holds, and is told everything
    }
    if (*done && !std::exchange(resting_, false)) {
      if (outbox_.empty()) {
        Land(time_);
      }
      return true;
    }
  } while (loop_.now() < slice_end_);
  return false;
}

bool Replica::MayDrain() {
  if (warmth_ != Warmth::kWarm || (offer_at_.has_value() && now_ < *offer_at_)) {
    return false;
  }
  offer_at_.reset();  // also where it waits for something else: what is over is no deadline
  if (spare_) {
    if (loading_ || counters_.loads == 0) {
      return false;
    }
    const std::optional<bool> better = sparing_ ? true : options_.knows_better();
    if (!better.has_value() || (*better && !SpareHeld())) {
      return false;
    }
    spare_ = sparing_ = false;
  }
  return true;
}

// True: there is more to send at once.
bool Replica::Drain() {
  if (!MayDrain()) {
    return sparing_ && !offer_at_.has_value();
  }
  while (!outbox_.empty()) {
    if (!round_.has_value()) {
      BeginRound();
    }
    Fill();
    if (!builder_.empty() && !Offer()) {
      return false;
    }
    HaveTaken();
    if (RoundIsOver()) {
      EndRound();
    }
    if (loop_.now() >= slice_end_) {
      return !outbox_.empty();
    }
  }
  return false;
}

void Replica::BeginRound() {
  ++rounds_;
  round_ = Round{.position = Landable(), .time = time_, .erases = outbox_.erased(), .next_row = 0};
}

bool Replica::RoundIsOver() const {
  return round_->erases == 0 && outbox_.NextMarked(round_->next_row) == Outbox::kNone;
}

void Replica::EndRound() {
  const Position now_landable = Landable();
  const Position position =
      outbox_.empty() ? now_landable : std::min(round_->position, now_landable);
  const std::optional<UnixTime> time = outbox_.empty() ? time_ : round_->time;
  landings_.push_back({.ticket = last_ticket_, .position = position, .time = time});
  round_.reset();
}

// Erases first: a row that takes over what an erased one held then finds it free.
void Replica::Fill() {
  builder_.Clear();
  built_rows_.clear();
  built_erases_ = 0;
  if (FillErases()) {
    FillRows();
  }
}

// False: the batch is full.
bool Replica::FillErases() {
  for (; built_erases_ < outbox_.erased() && built_erases_ < kLooksPerBatch; ++built_erases_) {
    const Outbox::Erased& erased = outbox_.erase(built_erases_);
    const auto key = std::as_bytes(std::span(erased.key));
    if (key.empty() || rows_->Find(key).has_value()) {
      continue;  // it came back, and goes with the rows
    }
    if (IsUnconfirmed(key)) {
      ++counters_.held_own;
      continue;
    }
    if (!builder_.AppendVersioned({.op = Op::kErase,
                                   .row = {},
                                   .key = key,
                                   .origin = options_.own,
                                   .version = erased.version})) {
      return false;
    }
  }
  return built_erases_ == outbox_.erased();
}

void Replica::FillRows() {
  for (std::size_t looks = 0; looks < kLooksPerBatch; ++looks) {
    const std::uint32_t number = outbox_.NextMarked(round_->next_row);
    if (number == Outbox::kNone || !FillRow(number)) {
      return;
    }
    round_->next_row = number + 1;
  }
}

// False: the batch is full.
bool Replica::FillRow(std::uint32_t number) {
  bool room = true;
  bool sent = false;
  rows_->Walk(number, 1, [&](const RowMap::Row& row) {
    const auto key = row.row.first(schema_.key_size());
    if (IsUnconfirmed(key)) {
      ++counters_.held_own;
      return;
    }
    room = builder_.AppendVersioned(
        {.op = Op::kPut, .row = row.row, .key = key, .origin = row.origin, .version = row.version});
    sent = room;
  });
  if (sent) {
    built_rows_.push_back(number);
  } else if (room) {
    outbox_.UnmarkRow(number);
  }
  return room;
}

// False: it was not taken.
bool Replica::Offer() {
  const BatchView batch = builder_.Seal(std::max<std::uint64_t>(1, rows_->highest_term()), 1,
                                        time_.value_or(loop_.unix_now()));
  const absl::StatusOr<Position> ticket = minion_->Apply(batch);
  if (ticket.ok()) {
    last_ticket_ = *ticket;
    offer_wait_ = Duration(0);
    counters_.drained += batch.size();
    return true;
  }
  if (ticket.status().code() == absl::StatusCode::kResourceExhausted) {
    if (!built_rows_.empty()) {
      round_->next_row = built_rows_.front();
    }
    WaitForRoom();
    return false;
  }
  if (ticket.status().code() == absl::StatusCode::kUnavailable) {
    LoseMinion(ticket.status());
    return false;
  }
  ++counters_.rejected;
  counters_.reason = ticket.status().ToString();
  Event("error", fmt::format("{}: the sink refused a batch: {}", schema_.name(), counters_.reason));
  return true;  // for good: the same again would be refused again
}

void Replica::HaveTaken() {
  for (const std::uint32_t number : built_rows_) {
    outbox_.UnmarkRow(number);
  }
  outbox_.PopErased(built_erases_);
  round_->erases -= std::min(round_->erases, built_erases_);
}

void Replica::WaitForRoom() {
  offer_wait_ = std::clamp(offer_wait_ * 2, kOfferMin, kOfferMax);
  offer_at_ = now_ + offer_wait_;
}

// Once all that was sent by now has arrived, the feed is confirmed this far.
void Replica::Land(std::optional<UnixTime> time) {
  if (minion_ == nullptr) {
    landings_.push_back({.ticket = 0, .position = Landable(), .time = time});
    ReadConfirmed();
    return;
  }
  if (!landings_.empty() && landings_.back().ticket == last_ticket_ && !time.has_value()) {
    landings_.back().position = Landable();
    return;
  }
  landings_.push_back({.ticket = last_ticket_, .position = Landable(), .time = time});
}

void Replica::ReadConfirmed() {
  if (landings_.empty()) {
    return;
  }
  const Position arrived = minion_ == nullptr ? 0 : minion_->confirmed();
  while (!landings_.empty() && landings_.front().ticket <= arrived) {
    const Landing& landing = landings_.front();
    confirmed_ = std::max(confirmed_, landing.position);
    if (landing.time.has_value()) {
      confirmed_time_ = landing.time;
      sample_at_ = now_ + kSilence;
      staleness_.Add(loop_.unix_now() - *landing.time, now_);
    }
    landings_.pop_front();
  }
}

}  // namespace mimi::internal
