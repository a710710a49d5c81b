// Traffic, and what goes wrong.

#include <chrono>
#include <string>
#include <vector>

#include "tests/sim/sim_world.h"

namespace mimi::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kIdleTimeout = milliseconds(400);

std::string Name(Side side) {
  return std::string(SideName(side));
}

}  // namespace

// One packet that matters, at the box where traffic goes.
void World::Traffic() {
  SimBox& here = box(traffic_);
  if (!here.up) {
    return;
  }
  const auto id = static_cast<std::uint32_t>(Dice(ids_));
  const auto live = truth_.find(id);
  if (live == truth_.end()) {
    if (Dice(births_) == 0) {
      Change(id);
    }
    return;
  }
  const auto held = here.flows.find(id);
  if (held == here.flows.end() || held->second.stamp != live->second.stamp) {
    OnBroken(id, live->second);
    truth_.erase(live);
    return;
  }
  if (Dice(4) == 0) {
    EndFlow(id, false);
    return;
  }
  Change(id);
}

void World::EndFlow(std::uint32_t id, bool abrupt) {
  SimBox& here = box(traffic_);
  truth_.erase(id);
  here.flows.erase(id);
  bool told = here.driver != nullptr && here.driver->Ended(id, abrupt);
  // A box does not know that the traffic came before it has claimed, or is told to expect it, and a
  // standby's idle entries count for nothing.
  told = told && !(abrupt && spy_->state().claimant != OriginOf("sim." + Name(traffic_)));
  told ? (void)untold_ends_.erase(id) : (void)untold_ends_.insert(id);
}

// The agent's process dies: the ends that it was told, and the repository was not, are forgotten.
void World::LoseAgent(Side side) {
  StopNode(agent(side));
  for (const auto& [id, row] : Stored()) {
    if (!truth_.contains(id)) {
      untold_ends_.insert(id);
    }
  }
}

// A packet makes a flow, or changes its state.
void World::Change(std::uint32_t id) {
  SimBox& here = box(traffic_);
  const std::uint64_t stamp = next_stamp_++;
  truth_[id] = {stamp, clock_.now()};
  here.flows[id] = {stamp, clock_.now()};
  untold_ends_.erase(id);
  if (here.driver != nullptr) {
    here.driver->Changed(id, stamp);
  }
}

// Every live flow sends a packet, and one of them makes a state change: where traffic is, there
// are events. What is idle at the box with the traffic times out there.
void World::Touch() {
  SimBox& here = box(traffic_);
  if (const auto one = truth_.begin(); one != truth_.end() && here.flows.contains(one->first) &&
                                       here.flows[one->first].stamp == one->second.stamp) {
    Change(one->first);
  } else if (one == truth_.end()) {
    Change(0);
  }
  for (auto flow = truth_.begin(); flow != truth_.end();) {
    const auto held = here.flows.find(flow->first);
    if (held == here.flows.end() || held->second.stamp != flow->second.stamp) {
      OnBroken(flow->first, flow->second);
      flow = truth_.erase(flow);
    } else {
      held->second.touched = clock_.now();
      ++flow;
    }
  }
  std::vector<std::uint32_t> idle;
  for (const auto& [id, flow] : here.flows) {
    if (!truth_.contains(id) && clock_.now() - flow.touched > kIdleTimeout) {
      idle.push_back(id);
    }
  }
  for (const std::uint32_t id : idle) {
    EndFlow(id, true);
  }
}

void World::PlanFaults() {
  if (!options_.cuts.empty()) {
    if (options_.divert) {
      At(milliseconds(780), [this] { AskForMove(Side::kMinion); });
    }
    At(milliseconds(800), [this] { CutApart(); });
    return;
  }
  const std::size_t faults = Dice(5);
  for (std::size_t i = 0; i < faults; ++i) {
    At(Milliseconds(200, 2800), [this] { OneFault(); });
  }
  if (Dice(4) != 0) {
    At(Milliseconds(800, 1500), [this] { AskForMove(Side::kMinion); });
    At(Milliseconds(1600, 2600), [this] { AskForMove(Side::kPrimary); });
  }
}

