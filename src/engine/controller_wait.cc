// What the steps of a move wait for, the wanted row, and the history.

#include <utility>

#include <fmt/core.h>

#include "src/base/duration_text.h"
#include "src/engine/controller.h"
#include "src/engine/readiness.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kRemembered = 16;  // moves; PairView::moves

}  // namespace

// The primary follows, holds everything that the feed had, and an audit since found no difference.
bool Controller::CaughtUp() const {
  const PartStatus sink = Part(inputs_->primary_sink);
  if (!IsKnown(sink)) {
    return true;  // restore_without_state: CheckMove has asked
  }
  const PairRow& report = sink.report;
  if (!sink.heard || !report.healthy || report.syncing || report.resyncs == 0 ||
      report.reached != Phase::kRestoring) {
    return false;
  }
  const bool audited = report.audited != UnixTime{} && report.audited != run_->sink_mark.audited &&
                       report.differing == 0;
  if (!audited && !report.unauditable) {
    return false;
  }
  return options_.manager.restore_without_state || view().primary.readiness == Readiness::kReady;
}

// The target is ready, and the tail is short, as a report of the source tells that was made in this
// step: an older one may be from before it was cut off. Reports of the sink are as old as their
// interval; under load more than a short tail is made in that time. So it also counts when its
// report shows everything confirmed that there was when the report before came.
bool Controller::Drained() {
  const PartStatus sink = Part(SinkOf(*inputs_, run_->to));
  if (!IsKnown(sink)) {
    return true;
  }
  const PartStatus source = Part(SourceOf(*inputs_, OtherSide(run_->to)));
  const std::uint64_t short_tail = options_.manager.short_tail;
  const std::uint64_t waiting = source.heard ? source.report.waiting : 0;
  const bool fresh = !source.heard || source.report.beat != run_->source_mark.beat;
  const bool ready =
      options_.manager.restore_without_state || view().box(run_->to).readiness == Readiness::kReady;
  if (!sink.heard || !fresh || !ready || waiting > short_tail) {
    return false;
  }
  const std::uint64_t head = inputs_->store.head;
  const std::uint64_t behind = head > sink.report.position ? head - sink.report.position : 0;
  if (behind + waiting <= short_tail) {
    return true;
  }
  if (sink.report.beat == run_->sink_mark.beat) {
    return false;
  }
  const bool passed = sink.report.position + short_tail >= run_->head_mark;
  run_->sink_mark = sink.report;
  run_->head_mark = head;
  return passed;
}

// What the old box made until the redirect is confirmed by the target.
bool Controller::TailDrained() {
  const Side home = OtherSide(run_->to);
  if (clock_.now() >= run_->step_began + options_.manager.step_timeout) {
    effects_.Emit("error",
                  fmt::format("the tail of the {} was not confirmed within {}: claiming",
                              SideName(home), DurationText(options_.manager.step_timeout)));
    return true;
  }
  if (!run_->head.has_value()) {
    if (!SourceDrained(home)) {
      return false;
    }
    // Reports travel in the same feed: whatever the source reports as confirmed stands before them.
    run_->head = inputs_->store.head;
  }
  const PartStatus sink = Part(SinkOf(*inputs_, run_->to));
  return !IsKnown(sink) || sink.report.position >= *run_->head;
}

// The box that the traffic has left has nothing that the store lacks, or can say nothing any more.
// One that is alive and not heard (its agent starts anew, its link to the store is down) may well
// have something, and is waited for.
bool Controller::SourceDrained(Side home) const {
  const PartStatus source = Part(SourceOf(*inputs_, home));
  if (!IsKnown(source) || HealthOf(home).health == Health::kDown || ClaimantSide() == run_->to) {
    return true;
  }
  // The first report may have been made before the redirect; between it and the second one the
  // source has taken up everything. (A process that has started anew counts from 1.)
  const bool later = source.report.beat - run_->source_mark.beat >= 2;
  const bool publishes = source.report.active && !source.report.syncing;
  return source.heard && later && (publishes || options_.manager.restore_without_state) &&
         source.report.waiting == 0;
}

bool Controller::Activated() const {
  const PartStatus sink = Part(SinkOf(*inputs_, run_->to));
  return !IsKnown(sink) ||
         (sink.heard && sink.report.active && sink.report.reached == MovingPhase(run_->to));
}

PairRow Controller::MovingRow(bool active) const {
  PairRow row;
  row.kind = PairRowKind::kWanted;
  row.phase = MovingPhase(run_->to);
  row.writer = OtherSide(run_->to);
  row.planned = run_->planned;
  row.active = active || !run_->planned;
  row.redirected = run_->steered;
  row.fence = stable_.fence;
  row.since = run_->since;
  row.reason = Text<96>(run_->reason);
  return row;
}

PairRow Controller::StableRow(Side side) const {
  PairRow row;
  row.kind = PairRowKind::kWanted;
  row.phase = StablePhase(side);
  row.writer = side;
  row.active = true;
  row.fence = stable_.fence;
  row.since = stable_.since;
  row.reason = stable_.reason;
  if (run_.has_value()) {
    row.planned = run_->planned;
    row.fence = run_->claimed;
    row.since = clock_.unix_now();
    row.reason = Text<96>(run_->reason);
  }
  return row;
}

void Controller::Write(const PairRow& row) {
  if (!MayAct()) {
    written_.reset();  // nothing stands that could be confirmed
    return;
  }
  written_ = row;
  written_->lease_term = acting_term_;
  effects_.WriteWanted(*written_);
}

bool Controller::Confirmed() const {
  if (!written_.has_value() || !inputs_->wanted.has_value()) {
    return false;
  }
  const PairRow& read = *inputs_->wanted;
  return read.phase == written_->phase && read.writer == written_->writer &&
         read.planned == written_->planned && read.active == written_->active &&
         read.lease_term == written_->lease_term && read.fence == written_->fence &&
         read.since == written_->since;
}

// Two in a row to one side are one story (a failure that repeats, a move that was carried on after
// a restart): the newer tells it, so that a storm of failures does not push the history out.
void Controller::Remember(Side to, bool planned, bool succeeded, Duration took,
                          std::string reason) {
  if (to == HomeOf(stable_.phase)) {
    return;  // the traffic stays: only the claim came back
  }
  if (!moves_.empty() && moves_.back().to == to) {
    moves_.pop_back();
  }
  if (moves_.size() == kRemembered) {
    moves_.erase(moves_.begin());
  }
  moves_.push_back({.at = clock_.now(),
                    .to = to,
                    .planned = planned,
                    .succeeded = succeeded,
                    .took = took,
                    .reason = std::move(reason)});
}

}  // namespace mimi::internal
