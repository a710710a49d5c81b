// What is decided: the policy's wishes, an operator's, and where the network itself moved the
// traffic.

#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/engine/controller.h"
#include "src/engine/move_plan.h"

namespace mimi::internal {

// Passive steering: the network decides, the phase is written after it.
void Controller::FollowNetwork() {
  if (!observed_) {
    traffic_ = ClaimantSide().value_or(traffic_);
  }
  if (traffic_ == HomeOf(stable_.phase)) {
    return;
  }
  effects_.Emit("phase", fmt::format("{} -> {}: the network moved the traffic",
                                     PhaseName(stable_.phase), PhaseName(StablePhase(traffic_))));
  Remember(traffic_, false, true, Duration::zero(), "the network moved the traffic");
  stable_.since = clock_.unix_now();
  stable_.fence = inputs_->store.term;
  stable_.reason = Text<96>("the network moved the traffic");
  stable_ = StableRow(traffic_);
  Write(stable_);
}

// A move that was given up may have left the claim with the box that the traffic did not come to.
// A box never takes it back by itself. True: it is being claimed.
bool Controller::ClaimBack() {
  const Side home = HomeOf(stable_.phase);
  if (!inputs_->store.available || ClaimantSide() != OtherSide(home)) {
    return false;
  }
  GoOn(home, Step::kClaim, false,
       fmt::format("the newest claim stands for the {}", SideName(OtherSide(home))));
  return true;
}

// Somebody else moved the traffic. Seen twice, it is followed.
void Controller::FollowDrift(Side seen) {
  if (passive()) {
    traffic_ = seen;
    return;
  }
  if (seen == HomeOf(stable_.phase)) {
    drifts_ = 0;
    traffic_ = seen;
    ClaimBack();
    return;
  }
  if (++drifts_ < 2) {
    observe_at_ = clock_.now() + kRetry;
    return;
  }
  drifts_ = 0;
  traffic_ = seen;
  GoOn(seen, Step::kClaim, false,
       fmt::format("traffic found at the {}, moved by somebody else", SideName(seen)));
}

void Controller::Decide() {
  const MonotonicTime now = clock_.now();
  const PairView seen = view();
  const Decision decision = options_.manager.policy->Decide(seen, now);
  decide_at_ = decision.retry_at;
  if (decision.action == Action::kStay) {
    last_refusal_.clear();
    return;
  }
  const Side to = decision.action == Action::kDivert ? Side::kMinion : Side::kPrimary;
  if (run_.has_value()) {
    Reconsider(to, decision, seen);
    return;
  }
  if (to == seen.traffic) {
    return;
  }
  absl::Status status = CheckMove(to, decision.planned, seen);
  if (status.ok() && decision.planned && now < planned_not_before_) {
    decide_at_ = planned_not_before_;
    return;
  }
  if (!status.ok()) {
    const std::string refusal =
        fmt::format("{}{}", decision.planned ? "planned " : "", SideName(to));
    if (std::exchange(last_refusal_, refusal) != refusal) {
      effects_.Emit("decision", fmt::format("{}; refused: {}", decision.reason, Message(status)));
    }
    return;
  }
  Begin(to, decision.planned, decision.reason, {});
}

// The policy has a wish while a move is under way. Only what cannot wait is heard.
void Controller::Reconsider(Side to, const Decision& decision, const PairView& seen) {
  if (decision.planned) {
    return;
  }
  if (to == run_->to) {
    if (run_->planned && !run_->steered) {
      Replan(decision.reason);
    }
    return;
  }
  // The box that the traffic has come to is dead.
  if (run_->steered && CheckMove(to, false, seen).ok()) {
    Remember(run_->to, run_->planned, true, clock_.now() - run_->began, run_->reason);
    End(Error(absl::StatusCode::kUnavailable, "{}", decision.reason));
    Begin(to, false, decision.reason, {});
  }
}

void Controller::AskFor(Side to, StatusCallback done) {
  absl::Status status = Check(to);
  if (status.ok() && run_.has_value()) {
    run_->askers.push_back(std::move(done));
  } else if (status.ok() && to != HomeOf(stable_.phase)) {
    const bool planned = HealthOf(OtherSide(to)).health != Health::kDown;
    std::vector<StatusCallback> askers;
    askers.push_back(std::move(done));
    Begin(to, planned, "asked for by an operator", std::move(askers));
  } else {
    answers_.emplace_back(std::move(done), std::move(status));
  }
  Settle();
}

absl::Status Controller::Check(Side to) const {
  if (!acting() || !MayAct()) {
    return Error(absl::StatusCode::kAborted, "this process is not the acting manager: {}",
                 lease_.held() ? "it is reading the pair's state" : lease_.reason());
  }
  if (passive()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "steering is passive: the network moves the traffic by itself");
  }
  if (run_.has_value()) {
    if (run_->to == to) {
      return absl::OkStatus();
    }
    return Error(absl::StatusCode::kFailedPrecondition, "a move to the {} is under way (step {})",
                 SideName(run_->to), StepName(step().value_or(Step::kCommit)));
  }
  if (to == HomeOf(stable_.phase)) {
    return absl::OkStatus();
  }
  return CheckMove(to, HealthOf(OtherSide(to)).health != Health::kDown, view());
}

