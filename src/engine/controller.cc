// Entries, the lease and the truth. What is decided stands in controller_decide.cc, what a move
// does in controller_move.cc.

#include "src/engine/controller.h"

#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"

namespace mimi::internal {

Controller::Controller(ControllerOptions options, ControllerEffects& effects, Lease& lease,
                       const Clock& clock)
    : options_(std::move(options)),
      effects_(effects),
      clock_(clock),
      lease_(lease, options_.manager.lease_ttl, clock, [this] { Settle(); }) {
}

void Controller::Start() {
  lease_.Start();
  Settle();
}

void Controller::Stop() {
  lease_.Stop();
  StepDown("stopped");
  Settle();
}

void Controller::Update(ControllerInputs inputs) {
  const MonotonicTime now = clock_.now();
  if (inputs_.has_value() && !inputs_->store.available && inputs.store.available) {
    store_back_at_ = now;
    // What waited for the store goes first.
    if (run_.has_value()) {
      run_->claim_at = now;
    }
  }
  if (passive() && inputs_.has_value() && inputs.store.term != inputs_->store.term) {
    observe_at_ = now;
  }
  inputs_ = std::move(inputs);
  inputs_at_ = now;
  const std::optional<Duration> silence = SourceSilence();
  if (!silence.has_value() || *silence >= options_.manager.source_silence) {
    source_heard_since_.reset();
  } else if (!source_heard_since_.has_value()) {
    source_heard_since_ = now;
  }
  WatchPublished();
  Settle();
}

void Controller::Report(const LivenessEvent& event) {
  SeenHealth& seen = health_[static_cast<std::size_t>(event.box)];
  if (seen.health != Health::kUnknown && event.at < seen.since) {
    return;  // overtaken by a newer one on its way here
  }
  if (seen.health != event.health) {
    seen.health = event.health;
    seen.since = event.at;
    effects_.Emit("liveness", fmt::format("{} {}: {}", SideName(event.box),
                                          HealthName(event.health), event.reason));
  }
  seen.reason = event.reason;
  Settle();
}

void Controller::Tick() {
  Settle();
}

// Everything that can be done now is done here, at the end of each entry and each answer.
void Controller::Settle() {
  lease_.Tick();
  CheckStance();
  if (stance_ == Stance::kActing) {
    if (passive()) {
      FollowNetwork();
    } else {
      // A second turn, since the policy has its say as soon as a move has ended.
      for (int turn = 0; turn < 2; ++turn) {
        Decide();
        if (run_.has_value()) {
          Advance();
        }
        if (run_.has_value()) {
          break;
        }
      }
    }
    if (!run_.has_value() && clock_.now() >= observe_at_) {
      Look();
    }
    NoteReadiness();
  }
  effects_.Changed();
  // Last, since who asked may call back in.
  for (auto& [done, status] : std::exchange(answers_, {})) {
    done(status);
  }
}

bool Controller::MayAct() const {
  return (lease_.held() && lease_.term() == acting_term_) || Alone();
}

void Controller::CheckStance() {
  const MonotonicTime now = clock_.now();
  const bool held = lease_.held();
  if (!held && !Alone()) {
    if (stance_ != Stance::kWatching) {
      StepDown(lease_.reason().empty() ? "the lease ran out" : lease_.reason());
    }
    return;
  }
  if (!inputs_.has_value()) {
    return;
  }
  const bool same_term = held && acting_term_ == lease_.term();
  if (stance_ == Stance::kWatching || (!same_term && !Alone())) {
    TakeOver();
  } else if (stance_ == Stance::kTaking && Alone()) {
    // The board cannot be had. What is known of it will do, since nobody else writes to it.
    stance_ = Stance::kLooking;
    acting_term_ = 0;
    Look();
  } else if (stance_ == Stance::kTaking && now >= retry_at_) {
    TakeBoard();
  } else if (stance_ == Stance::kLooking && now >= retry_at_) {
    Look();
  }
}

void Controller::StepDown(std::string_view why) {
  if (run_.has_value()) {
    const bool steered = run_->steered;
    Remember(run_->to, run_->planned, steered, clock_.now() - run_->began,
             fmt::format("{}; left at {}: {}", run_->reason,
                         StepName(step().value_or(Step::kSteer)), why));
    End(Error(absl::StatusCode::kAborted, "not the acting manager any more: {}", why));
  }
  if (stance_ == Stance::kActing) {
    effects_.Emit("lease", fmt::format("only watching: {}", why));
  }
  stance_ = Stance::kWatching;
  acting_term_ = 0;
  written_.reset();
}

// The lease is new: nothing that was known before counts.
void Controller::TakeOver() {
  StepDown("the lease was taken anew");
  look_counts_ = false;  // a look that began before it
  unseen_ = 0;
  if (lease_.held() && !Alone()) {
    acting_term_ = lease_.term();
    stance_ = Stance::kTaking;
    TakeBoard();
  } else {
    stance_ = Stance::kLooking;
    Look();
  }
}

void Controller::TakeBoard() {
  if (boarding_) {
    return;  // its answer is for an older term: it will be asked again
  }
  boarding_ = true;
  retry_at_ = clock_.now() + kRetry;
  effects_.TakeBoard(Guarded([this, term = acting_term_](const absl::Status& status) {
    boarding_ = false;
    if (stance_ != Stance::kTaking || term != acting_term_) {
      retry_at_ = clock_.now();
    } else if (status.ok()) {
      stance_ = Stance::kLooking;
      Look();
    }
  }));
}

void Controller::Look() {
  if (observing_) {
    return;
  }
  observing_ = true;
  look_counts_ = true;
  const MonotonicTime now = clock_.now();
  retry_at_ = now + kRetry;
  observe_at_ = now + options_.manager.lease_ttl;
  effects_.Observe(Guarded([this](const absl::StatusOr<Side>& seen) {
    observing_ = false;
    if (look_counts_) {
      OnObserved(seen);
    } else {
      retry_at_ = clock_.now();
    }
  }));
}

void Controller::OnObserved(const absl::StatusOr<Side>& seen) {
  observed_ = seen.ok();
  unseen_ = seen.ok() ? 0 : unseen_ + 1;
  if (run_.has_value() && !run_->steer_error.has_value()) {
    return;
  }
  if (run_.has_value() && seen.ok()) {
    OnSteeredAfterAll(*seen);
    return;
  }
  const std::optional<Side> side =
      seen.ok() ? std::optional(*seen) : (passive() ? ClaimantSide() : std::nullopt);
  if (!side.has_value()) {
    Complain(fmt::format("cannot see where traffic goes: {}", Message(seen.status())));
    if (unseen_ >= kLooks && !passive()) {
      OnUnseen();
    }
    return;
  }
  astray_ = false;
  if (stance_ == Stance::kLooking) {
    Derive(*side);
  } else if (stance_ == Stance::kActing) {
    FollowDrift(*side);
  }
}

// The way may be gone together with the box that it led to, so who waits for a sight of it may wait
// for ever. A redirect is idempotent: it makes true what is believed, wherever traffic goes now.
void Controller::OnUnseen() {
  if (stance_ == Stance::kLooking) {
    Derive(std::nullopt);
    return;
  }
  if (run_.has_value()) {
    GiveUp(*std::exchange(run_->steer_error, std::nullopt));
  }
  const Side home = HomeOf(stable_.phase);
  if (astray_ && HealthOf(home).health != Health::kDown) {
    Begin(home, false,
          fmt::format("traffic is to be at the {}, and nobody sees it", SideName(home)), {});
  }
}

// From the wanted row and where traffic really goes to what is to be done.
void Controller::Derive(std::optional<Side> seen) {
  stance_ = Stance::kActing;
  drifts_ = 0;
  unfenced_ = false;
  astray_ = false;
  PairRow found = inputs_->wanted.value_or(PairRow{});
  if (!inputs_->wanted.has_value() && Alone() && seen.has_value()) {
    found.phase = StablePhase(*seen);  // nothing can be read: the traffic is what is known
  }
  const Side home = HomeOf(found.phase);
  traffic_ = seen.value_or(home);
  stable_ = found;
  stable_.phase = StablePhase(home);
  stable_.writer = home;
  stable_.planned = false;
  effects_.Emit("lease", fmt::format("acting, term {}: found {}, traffic {}", acting_term_,
                                     PhaseName(found.phase),
                                     seen.has_value() ? fmt::format("at the {}", SideName(traffic_))
                                                      : "cannot be seen"));
  if (passive()) {
    Write(StableRow(home));
  } else if (!seen.has_value()) {
    GoOnUnseen(found);
  } else {
    GoOnFrom(found);
  }
}

void Controller::GoOnFrom(const PairRow& found) {
  const Side home = HomeOf(found.phase);
  const bool moving = found.phase != StablePhase(home);
  if (traffic_ != home) {
    const bool planned = moving && found.planned;
    // Behind the claim the old box is fenced: its tail has been drained, or nobody ever gets it.
    const bool claimed = ClaimantSide() == traffic_;
    GoOn(traffic_, planned && !claimed ? Step::kDrainTail : Step::kClaim, planned,
         fmt::format("traffic found at the {}", SideName(traffic_)));
    return;
  }
  const Side to = OtherSide(home);
  // A planned move can be begun again at leisure. An unplanned one had its evidence, and the box
  // that it leaves may never be heard of again: it is given up only if that box is seen alive.
  if (moving && !found.planned && HealthOf(home).health != Health::kUp &&
      CheckMove(to, false, view()).ok()) {
    Begin(to, false, fmt::format("found on its way: {}", found.reason.view()), {});
    return;
  }
  if (moving) {
    Undo(found.phase);
  }
  if (!ClaimBack()) {
    Write(StableRow(home));
  }
}

// With no move under way nothing is redirected before there is evidence, or an operator asks. What
// was under way is sent where it had come to.
void Controller::GoOnUnseen(const PairRow& found) {
  const Side home = HomeOf(found.phase);
  const Side to = OtherSide(home);
  const bool moving = found.phase != StablePhase(home);
  const bool planned = moving && found.planned;
  // An unplanned redirect goes before its row, and every claim behind its redirect.
  const bool claimed = ClaimantSide() == to;
  const bool left = claimed || (moving && (found.redirected || !planned));
  // The redirect of a planned move follows this row. It is begun anew: that is right at either box.
  const bool may_have_left = left || (planned && found.active);
  const std::string reason =
      fmt::format("found {}, and traffic cannot be seen", PhaseName(found.phase));
  astray_ = may_have_left;
  if (left && CheckMove(to, false, view()).ok()) {
    GoOn(to, Step::kSteer, planned && !claimed, reason);
  } else if (!left && may_have_left && CheckMove(to, true, view()).ok()) {
    Begin(to, true, reason, {});
  } else if (may_have_left && HealthOf(home).health != Health::kDown) {
    Begin(home, false, reason, {});
  } else {
    if (moving) {
      Undo(found.phase);
    }
    Write(StableRow(home));
  }
}

// Found unfinished; the traffic is where it was.
void Controller::Undo(Phase found) {
  effects_.Emit("phase", fmt::format("{} -> {}: found unfinished, traffic never moved",
                                     PhaseName(found), PhaseName(stable_.phase)));
  stable_.since = clock_.unix_now();
}

}  // namespace mimi::internal
