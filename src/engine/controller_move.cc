// The steps of a move, in the order of move_plan.h.

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "src/base/duration_text.h"
#include "src/base/status.h"
#include "src/engine/controller.h"
#include "src/engine/readiness.h"

namespace mimi::internal {
namespace {

constexpr Duration kSteerBackoffMin = std::chrono::milliseconds(20);
constexpr Duration kSteerBackoffMax = std::chrono::seconds(1);

}  // namespace

void Controller::Begin(Side to, bool planned, std::string reason,
                       std::vector<StatusCallback> askers) {
  ++runs_;
  last_complaint_.clear();
  Run& run = run_.emplace(Run{});  // clang 14 takes Run for not default-constructible here
  run.to = to;
  run.planned = planned;
  run.reason = std::move(reason);
  run.began = clock_.now();
  run.step_began = run.began;
  run.steer_at = run.claim_at = run.began;
  run.steer_backoff = kSteerBackoffMin;
  run.since = clock_.unix_now();
  run.askers = std::move(askers);
  run.plan = PlanOf(to, planned);
  effects_.Emit("phase", fmt::format("{} -> {} ({}): {}", PhaseName(stable_.phase),
                                     PhaseName(MovingPhase(to)), planned ? "planned" : "unplanned",
                                     run.reason));
}

// A move found half done: everything before `from` has happened.
void Controller::GoOn(Side to, Step from, bool planned, std::string reason) {
  Begin(to, planned, std::move(reason), {});
  for (std::size_t at = 0; at < run_->plan.size() && run_->plan[at].step != from; ++at) {
    run_->progress[at] = Progress::kDone;
  }
  run_->steered = from != Step::kSteer;
  // Its row outranks what an earlier holder of the lease may still send. Nothing waits for it.
  Write(MovingRow(true));
}

// The box that a planned move leaves has died: the same move goes on as an unplanned one.
void Controller::Replan(const std::string& reason) {
  effects_.Emit("decision", fmt::format("{}; the planned move cannot wait", reason));
  run_->planned = false;
  run_->reason = reason;
  run_->plan = PlanOf(run_->to, false);
  run_->progress.fill(Progress::kIdle);
  run_->since = clock_.unix_now();
  run_->steer_error.reset();
  run_->steer_at = clock_.now();
}

void Controller::Advance() {
  while (run_.has_value() && GiveUpIfHopeless()) {}
  if (!run_.has_value()) {
    return;
  }
  for (std::size_t at = 0; at < run_->plan.size(); ++at) {
    const auto [step, wait] = run_->plan[at];
    if (run_->progress[at] == Progress::kIdle) {
      if (step == Step::kCommit && !run_->steered) {
        return;  // the redirect goes beside the claim, and the commit waits for both
      }
      BeginStep(at);
    }
    if (run_->progress[at] == Progress::kBegun && (wait == StepWait::kNobody || Reached(step))) {
      EndStep(at);
      if (!run_.has_value()) {
        return;
      }
    }
    if (run_->progress[at] != Progress::kDone && wait == StepWait::kNext) {
      return;
    }
  }
}

// Before the redirect, a move can be given up; after it, never. True: it was.
bool Controller::GiveUpIfHopeless() {
  if (run_->steered || steering_ || run_->steer_error.has_value()) {
    return false;
  }
  const Side to = run_->to;
  const Side home = OtherSide(to);
  const SeenHealth target = HealthOf(to);
  const MonotonicTime now = clock_.now();
  if (!run_->planned) {
    const SeenHealth left = HealthOf(home);
    const bool back = left.health == Health::kUp && left.since > run_->began;
    if (!back && target.health != Health::kDown) {
      return false;
    }
    absl::Status why =
        back ? Error(absl::StatusCode::kUnavailable, "{} is up again: {}", SideName(home),
                     left.reason)
             : Error(absl::StatusCode::kUnavailable, "{} is down: {}", SideName(to), target.reason);
    const bool fenced = run_->claim_asked;
    GiveUp(std::move(why));
    if (fenced) {
      // The claim may have fenced the box that keeps the traffic: it gets the term back.
      Begin(home, false, fmt::format("traffic stays at the {}", SideName(home)), {});
    }
    return true;
  }
  if (target.health == Health::kDown) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "{} is down: {}", SideName(to), target.reason));
    return true;
  }
  const PairView seen = view();
  if (!seen.box(to).usable) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "{} is not usable any more: {}", SideName(to),
                 seen.box(to).readiness_reason));
    return true;
  }
  // While the step is kActivate, a sink that is loaded anew waits until it is told what it holds
  // (KnowsBetter()). The beat of an agent that has started anew is lower only if the one before it
  // had lived longer.
  const PairRow& sink = SinkOf(*inputs_, to).report;
  if (step() == Step::kActivate && (sink.syncing || sink.beat < run_->sink_mark.beat)) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "the {} is being loaded anew", SideName(to)));
    return true;
  }
  if (now >= run_->step_began + options_.manager.step_timeout) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "step {} took longer than {}; {} {}{}{}",
                 StepName(step().value_or(Step::kSteer)),
                 DurationText(options_.manager.step_timeout), SideName(to),
                 ReadinessName(seen.box(to).readiness),
                 seen.box(to).readiness_reason.empty() ? "" : ": ", seen.box(to).readiness_reason));
    return true;
  }
  return false;
}