absl::StatusOr<MovePreview> Controller::Preview(Side to) const {
  if (const absl::Status allowed = Check(to); !allowed.ok()) {
    return allowed;
  }
  MovePreview preview;
  if (run_.has_value() || to == HomeOf(stable_.phase)) {
    return preview;
  }
  preview.planned = HealthOf(OtherSide(to)).health != Health::kDown;
  for (const PlannedStep& planned : PlanOf(to, preview.planned)) {
    preview.steps.push_back(planned.step);
  }
  return preview;
}

// Whether a move may begin. The messages are the operator's.
absl::Status Controller::CheckMove(Side to, bool planned, const PairView& seen) const {
  const BoxView& target = seen.box(to);
  constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;
  if (target.health == Health::kDown) {
    return Error(kRefused, "{} is down: {}", SideName(to), target.health_reason);
  }
  const bool stateless = to == Side::kPrimary && options_.manager.restore_without_state;
  if (to == Side::kPrimary && !target.writable && !stateless) {
    return Error(kRefused,
                 "nobody can write to the primary, so the flows born on the minion would be lost; "
                 "let them end first, or allow it (restore_without_state)");
  }
  if (!target.usable) {
    return Error(kRefused, "{} is not usable: {}", SideName(to), target.readiness_reason);
  }
  if (!planned) {
    return absl::OkStatus();
  }
  if (!inputs_->store.available) {
    return Error(kRefused, "store unreachable: {}", inputs_->store.reason);
  }
  if (to == Side::kMinion && target.readiness != Readiness::kReady) {
    return Error(kRefused, "minion is {}: {}", ReadinessName(target.readiness),
                 target.readiness_reason);
  }
  // A return becomes ready on its way (kCatchUp), if what is born on the minion is known at all.
  if (to == Side::kPrimary && !stateless && !Part(inputs_->minion_source).heard) {
    return Error(
        kRefused,
        "no source of the minion is heard, so the flows born there would be lost; let them "
        "end first, or allow it (restore_without_state)");
  }
  return absl::OkStatus();
}

void Controller::NoteReadiness() {
  const Side standby = OtherSide(traffic_);
  const PairView seen = view();
  const BoxView& box = seen.box(standby);
  const std::string word = fmt::format("{} {}", SideName(standby), ReadinessName(box.readiness));
  if (std::exchange(last_readiness_, word) != word) {
    effects_.Emit("readiness", box.readiness_reason.empty()
                                   ? word
                                   : fmt::format("{}: {}", word, box.readiness_reason));
  }
}

}  // namespace mimi::internal
