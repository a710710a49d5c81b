#include "src/engine/pipeline.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"
#include "src/engine/controller.h"

namespace mimi::internal {

Pipeline::Pipeline(Options options, StateStore& store, Loop& loop, const ControlBoard& board,
                   std::vector<std::unique_ptr<Source>> sources)
    : options_(std::move(options)),
      store_(store),
      loop_(loop),
      board_(board),
      sources_(std::move(sources)),
      origin_(OriginOf(options_.node)),
      backoff_(options_.retry_min, options_.retry_max, options_.seed) {
  if (!options_.on_overtaken) {
    options_.on_overtaken = [](TableId, std::span<const std::byte>) {
    };
  }
}

void Pipeline::Start() {
  const MonotonicTime now = loop_.now();
  for (const auto& source : sources_) {
    source->StartDriver(now);
  }
  OpenTables();
}

void Pipeline::StopDrivers() {
  for (const auto& source : sources_) {
    source->StopDriver();
  }
}

void Pipeline::OpenTables() {
  state_ = State::kOpening;
  problem_ = absl::OkStatus();
  opens_pending_ = sources_.size();
  for (const auto& source : sources_) {
    store_.Open(source->schema(),
                [this, alive = std::weak_ptr<bool>(alive_)](const absl::Status& status) {
                  if (!alive.expired()) {
                    OnOpened(status);
                  }
                });
  }
}

void Pipeline::OnOpened(const absl::Status& status) {
  if (!status.ok()) {
    problem_ = status;
  }
  if (--opens_pending_ > 0) {
    return;
  }
  if (problem_.ok()) {
    state_ = State::kStandby;
    opened_in_ = store_.state().incarnation;
    backoff_.Reset();
    return;
  }
  options_.emit("error", fmt::format("{}: cannot open its tables: {}", SideName(options_.side),
                                     Message(problem_)));
  RetryLater(loop_.now());
}

void Pipeline::RetryLater(MonotonicTime now) {
  retry_at_ = now + backoff_.Next();
}

// Exclusive: only whom the control table names, and only when no other box's claim stands. A box
// that reboots in the middle of an unplanned move finds the manager's claim for the other box, and
// waits for the move to be committed one way or the other.
bool Pipeline::WantsToWrite() const {
  if (!board_.loaded() || !options_.may_begin()) {
    return false;
  }
  const StoreState store = store_.state();
  if (!store.available) {
    return false;
  }
  const bool unclaimed = store.term == 0;
  const bool ours = store.claimant == origin_;
  if (options_.shared_claims) {
    if (unclaimed || ours) {
      return ours || options_.side == Side::kPrimary;
    }
    return std::any_of(sources_.begin(), sources_.end(),
                       [](const auto& source) { return source->pump().stats().pending > 0; });
  }
  // A replaced repository knows no wanted row until a manager writes it again. Were it the
  // primary's then by default, what the primary last knew would come over the flows of a minion
  // with traffic.
  const PairRow* wanted = board_.last_wanted();
  const bool asked =
      wanted == nullptr ? options_.side == Side::kPrimary : MayClaim(*wanted, options_.side);
  return asked && (unclaimed || ours);
}

// Whether a claim of ours still stands as far as can be told from here; the store's fence has the
// last word.
bool Pipeline::MayGoOn() const {
  const StoreState store = store_.state();
  if (!store.available) {
    return true;
  }
  return !StoreReplaced() && (store.claimant == origin_ || store.term <= term_);
}

// By one that does not know our claim.
bool Pipeline::StoreReplaced() const {
  const StoreState store = store_.state();
  return store.available && store.incarnation != 0 && incarnation_ != 0 &&
         store.incarnation != incarnation_;
}

void Pipeline::Claim() {
  state_ = State::kClaiming;
  const StoreState store = store_.state();
  const ClaimRequest request{
      .origin = origin_,
      .mode = options_.shared_claims ? ClaimMode::kShared : ClaimMode::kExclusive,
      .floor = std::max(highest_term_, board_.highest_term()),
      .expected = store.term,
  };
  store_.Claim(request,
               [this, incarnation = store.incarnation,
                alive = std::weak_ptr<bool>(alive_)](const absl::StatusOr<Claimed>& claimed) {
                 if (!alive.expired()) {
                   OnClaimed(incarnation, claimed);
                 }
               });
}

void Pipeline::OnClaimed(std::uint64_t incarnation, const absl::StatusOr<Claimed>& claimed) {
  if (!claimed.ok()) {
    state_ = State::kStandby;
    problem_ = claimed.status();
    RetryLater(loop_.now());
    return;
  }
  const bool store_replaced = incarnation_ != 0 && incarnation != incarnation_;
  // Erases that were dropped for want of a term may have been of rows of ours.
  std::uint64_t dropped = 0;
  for (const auto& source : sources_) {
    const PublisherStats stats = source->pump().stats();
    dropped += stats.muted_erases + stats.dropped_erases;
  }
  const bool resync = !ever_claimed_ || store_replaced || dropped != dropped_erases_;
  dropped_erases_ = dropped;
  incarnation_ = incarnation;
  ever_claimed_ = true;
  problem_ = absl::OkStatus();
  backoff_.Reset();
  retry_at_ = {};
  term_ = claimed->term;
  highest_term_ = std::max(highest_term_, term_);
  state_ = State::kWriting;
  options_.emit("claim", fmt::format("{} writes under term {} from position {}",
                                     SideName(options_.side), term_, claimed->head));
  for (const auto& source : sources_) {
    const absl::Status set = source->SetTerm(term_, resync);
    if (!set.ok()) {
      options_.emit("error", fmt::format("{}: {}", source->schema().name(), Message(set)));
      StandBy("error", "the term was refused");
      return;
    }
  }
}

void Pipeline::StandBy(std::string_view kind, std::string_view why) {
  if (state_ != State::kWriting) {
    return;
  }
  options_.emit(
      kind, fmt::format("{} stops writing under term {}: {}", SideName(options_.side), term_, why));
  state_ = State::kStandby;
  term_ = 0;
  for (const auto& source : sources_) {
    source->Mute();
  }
  RetryLater(loop_.now());
}

// True once for each time that another box has become the writer.
bool Pipeline::Overtaken() {
  if (options_.shared_claims) {
    const StoreState store = store_.state();
    const bool other = store.available && store.claimant != 0 && store.claimant != origin_;
    return other && std::exchange(overtaken_term_, store.term) != store.term;
  }
  const PairRow* wanted = board_.last_wanted();
  const Side other = OtherSide(options_.side);
  return wanted != nullptr && wanted->phase == StablePhase(other) && wanted->writer == other &&
         std::exchange(overtaken_at_, wanted->since) != wanted->since;
}

// What the control table says of this box while it does not write.
void Pipeline::FollowBoard() {
  if (!board_.loaded() || (state_ != State::kStandby && state_ != State::kOpening)) {
    return;
  }
  const PairRow* wanted = board_.last_wanted();
  const bool expects =
      wanted == nullptr ? options_.side == Side::kPrimary : WantsActive(*wanted, options_.side);
  const bool overtaken = Overtaken();
  for (const auto& source : sources_) {
    source->pump().set_expecting(expects && !options_.shared_claims);
    if (overtaken) {
      source->pump().DropOvertaken([&](std::span<const std::byte> key) {
        options_.on_overtaken(source->schema().table(), key);
      });
    }
  }
}

void Pipeline::Tick(MonotonicTime now) {
  if (state_ != State::kClaiming && StoreReplaced()) {
    for (const auto& source : sources_) {
      source->pump().Withdraw();
    }
  }
  if (state_ == State::kWriting) {
    const PairRow* wanted = board_.wanted();
    if (!options_.shared_claims && wanted != nullptr && wanted->writer != options_.side &&
        wanted->fence > term_) {
      StandBy("claim", "the other box is the wanted writer");
    } else if (!MayGoOn()) {
      StandBy("claim", "the store has another claimant, or was replaced");
    }
  }
  FollowBoard();
  for (const auto& source : sources_) {
    source->Tick(now);
    const absl::Status& stopped = source->pump().status();
    if (state_ == State::kWriting && !stopped.ok()) {
      StandBy(absl::IsAborted(stopped) ? "fenced" : "error", Message(stopped));
    }
  }
  if (now < retry_at_) {
    return;
  }
  // A repository that has replaced ours does not know our tables.
  const StoreState store = store_.state();
  const bool elsewhere =
      state_ == State::kStandby && store.available && store.incarnation != opened_in_;
  if (elsewhere || (state_ == State::kOpening && opens_pending_ == 0)) {
    OpenTables();
  } else if (state_ == State::kStandby && WantsToWrite()) {
    Claim();
  }
}

MonotonicTime Pipeline::NextDeadline() const {
  MonotonicTime next = MonotonicTime::max();
  for (const auto& source : sources_) {
    next = std::min(next, source->NextDeadline());
  }
  return next;
}

absl::StatusOr<Lane*> Pipeline::OpenLane(const StateSchema& schema) {
  for (const auto& source : sources_) {
    if (source->schema().table() == schema.table()) {
      absl::Status same =
          source->schema().fingerprint() == schema.fingerprint()
              ? absl::OkStatus()
              : Error(absl::StatusCode::kFailedPrecondition,
                      "{}: a lane of another version of the schema than the engine was made with",
                      schema.name());
      if (!same.ok()) {
        return same;
      }
      return source->pump().OpenLane();
    }
  }
  return Error(absl::StatusCode::kNotFound, "{}: no such table among the lanes of the {}",
               schema.name(), SideName(options_.side));
}

void Pipeline::DropHeldErases() {
  for (const auto& source : sources_) {
    source->pump().DropHeldErases();
  }
}

bool Pipeline::Holds(TableId table, std::span<const std::byte> key) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
    return source->schema().table() == table && source->pump().Holds(key);
  });
}

