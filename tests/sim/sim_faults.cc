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

}  // namespace

// One packet that matters, at the box where traffic goes.
void World::Traffic() {
  SimBox& here = box(traffic_);
  if (!here.up) {
    return;
  }
  const auto id = static_cast<std::uint32_t>(Dice(kIds));
  const auto live = truth_.find(id);
  if (live == truth_.end()) {
    const std::uint64_t stamp = next_stamp_++;
    truth_[id] = {stamp, clock_.now()};
    here.flows[id] = {stamp, clock_.now()};
    if (here.driver != nullptr) {
      here.driver->Changed(id, stamp);
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
    truth_.erase(live);
    here.flows.erase(held);
    if (here.driver != nullptr) {
      here.driver->Ended(id, false);
    }
    return;
  }
  const std::uint64_t stamp = next_stamp_++;
  live->second = {stamp, clock_.now()};
  held->second = {stamp, clock_.now()};
  if (here.driver != nullptr) {
    here.driver->Changed(id, stamp);
  }
}

// Every live flow sends a packet; what is idle at the box with the traffic times out there.
void World::Touch() {
  SimBox& here = box(traffic_);
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
    here.flows.erase(id);
    if (here.driver != nullptr) {
      here.driver->Ended(id, true);
    }
  }
}

void World::PlanFaults() {
  const std::size_t faults = Dice(5);
  for (std::size_t i = 0; i < faults; ++i) {
    At(Milliseconds(200, 2800), [this] { OneFault(); });
  }
  if (Dice(2) == 0) {
    At(Milliseconds(800, 1500), [this] { AskForMove(Side::kMinion); });
    At(Milliseconds(1600, 2600), [this] { AskForMove(Side::kPrimary); });
  }
}

void World::OneFault() {
  Node& node = nodes_[Dice(nodes_.size())];
  const Side side = Dice(2) == 0 ? Side::kPrimary : Side::kMinion;
  switch (Dice(9)) {
    case 0:
    case 1:
      CrashBox(side, Dice(2) == 0);
      break;
    case 2:
      Trace(node.name + ": its process is killed");
      if (node.side.has_value()) {
        // What its lane held is gone with it. This also hides that the sink of a box with traffic
        // loads the store's older rows over newer ones when only its process restarts: not mended
        // yet.
        last_disaster_ = clock_.now();
      }
      StopNode(node);
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
        agent(side).driver->LoseNext(1 + Dice(5));
      }
      break;
    case 7:
      clock_.StepUnixTime(Dice(2) == 0 ? Duration(seconds(3600)) : Duration(-seconds(3600)));
      break;
    case 8:
      ReplaceRepository();
      break;
    default:
      break;
  }
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
  At(loud ? Milliseconds(1, 30) : Duration(0), [this, side] { StopNode(agent(side)); });
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
  repository_ = NewMemoryRepository({.feed_bytes = feed_limit_}, clock_);
  for (Node& node : nodes_) {
    if (node.sim_store != nullptr) {
      node.sim_store->MoveTo(repository_);
    }
  }
  spy_cursor_.reset();
  spy_ = *NewMemoryStore({.repository = repository_}, *spy_loop_);
  spy_cursor_ = *spy_->Watch({}, [] {});
  fence_ = 0;
  writers_.clear();
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
  if (passive_) {
    traffic_ = Side::kPrimary;
  }
  At(milliseconds(50), [this] {
    Tell(Side::kPrimary, Health::kUp);
    Tell(Side::kMinion, Health::kUp);
  });
}

}  // namespace mimi::sim
