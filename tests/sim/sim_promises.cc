// The promises (DESIGN §1), each as something that can be seen to be broken.

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>

#include "mimi/control.h"

#include "tests/sim/sim_world.h"

namespace mimi::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// What a standby that calls itself ready may lack: the staleness it admits, the time until a
// silence shows, and a report's way.
constexpr Duration kHonest = milliseconds(1500);
// A packet that makes a state change is this old at most when a planned move redirects past it.
constexpr Duration kTail = milliseconds(500);

std::string Describe(const SimBox& box, std::uint32_t id) {
  const auto held = box.flows.find(id);
  return held == box.flows.end() ? "missing" : "stamp " + std::to_string(held->second.stamp);
}

}  // namespace

void World::OnStep(Side to, Step step, StepEdge edge) {
  Trace(std::string("step ") + std::string(StepName(step)) + " to " + std::string(SideName(to)) +
        (edge == StepEdge::kBefore ? ": begins" : ": done"));
  if (edge == StepEdge::kBefore) {
    // What is redirected without a drain before it is not planned, whatever was given up before.
    planned_ = planned_ && (step != Step::kSteer || last_begun_ == Step::kActivate);
    last_begun_ = step;
  }
  if (step == Step::kDrain && edge == StepEdge::kBefore) {
    planned_ = true;
    planned_to_ = to;
  }
  if (step == Step::kSteer && edge == StepEdge::kBefore && planned_ &&
      options_.bug == Bug::kClaimFirst) {
    spy_->Claim({.origin = OriginOf(to == Side::kMinion ? "sim.minion" : "sim.primary")},
                [](const absl::StatusOr<Claimed>&) {});
  }
  if (step == Step::kCommit) {
    planned_ = false;
  }
  if (step == Step::kDrainTail && edge == StepEdge::kBefore) {
    tail_began_ = clock_.now();
  }
  if (step != Step::kDrainTail || edge != StepEdge::kAfter || !planned_redirect_.has_value() ||
      last_disaster_ + seconds(2) > clock_.now()) {
    return;
  }
  if (clock_.now() - tail_began_ >= kStepTimeout) {
    return;  // said to the operator: a box that is alive and cut off is not waited for for ever
  }
  // Promise 4: whatever the old box made before the redirect is at the target now.
  for (const auto& [id, flow] : truth_) {
    const auto held = box(to).flows.find(id);
    if (held == box(to).flows.end() || held->second.stamp != flow.stamp) {
      Break("promise 4 (restore before redirect): flow " + std::to_string(id) + " with stamp " +
            std::to_string(flow.stamp) + " is " + Describe(box(to), id) +
            " at the target when the tail counts as drained");
      return;
    }
  }
}

void World::OnRedirect(Side to) {
  Trace("traffic goes to the " + std::string(SideName(to)));
  if (traffic_ != to) {
    planned_redirect_ = planned_ ? std::optional(clock_.now()) : std::nullopt;
  }
  traffic_ = to;
}

// A packet of a live flow came to a box without its state.
void World::OnBroken(std::uint32_t id, const Truth& flow) {
  Trace("flow " + std::to_string(id) + " breaks: stamp " + std::to_string(flow.stamp) + ", here " +
        Describe(box(traffic_), id));
  if (passive_ || !planned_redirect_.has_value()) {
    return;
  }
  const bool calm =
      last_disaster_ + seconds(2) < *planned_redirect_ || last_disaster_ == MonotonicTime{};
  if (calm && flow.changed < *planned_redirect_ - kTail) {
    Break("promise 4 (restore before redirect): flow " + std::to_string(id) +
          " was established long before the planned redirect, and broke");
  }
}

// Promise 3, as the feed shows it.
void World::WatchFeed() {
  while (spy_cursor_ != nullptr) {
    absl::StatusOr<std::optional<BatchView>> next = spy_cursor_->Next();
    if (!next.ok()) {
      spy_cursor_.reset();  // trimmed past us: nothing more to be seen in this world
      break;
    }
    if (!next->has_value()) {
      break;
    }
    const BatchView& batch = **next;
    if (batch.table() == ControlSchema().table()) {
      continue;
    }
    if (!passive_ && batch.term() < fence_) {
      Break("promise 3 (fencing): a batch of term " + std::to_string(batch.term()) +
            " was stored after the claim of term " + std::to_string(fence_));
    }
    const auto [writer, added] = writers_.emplace(batch.term(), batch.origin());
    if (!added && writer->second != batch.origin()) {
      Break("promise 3 (fencing): two nodes write under term " + std::to_string(batch.term()));
    }
  }
  const StoreState state = spy_->state();
  if (state.term < fence_) {
    Break("promise 3 (fencing): the term went back");
  }
  fence_ = state.term;
}

