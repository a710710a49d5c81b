#include "src/publish/pump.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "src/base/status.h"
#include "src/publish/pump_impl.h"

namespace mimi {
namespace {

// Between two looks when there is no lane, nothing waits, and all that may come due are heartbeats.
constexpr Duration kQuiet = std::chrono::milliseconds(50);

absl::Status Check(const PublisherOptions& options, const StateSchema& schema) {
  const auto refuse = [](const char* option, const char* expected) {
    return Error(absl::StatusCode::kInvalidArgument, "publish.{}: expected {}", option, expected);
  };
  constexpr std::size_t kMost = std::size_t{1} << 31;
  if (options.ring_slots == 0 || options.ring_slots > kMost) {
    return refuse("ring_slots", "1 to 2^31");
  }
  if (options.batch_size > kMaxBatchSize ||
      options.batch_size < kBatchHeaderSize + kBatchTrailerSize + 25 + schema.row_size()) {
    return refuse("batch_size", "room for at least one record, and at most 1 MiB");
  }
  if (options.window == 0 || options.window > 4096) {
    return refuse("window", "1 to 4096");
  }
  if (options.max_pending == 0 || options.max_pending > kMost) {
    return refuse("max_pending", "1 to 2^31");
  }
  const Duration zero{};
  if (options.drain_every <= zero || options.drain_idle < options.drain_every) {
    return refuse("drain_every", "more than 0, and at most drain_idle");
  }
  if (options.heartbeat <= zero || options.erase_linger < zero || options.burst_within <= zero) {
    return refuse("heartbeat, erase_linger, burst_within", "positive durations");
  }
  if (options.retry_min <= zero || options.retry_max < options.retry_min) {
    return refuse("retry_min", "more than 0, and at most retry_max");
  }
  if (options.resync_min <= zero || options.resync_max < options.resync_min) {
    return refuse("resync_min", "more than 0, and at most resync_max");
  }
  return absl::OkStatus();
}

std::uint64_t SeedOr(std::uint64_t seed) {
  if (seed != 0) {
    return seed;
  }
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pump>> Pump::New(const StateSchema& schema, Origin origin,
                                                StateSink& sink, const Clock& clock,
                                                PumpOwner& owner, const PublisherOptions& options) {
  if (absl::Status status = Check(options, schema); !status.ok()) {
    return status;
  }
  int wake_fd = -1;
  if (options.wake && (wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
    return Error(absl::StatusCode::kResourceExhausted, "{}: no descriptor left for the wake-up",
                 schema.name());
  }
  return std::unique_ptr<Pump>(new Pump(std::make_unique<Impl>(
      schema, origin, sink, clock, owner, options, SeedOr(options.seed), wake_fd)));
}

Pump::Pump(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}
Pump::~Pump() = default;

absl::StatusOr<Lane*> Pump::OpenLane() {
  return impl_->OpenLane();
}
void Pump::set_direct(bool open) {
  impl_->SetDirect(open);
}
absl::Status Pump::Offer(const BatchView& draft) {
  return impl_->Offer(draft);
}
absl::Status Pump::SetTerm(std::uint64_t term) {
  return impl_->SetTerm(term);
}
void Pump::Mute() {
  impl_->Mute();
}
const absl::Status& Pump::status() const {
  return impl_->status();
}
void Pump::WantResync() {
  impl_->WantResync();
}
bool Pump::sweeping() const {
  return impl_->sweeping();
}
bool Pump::SweepErase(std::span<const std::byte> key) {
  return impl_->SweepErase(key);
}
bool Pump::FinishResync() {
  return impl_->FinishResync();
}
void Pump::Tick(MonotonicTime now) {
  impl_->Tick(now);
}
MonotonicTime Pump::NextDeadline() const {
  return impl_->NextDeadline();
}
int Pump::WakeFd() const {
  return impl_->wake_fd();
}
PublisherStats Pump::stats() const {
  return impl_->Stats();
}
Position Pump::sent_position() const {
  return impl_->sent_position();
}
bool Pump::drained() const {
  return impl_->Drained();
}
bool Pump::Holds(std::span<const std::byte> key) {
  return impl_->Holds(key);
}

Pump::Impl::Impl(const StateSchema& schema, Origin origin, StateSink& sink, const Clock& clock,
                 PumpOwner& owner, const PublisherOptions& options, std::uint64_t seed, int wake_fd)
    : schema_(schema),
      origin_(origin),
      clock_(clock),
      owner_(owner),
      options_(options),
      wake_fd_(wake_fd),
      scratch_(1 + schema.row_size()),
      erase_(1 + schema.row_size()),
      hold_(options, options.max_pending),
      pending_(schema.key_size(), schema.row_size(), options.max_pending, seed),
      window_(schema, origin, sink, options, seed),
      resync_(options.resync_min, options.resync_max),
      now_(clock.now()),
      last_active_(now_),
      interval_(options.drain_every) {
  sources_.push_back(std::make_unique<Source>());  // the direct one
}

Pump::Impl::~Impl() {
  if (wake_fd_ >= 0) {
    ::close(wake_fd_);
  }
}

absl::StatusOr<Lane*> Pump::Impl::OpenLane() {
  absl::StatusOr<LaneConsumer> lane = LaneConsumer::Open(schema_, options_.ring_slots, wake_fd_);
  if (!lane.ok()) {
    return lane.status();
  }
  Lane* const producer = lane->lane();
  sources_.push_back(std::make_unique<Source>());
  Source& source = *sources_.back();
  source.lane = *std::move(lane);
  source.lane->HoldWalk(hold_walk_);
  source.seen_empty = clock_.unix_now();
  if (phase_ == Phase::kAsked) {
    Ask(source);
  }
  interval_ = options_.drain_every;
  return producer;
}

void Pump::Impl::SetDirect(bool open) {
  if (direct_open_ == open) {
    return;
  }
  direct_open_ = open;
  Source& direct = *sources_.front();
  if (!open) {
    direct.answered = true;
    SourceLeft(direct);
    direct.takes_part = false;
  } else if (phase_ == Phase::kAsked) {
    Ask(direct);
  }
}

absl::Status Pump::Impl::SetTerm(std::uint64_t term) {
  if (term == 0 || term < newest_term_ || (term == newest_term_ && !status_.ok())) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: term {} cannot follow term {}, which {}",
                 schema_.name(), term, newest_term_, status_.ok() ? "is newer" : "is over");
  }
  if (term != newest_term_) {
    Unseal();
    window_.StartTerm(term);
    backlog_end_ = pending_.end_stream();
    if (term_ != 0) {
      stats_.dropped_erases += hold_.Drop();
    }
  }
  newest_term_ = term_ = term;
  status_ = absl::OkStatus();
  interval_ = options_.drain_every;
  return absl::OkStatus();
}

void Pump::Impl::Mute() {
  if (muted()) {
    return;
  }
  if (!BuilderEmpty()) {
    SealBuilder();  // taken while we held the term
  }
  term_ = 0;
  DropHeldErases();
}

// The sink refused for good: this term is over.
void Pump::Impl::Stop(const absl::Status& why) {
  status_ = why;
  if (!absl::IsAborted(why)) {
    ++stats_.lost_refused;
    resync_.Want(now_);
  }
  term_ = 0;
  Unseal();
  DropHeldErases();
  tell_stopped_ = true;
}

// What the present term leaves unconfirmed goes back to the front of what waits, the newest first,
// so that of each key the newest stays.
void Pump::Impl::Unseal() {
  const std::uint64_t first = window_.stream_done();
  const auto take_back = [this](const BatchView& batch, std::uint64_t stream) {
    if (batch.has(kBatchVersioned)) {
      return;  // a sweep; its resync is over
    }
    for (std::size_t i = batch.size(); i-- > 0;) {
      const RecordView record = batch[i];
      erase_[0] = static_cast<std::byte>(record.op);
      std::copy(record.row.begin(), record.row.end(), erase_.begin() + 1);
      if (!pending_.AddFront(erase_, Nanoseconds(batch.time()), stream)) {
        ++stats_.coalesced;
      }
    }
  };
  bool any = false;
  if (builder_ != nullptr) {
    any = !builder_->empty();
    take_back(builder_->Draft(), window_.stream_end());
    window_.GiveBack(std::move(builder_));
    builder_flags_ = 0;
  }
  while (const std::optional<Window::Withdrawn> batch = window_.WithdrawNewest()) {
    any = true;
    take_back(batch->view, batch->stream_begin);
  }
  if (any) {  // a ticket now waits for all that waits: its newer value may stand anywhere
    for (const std::unique_ptr<Source>& source : sources_) {
      source->tickets.Moved(first, pending_.end_stream());
    }
  }
  if (begin_sealed_) {
    CancelRound();
    resync_.Want(now_);
  }
}

void Pump::Impl::Send() {
  if (muted() && window_.empty()) {
    return;
  }
  if (absl::Status sent = window_.Send(now_); !sent.ok()) {
    Stop(sent);
  }
}

void Pump::Impl::Tick(MonotonicTime now) {
  now_ = now;
  drained_ = 0;
  if (wake_fd_ >= 0) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof(count));
  }
  window_.Confirm();
  Send();
  Flush();
  ReleaseHeld();
  DrainLanes();
  Flush();
  SealIfWorthwhile();
  // A sink tells of a loss or of a fence only when it is asked. Who waits for a confirmation asks,
  // also when it has nothing to say (muted, or heartbeats that are far apart).
  const Duration silence = now_ - window_.last_send();
  const bool asks = !window_.empty() && silence >= options_.retry_max;
  if (((!muted() && silence >= options_.heartbeat) || asks) && window_.all_sent()) {
    if (absl::Status sent = window_.Heartbeat(clock_.unix_now(), now_); !sent.ok()) {
      Stop(sent);
    }
  }
  window_.Confirm();
  ProgressRound();
  ConfirmTickets();
  UpdateWalkHold();
  AskIfDue();
  ChooseInterval();
  ListenForWake();
  DeliverEvents();
}

