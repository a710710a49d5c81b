// Rounds: a resync over all sources of a table (pump.h, "Several lanes").

#include <algorithm>
#include <utility>

#include "src/publish/pump_impl.h"

namespace mimi {

void Pump::Impl::AskIfDue() {
  if (muted() || !std::any_of(sources_.begin(), sources_.end(),
                              [this](const auto& source) { return TakesPart(*source); })) {
    return;
  }
  if (phase_ == Phase::kIdle && resync_.Due(now_)) {
    resync_.Asked(now_);
    phase_ = Phase::kAsked;
    ++wish_;
    for (const std::unique_ptr<Source>& source : sources_) {
      Ask(*source);
    }
  }
  // A driver whose source was not there when it was asked is asked again.
  if ((phase_ == Phase::kAsked || phase_ == Phase::kWalking) && direct_open_ &&
      !sources_.front()->answered && now_ >= ask_direct_again_) {
    Ask(*sources_.front());
  }
}

void Pump::Impl::Ask(Source& source) {
  source.answered = false;
  if (source.lane) {
    source.lane->Want(wish_);
  } else if (direct_open_) {
    tell_wanted_ = true;
    ask_direct_again_ = now_ + options_.resync_min;
  }
}

void Pump::Impl::Begin(Source& source) {
  source.answered = true;
  if (phase_ == Phase::kWalking && source.takes_part && !source.begun) {
    source.begun = true;  // it joins the round that another one began
    return;
  }
  CancelRound();
  Gather(source);
  if (source.lane) {
    source.lost_answered = source.lane->LostAtBegin();
  }
  pending_.AddMark(LaneConsumer::kBegin, Nanoseconds(clock_.unix_now()));
  resync_.Begun();  // whatever was lost before is in this round
  lost_since_begin_ = kNever;
  ++stats_.resyncs_begun;
  phase_ = Phase::kWalking;
  ++wish_;
  for (const std::unique_ptr<Source>& other : sources_) {
    other->takes_part = TakesPart(*other);
    other->begun = other->ended = false;
    // One that was asked before and has not begun will join this round; its begin may be in its
    // ring.
    if (other.get() != &source && other->takes_part && other->answered) {
      Ask(*other);
    }
  }
  source.takes_part = source.begun = true;
  Flush();  // so that the walk need not wait in line behind the mark
}

// Takes what the other lanes hold, so that it is older than the begin. A lane whose own begin is in
// its ring is taken up to there: what follows belongs to its walk.
void Pump::Impl::Gather(const Source& beginner) {
  for (std::size_t i = 1; i < sources_.size(); ++i) {
    Source& source = *sources_[i];
    if (&source == &beginner) {
      continue;
    }
    // The losses first, then the head: what was put before these losses is before that head.
    CountLosses(source);
    const std::uint64_t head = source.lane->Head();
    drained_ += head - source.lane->tail();
    if (TakeSlots(source, head, /*to_begin=*/true)) {
      source.lost_answered = source.lane->LostAtBegin();
      source.answered = false;  // its answer is the begin at which it stopped
    }
  }
}

void Pump::Impl::End(Source& source) {
  if (phase_ == Phase::kWalking && source.takes_part && source.begun) {
    source.ended = true;
    EndRoundIfAllEnded();
  }  // else it ends a walk that was given up
}

// A walk without an end counts for nothing: its lane may have closed because the whole process is
// going down, and then the rows that it did not walk are the ones that matter.
void Pump::Impl::SourceLeft(const Source& source) {
  if (phase_ == Phase::kWalking && source.takes_part && !source.ended) {
    CancelRound();
    resync_.Want(now_);
  }
  const bool any = std::any_of(sources_.begin(), sources_.end(),
                               [this](const auto& other) { return TakesPart(*other); });
  if (phase_ == Phase::kAsked && !any) {
    phase_ = Phase::kIdle;  // still wanted, of whoever comes next
  }
}

void Pump::Impl::EndRoundIfAllEnded() {
  for (const std::unique_ptr<Source>& source : sources_) {
    if (source->takes_part && !source->ended) {
      return;
    }
  }
  pending_.AddMark(LaneConsumer::kEnd, Nanoseconds(clock_.unix_now()));
  phase_ = Phase::kWalked;
}

void Pump::Impl::CancelRound() {
  pending_.RemoveMarks();
  if (sweep_ != nullptr) {
    window_.GiveBack(std::move(sweep_));
  }
  for (const std::unique_ptr<Source>& source : sources_) {
    source->takes_part = source->begun = source->ended = false;
  }
  phase_ = Phase::kIdle;
  begin_sealed_ = false;
  tell_walked_ = false;
}

bool Pump::Impl::ReachBegin() {
  if (!OpenBuilder()) {
    return false;
  }
  builder_flags_ = kBatchResyncBegin;
  begin_version_ = window_.next_version();
  begin_sealed_ = true;
  pending_.PopFront();
  return true;
}

bool Pump::Impl::ReachEnd() {
  phase_ = Phase::kConfirming;
  wait_for_ = window_.sealed();
  pending_.PopFront();
  return true;
}

void Pump::Impl::ProgressRound() {
  if (phase_ == Phase::kConfirming && window_.done() >= wait_for_) {
    phase_ = Phase::kSweeping;
    tell_walked_ = true;
  } else if (phase_ == Phase::kEnding && window_.done() >= wait_for_) {
    lost_from_ = lost_since_begin_;
    ++stats_.resyncs_done;
    CancelRound();  // nothing is left of it but this
  }
}

bool Pump::Impl::SweepErase(std::span<const std::byte> key) {
  if (phase_ != Phase::kSweeping || muted()) {
    return false;
  }
  if (sweep_ != nullptr && sweep_->full()) {
    SealSweep(0);
    if (phase_ != Phase::kSweeping) {
      return false;  // the sink refused, and the round is over
    }
  }
  if (sweep_ == nullptr && (sweep_ = window_.TakeBuilder()) == nullptr) {
    return false;
  }
  ++stats_.swept;
  return sweep_->AppendVersioned(
      {.op = Op::kErase, .row = {}, .key = key, .origin = origin_, .version = begin_version_});
}

bool Pump::Impl::FinishResync() {
  if (phase_ != Phase::kSweeping || muted()) {
    return false;
  }
  if (sweep_ == nullptr && (sweep_ = window_.TakeBuilder()) == nullptr) {
    return false;
  }
  phase_ = Phase::kEnding;
  wait_for_ = window_.sealed() + 1;
  SealSweep(kBatchResyncEnd);
  return true;
}

void Pump::Impl::SealSweep(std::uint16_t flags) {
  const auto versioned = static_cast<std::uint16_t>(sweep_->empty() ? 0 : kBatchVersioned);
  sweep_->set_flags(static_cast<std::uint16_t>(flags | versioned));
  // What is in the builder or waits is not in this batch: the stream is where the last sealed one
  // left it.
  window_.SealApart(std::move(sweep_), clock_.unix_now());
  Send();
  window_.Confirm();
}

}  // namespace mimi