// A row's older version never replaces a newer one (record.h), and an erase is a version too: what
// comes late must not bring a row back.
void World::OnStored(const BatchView& batch) {
  // These two store batches under other versions than they came with.
  const bool resealed = options_.bug == Bug::kFenceOff || options_.bug == Bug::kLossHidden;
  if (batch.table() != FlowSchema().table() || resealed) {
    return;
  }
  bool late = false;
  for (const RecordView record : batch) {
    Version& newest = newest_[LoadLe<std::uint32_t>(record.key.data())];
    late = late || record.version < newest;
    newest = std::max(newest, record.version);
  }
  if (!late) {
    return;
  }
  for (const auto& [id, row] : Stored()) {
    if (row.version < newest_[id]) {
      Break("versions: flow " + std::to_string(id) + " is stored with term " +
            std::to_string(row.version.term) + ", sequence " +
            std::to_string(row.version.sequence) + ", after a newer write of it");
    }
  }
}

// Promise 7, and that one manager acts.
void World::CheckStatus() {
  int acting = 0;
  for (std::size_t i = 2; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    // At the moment when it wakes up it has not looked at the clock yet.
    if (node.engine == nullptr || clock_.now() <= node.frozen_until) {
      continue;
    }
    const PairStatus status = node.engine->status();
    acting += status.acting ? 1 : 0;
    const Side standby = OtherSide(traffic_);
    const BoxView& view = status.view.box(standby);
    if (!status.acting || passive_ || status.view.traffic != traffic_ ||
        view.readiness != Readiness::kReady || !box(standby).up) {
      continue;
    }
    for (const auto& [id, flow] : truth_) {
      const auto held = box(standby).flows.find(id);
      const bool there = held != box(standby).flows.end() && held->second.stamp == flow.stamp;
      // What the box with the traffic does not hold itself, nobody can know.
      const auto here = box(traffic_).flows.find(id);
      const bool known = here != box(traffic_).flows.end() && here->second.stamp == flow.stamp;
      if (known && !there && flow.changed + kHonest < clock_.now() &&
          last_disaster_ + kHonest < clock_.now()) {
        Break("promise 7 (honest readiness): ready, but flow " + std::to_string(id) +
              " with stamp " + std::to_string(flow.stamp) + " is " + Describe(box(standby), id));
        return;
      }
    }
  }
  if (acting > 1 && last_replacement_ + seconds(1) < clock_.now()) {
    Break("one manager acts: two think that they hold the lease");
  }
}

// Promise 6: one entry for each key at most, in what waits to be sent and in what a data plane has
// to be told; and the feed within its limit (a chunk for each reader that lags is on top:
// memory_store.h).
void World::CheckMemory() {
  // One entry per key, and the batch that is being filled, which counts as waiting: at most
  // (1024 - 76) / 13 records (Quicken).
  constexpr double kMost = kIds + 73;
  for (const Node& node : nodes_) {
    if (node.engine == nullptr || !node.side.has_value()) {
      continue;
    }
    for (const Metric& metric : node.engine->metrics()) {
      if ((metric.name == "mimi_source_pending" || metric.name == "mimi_sink_waiting" ||
           metric.name == "mimi_sink_rows") &&
          metric.value > kMost) {
        Break("promise 6 (bounded memory): " + node.name + ": " + std::string(metric.name) +
              " is " + std::to_string(metric.value) + " with " + std::to_string(kIds) + " keys");
      }
    }
  }
  if (const std::uint64_t bytes = spy_->state().feed_bytes; bytes > 2 * feed_limit_) {
    Break("promise 6 (bounded memory): the feed takes " + std::to_string(bytes) + " bytes");
  }
}