void Pump::Impl::ChooseInterval() {
  const bool waits = !window_.empty() || !pending_.empty() || !BuilderEmpty();
  if (drained_ > 0 || (waits && !muted() && window_.available()) || phase_ == Phase::kSweeping) {
    last_active_ = now_;
    interval_ = options_.drain_every;
  } else if (sources_.size() == 1) {
    // No lane to look into: a driver's owner ticks when it offers.
    const bool quiet = !waits && hold_.empty() && phase_ == Phase::kIdle && !resync_.wanted();
    interval_ = quiet ? std::max(options_.drain_idle, kQuiet) : options_.drain_idle;
  } else if (now_ - last_active_ >= options_.idle_after) {
    interval_ = std::min(interval_ * 2, options_.drain_idle);
  }
}

void Pump::Impl::ListenForWake() {
  if (wake_fd_ < 0 || interval_ == options_.drain_every) {
    return;
  }
  for (std::size_t i = 1; i < sources_.size(); ++i) {
    if (!sources_[i]->lane->Sleep()) {
      more_ = true;
    }
  }
}

// Last, when everything here is as it should be: the owner may call back.
void Pump::Impl::DeliverEvents() {
  if (std::exchange(tell_stopped_, false)) {
    owner_.OnStopped(absl::Status(status_));
  }
  if (std::exchange(tell_wanted_, false)) {
    owner_.OnResyncWanted();
  }
  if (std::exchange(tell_walked_, false)) {
    owner_.OnResyncWalked(begin_version_);
  }
}

