// What the controller knows: the reports, aged; health; the view that the policy sees; the next
// deadline.

#include <algorithm>

#include <fmt/core.h>

#include "src/base/duration_text.h"
#include "src/engine/controller.h"
#include "src/engine/readiness.h"

namespace mimi::internal {

bool WantsActive(const PairRow& wanted, Side side) {
  const Side home = HomeOf(wanted.phase);
  const bool moving = wanted.phase != StablePhase(home);
  return side == home || (moving && wanted.active);
}

bool MayClaim(const PairRow& wanted, Side side) {
  const bool moving = wanted.phase != StablePhase(HomeOf(wanted.phase));
  return wanted.writer == side && (!moving || wanted.planned);
}

bool Controller::Alone() const {
  return options_.manager.sole && inputs_.has_value() && !inputs_->store.available;
}

// As of now: time has gone by since it was told.
PartStatus Controller::Part(const PartStatus& part) const {
  PartStatus aged = part;
  const Duration gone = clock_.now() - inputs_at_;
  aged.since_heard =
      part.since_heard > Duration::max() - gone ? Duration::max() : part.since_heard + gone;
  aged.heard = part.heard && aged.since_heard <= options_.blind_after;
  return aged;
}

// How long the primary's source is silent; nullopt where that tells nothing: while the store is
// away no report can come, and after it is back they need their time.
std::optional<Duration> Controller::SourceSilence() const {
  if (options_.manager.source_silence <= Duration::zero() || !inputs_.has_value() ||
      !IsKnown(inputs_->primary_source) || !inputs_->store.available) {
    return std::nullopt;
  }
  const Duration silence = Part(inputs_->primary_source).since_heard;
  return std::min<Duration>(silence, clock_.now() - store_back_at_);
}

Controller::SeenHealth Controller::HealthOf(Side side) const {
  const SeenHealth& seen = health_[static_cast<std::size_t>(side)];
  if (side != Side::kPrimary || seen.health == Health::kDown) {
    return seen;
  }
  const std::optional<Duration> silence = SourceSilence();
  if (!silence.has_value()) {
    return seen;
  }
  const Duration limit = options_.manager.source_silence;
  if (*silence >= limit) {
    return {.health = Health::kDown,
            .since = clock_.now() - (*silence - limit),
            .reason = fmt::format("its source is silent for {}", DurationText(*silence))};
  }
  if (seen.health == Health::kUnknown) {
    return {.health = Health::kUp,
            .since = source_heard_since_.value_or(clock_.now()),
            .reason = "its source is heard"};
  }
  return seen;
}

std::optional<Side> Controller::ClaimantSide() const {
  if (!inputs_.has_value() || inputs_->store.claimant == 0) {
    return std::nullopt;
  }
  if (inputs_->store.claimant == options_.primary) {
    return Side::kPrimary;
  }
  if (inputs_->store.claimant == options_.minion) {
    return Side::kMinion;
  }
  return std::nullopt;
}

std::uint64_t Controller::HighestTerm() const {
  return std::max({inputs_->store.term, stable_.fence, inputs_->primary_source.report.term,
                   inputs_->minion_source.report.term});
}

// A source that begins to publish, or to resync, has something that stands nowhere yet, and says so
// (`syncing`). Where the feed is when all of that is in it, is what the standby has to confirm.
void Controller::WatchPublished() {
  const Side home = stance_ == Stance::kActing || !inputs_->wanted.has_value()
                        ? traffic_
                        : inputs_->wanted->writer;
  const PairRow& report = SourceOf(*inputs_, home).report;
  if (!report.active || report.syncing) {
    published_ = {};
    return;
  }
  if (report.term != published_.term) {
    published_ = {.term = report.term, .head = inputs_->store.head};
  }
  // Once is enough: a sink that falls back later says so itself.
  if (SinkOf(*inputs_, OtherSide(home)).report.position >= *published_.head) {
    published_.head = 0;
  }
}

PairView Controller::view() const {
  PairView view;
  view.moves = moves_;
  view.unfenced = unfenced_;
  if (!inputs_.has_value()) {
    return view;
  }
  if (stance_ == Stance::kActing) {
    view.phase = run_.has_value() ? MovingPhase(run_->to) : stable_.phase;
    view.traffic = traffic_;
  } else if (inputs_->wanted.has_value()) {
    view.phase = inputs_->wanted->phase;
    view.traffic = inputs_->wanted->writer;
    view.unfenced = unfenced_ && traffic_ != view.traffic;
  }
  const PartStatus primary_source = Part(inputs_->primary_source);
  const PartStatus primary_sink = Part(inputs_->primary_sink);
  const PartStatus minion_source = Part(inputs_->minion_source);
  const PartStatus minion_sink = Part(inputs_->minion_sink);
  view.primary = AssessBox({.side = Side::kPrimary,
                            .sink = primary_sink,
                            .source = minion_source,
                            .store = inputs_->store,
                            .restore_without_state = options_.manager.restore_without_state,
                            .standby = view.traffic == Side::kMinion,
                            .published = published_.head});
  view.minion = AssessBox({.side = Side::kMinion,
                           .sink = minion_sink,
                           .source = primary_source,
                           .store = inputs_->store,
                           .standby = view.traffic == Side::kPrimary,
                           .published = published_.head});
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    BoxView& box = side == Side::kPrimary ? view.primary : view.minion;
    SeenHealth seen = HealthOf(side);
    box.health = seen.health;
    box.health_since = seen.since;
    box.health_reason = std::move(seen.reason);
  }
  return view;
}