std::map<std::uint32_t, World::StoredRow> World::Stored() {
  std::map<std::uint32_t, StoredRow> stored;
  absl::StatusOr<std::unique_ptr<Cursor>> rows = spy_->Snapshot(FlowSchema().table(), [] {});
  while (rows.ok() && !(*rows)->done()) {
    const absl::StatusOr<std::optional<BatchView>> batch = (*rows)->Next();
    if (!batch.ok() || !batch->has_value()) {
      break;
    }
    for (const RecordView record : **batch) {
      if (record.op == Op::kPut) {  // tombstones come as erases
        stored[LoadLe<std::uint32_t>(record.key.data())] = {
            LoadLe<std::uint64_t>(record.row.data() + 4), record.origin, record.version};
      }
    }
  }
  return stored;
}

// Promises 2 and 5 at rest: the box with the traffic, the other box and the repository agree with
// what is alive.
bool World::Converged(std::string* why) {
  // A resync never takes a row from another origin (DESIGN §2). So where an end was lost with a
  // crash or a driver's loss, and the other box had written the row last, it stays.
  const std::map<std::uint32_t, StoredRow> stored = Stored();
  const Origin other = OriginOf(traffic_ == Side::kPrimary ? "sim.minion" : "sim.primary");
  const auto excused = [&](std::uint32_t id) {
    const auto row = stored.find(id);
    return untold_ends_.contains(id) && row != stored.end() && row->second.origin == other;
  };
  const auto compare = [&](const auto& flows, const std::string& where) {
    for (const auto& [id, flow] : truth_) {
      const auto held = flows.find(id);
      if (held == flows.end() || held->second.stamp != flow.stamp) {
        *why = "promise 2 (no silent loss): flow " + std::to_string(id) + " with stamp " +
               std::to_string(flow.stamp) + " is not " + where +
               (held == flows.end() ? "" : "; stamp " + std::to_string(held->second.stamp) + " is");
        return false;
      }
    }
    for (const auto& [id, flow] : flows) {
      if (!truth_.contains(id) && !excused(id)) {
        *why = "promise 2 (no silent loss): flow " + std::to_string(id) + " ended, but is still " +
               where;
        return false;
      }
    }
    return true;
  };
  if (!compare(box(traffic_).flows, "at the box with the traffic") ||
      !compare(stored, "in the repository") ||
      !compare(box(OtherSide(traffic_)).flows, "at the standby")) {
    return false;
  }
  int acting = 0;
  for (std::size_t i = 2; i < nodes_.size(); ++i) {
    const PairStatus status = nodes_[i].engine->status();
    if (!status.acting) {
      continue;
    }
    ++acting;
    const Phase phase = traffic_ == Side::kPrimary ? Phase::kOnPrimary : Phase::kOnMinion;
    if (status.view.phase != phase || status.view.unfenced) {
      *why = "one path: traffic is at the " + std::string(SideName(traffic_)) + ", the phase is " +
             std::string(PhaseName(status.view.phase)) + (status.view.unfenced ? ", unfenced" : "");
      return false;
    }
    const BoxView& standby = status.view.box(OtherSide(traffic_));
    if (standby.readiness != Readiness::kReady) {
      *why = "promise 7 (honest readiness): the standby is complete, but " +
             std::string(ReadinessName(standby.readiness)) + ": " + standby.readiness_reason;
      return false;
    }
  }
  *why = "no manager acts";
  return acting == 1;
}

// What a box's own audit says, once its replica has read what it was kept from; and none takes
// anything away that was right. (The traffic has stopped.)
void World::CheckAudits() {
  const MonotonicTime end = clock_.now() + seconds(10);
  std::string why;
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    std::uint64_t differing = 1;
    while (differing != 0 && clock_.now() < end && !broken_.has_value()) {
      agent(side).engine->Audit(side, [&differing](const absl::StatusOr<AuditResult>& result) {
        differing = result.ok() ? result->differing() : 1;
      });
      StepUntil(clock_.now() + milliseconds(500));
    }
    if (differing != 0) {
      Break("audit of the " + std::string(SideName(side)) + ": " + std::to_string(differing) +
            " rows differ");
    }
  }
  while (!broken_.has_value() && !Converged(&why)) {
    if (clock_.now() >= end) {
      Break("after the audits: " + why);
    }
    StepUntil(clock_.now() + milliseconds(100));
  }
}

}  // namespace mimi::sim