MonotonicTime Pump::Impl::NextDeadline() const {
  const bool now = more_ || tell_stopped_ || tell_wanted_ || tell_walked_;
  return now ? now_ : now_ + interval_;
}

PublisherStats Pump::Impl::Stats() const {
  PublisherStats stats = stats_;
  const Window::Counters& sent = window_.counters();
  stats.sealed = sent.records;
  stats.batches = sent.batches;
  stats.heartbeats = sent.heartbeats;
  stats.resent = sent.resent;
  stats.refused = sent.refused;
  stats.term = term_;
  stats.next_sequence = window_.next_sequence();
  stats.lanes = sources_.size() - 1;
  stats.pending = pending_.size() + (builder_ == nullptr ? 0 : builder_->size());
  stats.in_flight = window_.size();
  stats.holding = hold_.size();
  stats.resyncing = phase_ != Phase::kIdle && phase_ != Phase::kAsked;
  stats.resync_wanted = resync_.wanted() || phase_ != Phase::kIdle;
  // In this order they were taken.
  if (!window_.empty()) {
    stats.oldest_unconfirmed = window_.oldest_time();
  } else if (!BuilderEmpty()) {
    stats.oldest_unconfirmed = builder_->empty() ? clock_.unix_now() : builder_time_;
  } else if (const std::optional<Pending::Entry> front = pending_.Front()) {
    stats.oldest_unconfirmed = UnixTime(Duration(front->time_ns));
  }
  return stats;
}

bool Pump::Impl::Drained() const {
  return window_.empty() && pending_.empty() && BuilderEmpty() &&
         std::all_of(sources_.begin() + 1, sources_.end(), [](const auto& source) {
           return source->lane->Head() == source->lane->tail();
         });
}

}  // namespace mimi
