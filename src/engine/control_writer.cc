#include "src/engine/control_writer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "mimi/typed.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kBatchSize = std::size_t{16} * 1024;
constexpr Duration kRetryMin = std::chrono::milliseconds(5);
constexpr Duration kRetryMax = std::chrono::seconds(1);

// A handful of rows, a few times a second: small, and no heartbeats, since reports are heartbeats.
PublisherOptions ForControl(PublisherOptions options) {
  options.heartbeat = std::chrono::hours(24);
  options.max_pending = 64;
  options.batch_size = kBatchSize;
  options.wake = false;
  options.sweep = nullptr;
  return options;
}

}  // namespace

ControlWriter::ControlWriter(std::string_view node, Claims claims, StateStore& store, Loop& loop,
                             const ControlBoard& board, const PublisherOptions& publish)
    : origin_(OriginOf(node)),
      claims_(claims),
      store_(store),
      loop_(loop),
      board_(board),
      publish_(ForControl(publish)),
      draft_(ControlSchema(), origin_, kBatchSize),
      row_(ControlSchema().row_size()),
      wants_claim_(claims == Claims::kByItself),
      backoff_(kRetryMin, kRetryMax, publish.seed) {
}

absl::StatusOr<std::unique_ptr<ControlWriter>> ControlWriter::New(std::string_view node,
                                                                  Claims claims, StateStore& store,
                                                                  Loop& loop,
                                                                  const ControlBoard& board,
                                                                  const PublisherOptions& publish) {
  std::unique_ptr<ControlWriter> writer(
      new ControlWriter(node, claims, store, loop, board, publish));
  const absl::Status made = writer->NewPump();
  if (!made.ok()) {
    return made;
  }
  return writer;
}

absl::Status ControlWriter::NewPump() {
  absl::StatusOr<std::unique_ptr<Pump>> pump =
      Pump::New(ControlSchema(), origin_, store_, loop_, *this, publish_);
  if (pump.ok()) {
    pump_ = *std::move(pump);
  }
  return pump.status();
}

void ControlWriter::Open() {
  state_ = State::kOpening;
  store_.Open(ControlSchema(), [this, alive = std::weak_ptr<bool>(alive_)](const absl::Status& s) {
    if (!alive.expired()) {
      state_ = s.ok() ? State::kOpened : State::kUnopened;
      RetryUnless(s.ok());
    }
  });
}

void ControlWriter::RetryUnless(bool done) {
  if (done) {
    backoff_.Reset();
    retry_at_ = {};
  } else {
    retry_at_ = loop_.now() + backoff_.Next();
  }
}

void ControlWriter::Claim() {
  state_ = State::kClaiming;
  const ClaimRequest request{.origin = origin_,
                             .mode = ClaimMode::kControl,
                             .floor = std::max(highest_term_, board_.highest_term()),
                             .expected = std::nullopt};
  incarnation_ = store_.state().incarnation;
  store_.Claim(request, [this, question = ++question_, alive = std::weak_ptr<bool>(alive_)](
                            const absl::StatusOr<Claimed>& claimed) {
    if (!alive.expired() && question == question_) {
      OnClaimed(claimed);
    }
  });
}

void ControlWriter::OnClaimed(const absl::StatusOr<Claimed>& claimed) {
  const bool usable = claimed.ok() && pump_->SetTerm(claimed->term).ok();
  if (usable) {
    highest_term_ = std::max(highest_term_, claimed->term);
    claimed_at_ = claimed->head;
    wants_claim_ = false;
  }
  state_ = usable ? State::kWriting : State::kOpened;
  RetryUnless(usable);
}

// The repository does not know our term (it was replaced), or our place in it.
void ControlWriter::Lose() {
  claimed_at_.reset();
  state_ = State::kUnopened;
  wants_claim_ = claims_ == Claims::kByItself;
}

void ControlWriter::OnStopped(const absl::Status& /*why*/) {
  Lose();
}

void ControlWriter::Outrank() {
  if (state_ == State::kWriting || state_ == State::kClaiming) {
    state_ = State::kOpened;
    ++question_;
  }
  claimed_at_.reset();
  wants_claim_ = true;
  (void)NewPump();  // its options were good before
}

void ControlWriter::Write(const PairRow& row) {
  draft_.Clear();
  // The buffers have the schema's sizes.
  (void)EncodeRow(row, row_);
  (void)draft_.Put(row_);
  // Fewer keys than max_pending exist, so this cannot be refused.
  (void)pump_->Offer(draft_.Draft());
}

void ControlWriter::Tick(MonotonicTime now) {
  const StoreState store = store_.state();
  if (state_ == State::kWriting && store.incarnation != 0 && incarnation_ != 0 &&
      store.incarnation != incarnation_) {
    pump_->Mute();
    Lose();
  }
  if (now >= retry_at_ && store.available) {
    if (state_ == State::kUnopened) {
      Open();
    } else if (state_ == State::kOpened && wants_claim_) {
      Claim();
    }
  }
  pump_->Tick(now);
}

}  // namespace mimi::internal