// Undone: the phase is again what it was.
void Controller::GiveUp(absl::Status why) {
  const Phase from = MovingPhase(run_->to);
  effects_.Emit("phase", fmt::format("{} -> {}: given up, {}", PhaseName(from),
                                     PhaseName(stable_.phase), Message(why)));
  Remember(run_->to, run_->planned, false, clock_.now() - run_->began,
           fmt::format("{}; given up: {}", run_->reason, Message(why)));
  planned_not_before_ = clock_.now() + options_.manager.step_timeout;
  End(std::move(why));
  stable_.since = clock_.unix_now();
  if (astray_) {
    observe_at_ = clock_.now();
  }
  Write(StableRow(HomeOf(stable_.phase)));
}

void Controller::End(absl::Status result) {
  for (StatusCallback& done : run_->askers) {
    answers_.emplace_back(std::move(done), result);
  }
  run_.reset();
}

void Controller::BeginStep(std::size_t at) {
  const Step step = run_->plan[at].step;
  Announce(step, StepEdge::kBefore);
  run_->progress[at] = Progress::kBegun;
  run_->step_began = clock_.now();
  switch (step) {
    case Step::kAnnounce:
      // The primary's sink audits itself as soon as it reads the row; kCatchUp wants an audit newer
      // than this.
      run_->sink_mark = inputs_->primary_sink.report;
      Write(MovingRow(false));
      break;
    case Step::kActivate:
      MarkReports();
      Write(MovingRow(true));
      break;
    case Step::kCatchUp:
      break;
    case Step::kDrain:
      MarkReports();
      break;
    case Step::kDrainTail:
      MarkReports();
      Write(MovingRow(true));  // the target's agent has to know if it starts anew
      break;
    case Step::kSteer:
      Steer();
      break;
    case Step::kClaim:
      Claim();
      break;
    case Step::kCommit:
      Write(StableRow(run_->to));
      break;
  }
}

// What is waited for has to be shown by later reports than these.
void Controller::MarkReports() {
  run_->source_mark = SourceOf(*inputs_, OtherSide(run_->to)).report;
  run_->sink_mark = SinkOf(*inputs_, run_->to).report;
  run_->head_mark = inputs_->store.head;
  run_->head.reset();
}

bool Controller::Reached(Step step) {
  switch (step) {
    case Step::kAnnounce:
      return Confirmed();
    case Step::kCatchUp:
      return CaughtUp();
    case Step::kDrain:
      return Drained();
    case Step::kActivate:
      return Activated() && Drained();  // the tail may have grown while it waited
    case Step::kSteer:
      Steer();
      return run_->steered;
    case Step::kDrainTail:
      return TailDrained();
    case Step::kClaim:
      Claim();
      return run_->claimed != 0;
    case Step::kCommit:
      if (!written_.has_value()) {
        Write(StableRow(run_->to));  // the lease had run out for a moment just then
      }
      return Confirmed();
  }
  return false;
}

void Controller::EndStep(std::size_t at) {
  const Step step = run_->plan[at].step;
  run_->progress[at] = Progress::kDone;
  Announce(step, StepEdge::kAfter);
  if (step != Step::kCommit) {
    return;
  }
  const Duration took = clock_.now() - run_->began;
  effects_.Emit("phase",
                fmt::format("{} -> {}: done in {}, term {}", PhaseName(MovingPhase(run_->to)),
                            PhaseName(StablePhase(run_->to)), DurationText(took), run_->claimed));
  Remember(run_->to, run_->planned, true, took, run_->reason);
  stable_ = *inputs_->wanted;  // Confirmed()
  planned_not_before_ = clock_.now();
  observe_at_ = clock_.now() + options_.manager.lease_ttl;
  End(absl::OkStatus());
}