void World::OneFault() {
  Node& node = nodes_[Dice(nodes_.size())];
  const Side side = Dice(2) == 0 ? Side::kPrimary : Side::kMinion;
  // Where the network steers, a cut uplink is what moves traffic.
  switch (passive_ && Dice(2) == 0 ? 9 : Dice(11)) {
    case 0:
    case 1:
      CrashBox(side, Dice(2) == 0);
      break;
    case 2:
      Trace(node.name + ": its process is killed");
      if (node.side == traffic_ && planned_ && planned_to_ == traffic_) {
        // The target, just after the redirect: one that starts anew cannot tell what the tail has
        // for it from what traffic has done at it since.
        last_disaster_ = clock_.now();
      }
      node.side.has_value() ? LoseAgent(*node.side) : StopNode(node);
      At(Milliseconds(20, 600), [this, &node] {
        if (node.engine == nullptr && (!node.side.has_value() || box(*node.side).up)) {
          StartNode(node);
        }
      });
      break;
    case 3:
      node.frozen_until = clock_.now() + Milliseconds(50, 1500);
      Trace(node.name + ": frozen");
      break;
    case 4:
    case 5:
      SetLink(node, false);
      At(Milliseconds(50, 1200), [this, &node] { SetLink(node, true); });
      break;
    case 6:
      if (agent(side).driver != nullptr) {
        last_disaster_ = clock_.now();
        Trace(agent(side).name + ": its driver loses events");
        agent(side).driver->LoseNext(1 + Dice(Dice(2) == 0 ? 5 : 40));
      }
      break;
    case 7:
      clock_.StepUnixTime(Dice(2) == 0 ? Duration(seconds(3600)) : Duration(-seconds(3600)));
      break;
    case 8:
      ReplaceRepository();
      break;
    case 9:
      if (passive_) {
        CutUplink(agent(traffic_));
      }
      break;
    case 10:
      CutSteering();
      break;
    default:
      break;
  }
}

// Where the network steers, traffic leaves a box that lost its uplink, and what the box has yet to
// say of it waits.
void World::CutUplink(Node& node) {
  if (node.sim_store != nullptr) {
    Trace(node.name + ": what it sends is late, and nothing answers");
    node.sim_store->set_slow();
  }
  At(Milliseconds(5, 60), [this, &node] { SetLink(node, false); });
  At(Milliseconds(1, 30), [this, to = OtherSide(*node.side)] {
    if (box(to).up) {
      Trace("the network sends the traffic to the " + Name(to));
      traffic_ = to;
    }
  });
  At(Milliseconds(70, 1500), [this, &node] { SetLink(node, true); });
  At(Milliseconds(700, 1500), [this, back = *node.side] {
    if (box(back).up) {
      Trace("the network sends the traffic back to the " + Name(back));
      traffic_ = back;
    }
  });
}

void World::CutApart() {
  for (const Cut cut : options_.cuts) {
    const auto at = static_cast<std::size_t>(cut);
    if (cut < Cut::kManager1Primary) {
      SetLink(nodes_[at], false);
      continue;
    }
    Node& manager = nodes_[2 + at % 2];
    const Side side = cut < Cut::kManager1Minion ? Side::kPrimary : Side::kMinion;
    Trace(manager.name + ": cut off from the " + Name(side));
    manager.engine->Report({side, Health::kDown, clock_.now(), "cut off"});
  }
}

// Managers cannot see where traffic goes, and perhaps their redirects fail, too.
void World::CutSteering() {
  unseen_until_ = clock_.now() + Milliseconds(50, 1500);
  if (Dice(2) == 0) {
    deaf_until_ = clock_.now() + Milliseconds(20, 800);
  }
  Trace(clock_.now() < deaf_until_ ? "steering is blind and deaf" : "steering is blind");
}