std::optional<Step> Controller::step() const {
  if (!run_.has_value()) {
    return std::nullopt;
  }
  for (std::size_t at = 0; at < run_->plan.size(); ++at) {
    if (run_->progress[at] != Progress::kDone) {
      return run_->plan[at].step;
    }
  }
  return std::nullopt;
}

// When a step that has begun wants to be looked at, if nothing comes that it waits for.
std::optional<MonotonicTime> Controller::StepDeadline(Step step) const {
  if (step == Step::kSteer) {
    if (run_->steered || steering_ || (run_->steer_error.has_value() && observing_)) {
      return std::nullopt;
    }
    return run_->steer_error.has_value() ? retry_at_ : run_->steer_at;
  }
  if (step == Step::kClaim) {
    if (run_->claimed != 0 || claiming_ || !inputs_->store.available) {
      return std::nullopt;
    }
    return run_->claim_at;
  }
  if (run_->planned && IsWait(step)) {
    return run_->step_began + options_.manager.step_timeout;
  }
  return std::nullopt;
}

std::optional<MonotonicTime> Controller::NextDeadline() const {
  std::optional<MonotonicTime> next = lease_.NextDeadline();
  const auto at = [&next](MonotonicTime time) {
    next = next.has_value() ? std::min(*next, time) : time;
  };
  if (const std::optional<Duration> silence = SourceSilence();
      silence.has_value() && *silence < options_.manager.source_silence) {
    at(clock_.now() + (options_.manager.source_silence - *silence));
  }
  switch (stance_) {
    case Stance::kWatching:
      return next;
    case Stance::kTaking:
      if (!boarding_) {
        at(retry_at_);
      }
      return next;
    case Stance::kLooking:
      if (!observing_) {
        at(retry_at_);
      }
      return next;
    case Stance::kActing:
      break;
  }
  if (decide_at_.has_value()) {
    at(*decide_at_);
  }
  if (!run_.has_value()) {
    if (!observing_) {
      at(observe_at_);
    }
    return next;
  }
  for (std::size_t i = 0; i < run_->plan.size(); ++i) {
    if (run_->progress[i] == Progress::kBegun) {
      if (const std::optional<MonotonicTime> due = StepDeadline(run_->plan[i].step);
          due.has_value()) {
        at(*due);
      }
    }
  }
  return next;
}

}  // namespace mimi::internal