void Controller::Steer() {
  if (run_->steered || steering_) {
    return;
  }
  if (run_->steer_error.has_value()) {
    // It failed, perhaps half way: only the network knows.
    if (clock_.now() >= retry_at_) {
      Look();
    }
    return;
  }
  if (clock_.now() < run_->steer_at || !MayAct()) {
    return;
  }
  steering_ = true;
  look_counts_ = false;
  const Side to = run_->to;
  // The guard is asked by the steering immediately before the effect, perhaps long after this.
  Steering::Guard guard = [this, to, alive = std::weak_ptr<bool>(alive_)] {
    return !alive.expired() && run_.has_value() && run_->to == to && MayAct();
  };
  effects_.Steer(to, std::move(guard),
                 Guarded([this, to](const absl::Status& status) { OnSteered(to, status); }));
}

void Controller::OnSteered(Side to, const absl::Status& status) {
  steering_ = false;
  if (status.ok()) {
    traffic_ = to;
    astray_ = false;
  }
  if (!run_.has_value() || run_->to != to) {
    observe_at_ = clock_.now();  // it was not expected any more: see what has come of it
    return;
  }
  if (status.ok()) {
    run_->steered = true;
    unfenced_ = run_->claimed == 0 && !inputs_->store.available;
    return;
  }
  if (status.code() == absl::StatusCode::kAborted && !MayAct()) {
    return;  // the lease is gone, and Settle() sees it
  }
  Complain(fmt::format("steering to the {}: {}", SideName(to), Message(status)));
  astray_ = true;
  unseen_ = 0;
  if (run_->planned) {
    run_->steer_error = status;
    retry_at_ = clock_.now();
  } else {
    run_->steer_at = clock_.now() + run_->steer_backoff;
    run_->steer_backoff = std::min(run_->steer_backoff * 2, kSteerBackoffMax);
  }
}

// A planned redirect failed; this is where traffic goes.
void Controller::OnSteeredAfterAll(Side seen) {
  traffic_ = seen;
  astray_ = false;
  const absl::Status error = *std::exchange(run_->steer_error, std::nullopt);
  if (seen == run_->to) {
    run_->steered = true;
  } else {
    GiveUp(error);
  }
}

void Controller::Claim() {
  if (run_->claimed != 0 || claiming_ || clock_.now() < run_->claim_at) {
    return;
  }
  if (!inputs_->store.available) {
    unfenced_ = run_->steered;
    return;  // Update() will say when it is back
  }
  if (!lease_.held() || lease_.term() != acting_term_) {
    return;
  }
  claiming_ = true;
  run_->claim_asked = true;
  ClaimRequest request;
  request.origin = run_->to == Side::kPrimary ? options_.primary : options_.minion;
  request.mode = options_.shared_claims ? ClaimMode::kShared : ClaimMode::kExclusive;
  request.floor = HighestTerm();
  request.expected = inputs_->store.term;
  effects_.Claim(request, Guarded([this, run = runs_](const absl::StatusOr<Claimed>& claim) {
                   OnClaimed(run, claim);
                 }));
}

void Controller::OnClaimed(std::uint64_t run, const absl::StatusOr<Claimed>& claim) {
  claiming_ = false;
  if (!run_.has_value() || run != runs_) {
    return;
  }
  if (!claim.ok()) {
    run_->claim_at = clock_.now() + kRetry;
    unfenced_ = run_->steered && claim.status().code() == absl::StatusCode::kUnavailable;
    Complain(fmt::format("claiming for the {}: {}", SideName(run_->to), Message(claim.status())));
    return;
  }
  run_->claimed = claim->term;
  unfenced_ = false;
  effects_.Emit("claim", fmt::format("term {} for the {}, fence at {}", claim->term,
                                     SideName(run_->to), claim->head));
}

// What fails again and again is said once.
void Controller::Complain(std::string what) {
  if (what != last_complaint_) {
    last_complaint_ = what;
    effects_.Emit("error", std::move(what));
  }
}

void Controller::Announce(Step step, StepEdge edge) const {
  if (options_.manager.on_step) {
    options_.manager.on_step(run_->to, step, edge);
  }
}

}  // namespace mimi::internal