bool Pipeline::drained() const {
  return std::all_of(sources_.begin(), sources_.end(),
                     [](const auto& source) { return source->pump().drained(); });
}

std::string Pipeline::NotWritingReason() const {
  if (!problem_.ok()) {
    return std::string(Message(problem_));
  }
  const StoreState store = store_.state();
  if (!store.available) {
    return store.reason.empty() ? "the store is not available" : store.reason;
  }
  return {};
}

PairRow Pipeline::Report() const {
  PairRow row;
  row.kind = PairRowKind::kSource;
  row.side = options_.side;
  row.node = origin_;
  row.active = writing();
  row.term = term_;
  row.healthy = true;
  row.coverage = 0xf;
  ReadinessFindings findings;
  if (const std::string why = NotWritingReason(); !why.empty()) {
    findings.Add(Readiness::kDegraded, why);
  }
  for (const auto& source : sources_) {
    const PublisherStats stats = source->pump().stats();
    const Coverage coverage = source->coverage();
    row.coverage = static_cast<std::uint8_t>(
        row.coverage & ((coverage.begins ? 1U : 0U) | (coverage.ends ? 2U : 0U) |
                        (coverage.walkable ? 4U : 0U) | (coverage.complete ? 8U : 0U)));
    row.healthy = row.healthy && source->healthy();
    row.syncing =
        row.syncing || (row.active && (source->syncing() || !source->pump().backlog_confirmed()));
    row.position = std::max<std::uint64_t>(row.position, source->pump().sent_position());
    row.waiting +=
        source->pump().drained() ? 0 : std::max<std::uint64_t>(1, stats.pending + stats.in_flight);
    row.rows += source->rows();
    row.lost += source->lost();
    row.refused += stats.lost_bad_draft;
    row.resyncs += stats.resyncs_done;
    source->Assess(row.active, &findings);
  }
  row.readiness = findings.word();
  row.reason = Text<96>(findings.reasons());
  return row;
}

}  // namespace mimi::internal