void World::Tell(Side side, Health health) {
  for (std::size_t i = 2; i < nodes_.size(); ++i) {
    if (nodes_[i].engine != nullptr) {
      nodes_[i].engine->Report({side, health, clock_.now(), "sim"});
    }
  }
}

void World::CrashBox(Side side, bool loud) {
  SimBox& it = box(side);
  if (!it.up) {
    return;
  }
  last_disaster_ = clock_.now();
  Trace(std::string(SideName(side)) + (loud ? ": the box dies loudly" : ": the box dies"));
  if (loud && it.driver != nullptr) {
    for (const auto& [id, flow] : it.flows) {
      it.driver->Ended(id, true);
    }
  }
  it.flows.clear();
  it.up = false;
  // Its last words may still leave.
  At(loud ? Milliseconds(1, 30) : Duration(0), [this, side] { LoseAgent(side); });
  At(Milliseconds(20, 60), [this, side] {
    if (!box(side).up) {
      Tell(side, Health::kDown);
    }
  });
  if (passive_ && traffic_ == side) {
    At(Milliseconds(1, 10), [this, side] {
      if (box(OtherSide(side)).up) {
        traffic_ = OtherSide(side);
      }
    });
  }
  At(Milliseconds(200, 1200), [this, side] { Reboot(side); });
}

void World::Reboot(Side side) {
  if (box(side).up) {
    return;
  }
  Trace(std::string(SideName(side)) + ": the box is back, empty");
  last_disaster_ = clock_.now();
  box(side).up = true;
  StartNode(agent(side));
  At(Milliseconds(20, 100), [this, side] {
    if (box(side).up) {
      Tell(side, Health::kUp);
    }
  });
  if (passive_) {
    if (!box(traffic_).up) {
      traffic_ = side;
    }
    At(Milliseconds(500, 1000), [this] {
      if (box(Side::kPrimary).up) {
        traffic_ = Side::kPrimary;
      }
    });
  }
}

void World::ReplaceRepository() {
  Trace("the repository is replaced by an empty one");
  last_disaster_ = last_replacement_ = clock_.now();
  feed_limit_ = std::size_t{1} << 20;
  repository_ = NewRepository();
  for (Node& node : nodes_) {
    if (node.sim_store != nullptr) {
      node.store->set_available(false);  // what was on its way does not arrive
      node.sim_store->MoveTo(repository_);
      node.store->set_available(node.link_up);
    }
  }
  spy_cursor_.reset();
  spy_ = *NewMemoryStore({.repository = repository_}, *spy_loop_);
  spy_cursor_ = *spy_->Watch({}, [] {});
  fence_ = 0;
  writers_.clear();
  newest_.clear();
}

void World::AskForMove(Side to) {
  for (std::size_t i = 2; i < nodes_.size(); ++i) {
    if (nodes_[i].engine == nullptr || frozen(nodes_[i])) {
      continue;
    }
    const auto done = [this, to](const absl::Status& status) {
      Trace(std::string("asked to move to ") + std::string(SideName(to)) + ": " +
            status.ToString());
    };
    if (to == Side::kMinion) {
      nodes_[i].engine->Divert(done);
    } else {
      nodes_[i].engine->Restore(done);
    }
  }
}

// What went wrong is over; what is down comes up.
void World::Heal() {
  Trace("everything is mended");
  events_.clear();
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    box(side).up = true;
  }
  for (Node& node : nodes_) {
    node.frozen_until = clock_.now();
    node.link_up = true;
    if (node.engine == nullptr) {
      StartNode(node);
    }
    node.store->set_faults({});
    node.store->set_available(true);
    node.sim_store->set_link(true);
  }
  unseen_until_ = deaf_until_ = clock_.now();
  if (passive_) {
    traffic_ = Side::kPrimary;
  }
  At(milliseconds(50), [this] {
    Tell(Side::kPrimary, Health::kUp);
    Tell(Side::kMinion, Health::kUp);
  });
}

}  // namespace mimi::sim
