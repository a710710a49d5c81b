#include "tests/sim/sim_world.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "mimi/builtin/policies.h"

namespace mimi::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kHistory = seconds(3);
constexpr Duration kHealing = seconds(40);
constexpr Duration kTrafficEvery = milliseconds(10);

// A pair's usual times, shortened together, and a slower tick: a seed takes milliseconds.
void Quicken(EngineOptions& options) {
  options.max_staleness = milliseconds(300);
  options.report_every = milliseconds(100);
  options.blind_after = milliseconds(800);
  options.audit_every = Duration(0);
  options.publish.ring_slots = 1024;
  options.publish.batch_size = 1024;
  options.publish.drain_every = milliseconds(5);
  options.publish.drain_idle = milliseconds(40);
  options.publish.heartbeat = milliseconds(100);
  options.publish.resync_min = milliseconds(50);
  options.publish.resync_max = milliseconds(400);
  options.publish.retry_max = milliseconds(200);
  options.publish.erase_linger = milliseconds(200);
  options.publish.burst_min = 8;
}

}  // namespace

World::World(const WorldOptions& options) : options_(options), random_(options.seed) {
  passive_ = Dice(5) == 0 && options_.cuts.empty();
  ids_ = Dice(2) == 0 ? kIds : kIds / 4;
  births_ = Dice(2) == 0 ? 1 : 8;
  repeats_ = Dice(2) == 0;
  // Versions of what was erased are needed for as long as late batches can come.
  feed_limit_ = Dice(4) == 0 ? std::size_t{16} << 10 : std::size_t{1} << 20;
  repository_ = NewRepository();
  boxes_.resize(2);
  boxes_[1].side = Side::kMinion;
  nodes_.resize(options_.cuts.empty() ? 3 + Dice(2) : 4);
  nodes_[0].name = "primary";
  nodes_[0].side = Side::kPrimary;
  nodes_[1].name = "minion";
  nodes_[1].side = Side::kMinion;
  for (std::size_t i = 2; i < nodes_.size(); ++i) {
    nodes_[i].name = "manager-" + std::to_string(i - 1);
  }
  spy_loop_ = std::make_unique<VirtualLoop>(clock_);
  spy_ = *NewMemoryStore({.repository = repository_}, *spy_loop_);
  spy_cursor_ = *spy_->Watch({}, [] {});
}

std::shared_ptr<MemoryRepository> World::NewRepository() const {
  MemoryStoreOptions options{.feed_bytes = feed_limit_};
  if (options_.bug == Bug::kTombstonesOff) {
    options.max_tombstones = 1;
  }
  return NewMemoryRepository(options, clock_);
}

World::~World() {
  for (Node& node : nodes_) {
    StopNode(node);
  }
}

void World::Trace(const std::string& text) const {
  if (options_.trace) {
    const auto at = clock_.now().time_since_epoch() - seconds(1000);
    std::printf("%10.4f  %s\n", std::chrono::duration<double>(at).count(), text.c_str());
  }
}

void World::Break(const std::string& promise) {
  if (!broken_.has_value()) {
    broken_ = promise;
    Trace("BROKEN: " + promise);
  }
}

Duration World::Milliseconds(int from, int to) {
  return milliseconds(std::uniform_int_distribution<int>(from, to)(random_));
}

void World::At(Duration after, std::function<void()> event) {
  events_.emplace(clock_.now() + after, std::move(event));
}

void World::StartNode(Node& node) {
  node.loop = std::make_unique<VirtualLoop>(clock_);
  node.sim_store = std::make_unique<SimStore>(
      repository_, *node.loop, options_.bug,
      [this](const BatchView& batch) {
        OnStored(batch);
        RepeatLater(batch);
      },
      [this](const BatchView& batch) { StoreLater(batch, Milliseconds(300, 1500)); });
  node.store = std::make_unique<FaultStore>(
      *node.sim_store, *node.loop, random_(),
      healing_ ? Faults{}
               : Faults{.refuse = 0.02, .lose = 0.005, .confirm_after = Milliseconds(0, 20)});
  node.store->set_available(node.link_up);
  node.sim_store->set_link(node.link_up);
  EngineOptions options;
  Quicken(options);
  options.pair = "sim";
  options.store = node.store.get();
  options.seed = random_() | 1;
  options.shared_claims = passive_;
  options.on_event = [this, &node](const PairEvent& event) {
    Trace(node.name + ": " + event.kind + ": " + event.detail);
  };
  if (node.side.has_value()) {
    node.driver = std::make_unique<SimDriver>(box(*node.side), FlowSchema());
    node.minion = std::make_unique<SimMinion>(box(*node.side), FlowSchema(), *node.loop,
                                              [this] { return !healing_ && Dice(50) == 0; });
    BoxOptions& mine = *node.side == Side::kPrimary ? options.primary : options.minion;
    mine.drivers = {node.driver.get()};
    mine.minions = {node.minion.get()};
  } else {
    node.policy = NewImmediatePolicy();
    node.steering = std::make_unique<SimSteering>(*this, *node.loop, passive_);
    ManagerOptions manage;
    manage.node = node.name;
    manage.policy = node.policy.get();
    manage.steering = node.steering.get();
    manage.lease_ttl = milliseconds(500);
    manage.step_timeout = kStepTimeout;
    manage.short_tail = 16;
    manage.on_step = [this](Side to, Step step, StepEdge edge) {
      OnStep(to, step, edge);
    };
    options.manager = manage;
  }
  absl::StatusOr<std::unique_ptr<Engine>> engine = NewEngine(std::move(options), *node.loop);
  if (!engine.ok()) {
    Break("the engine was refused: " + engine.status().ToString());
    return;
  }
  node.engine = *std::move(engine);
  (void)node.engine->Start();
  Trace(node.name + " starts");
}

// The network may bring a batch again, long after its writer has gone on.
void World::RepeatLater(const BatchView& batch) {
  if (repeats_ && !healing_ && !batch.empty() && Dice(20) == 0) {
    StoreLater(batch, Milliseconds(1, 300));
  }
}

void World::StoreLater(const BatchView& batch, Duration after) {
  std::vector<std::byte> bytes(batch.bytes().begin(), batch.bytes().end());
  At(after, [this, bytes = std::move(bytes), to = repository_] {
    const BatchView late = *BatchView::Parse(bytes);
    if (to == repository_ && spy_->Apply(late).ok()) {
      OnStored(late);
    }
  });
}

// Like kill -9: nothing is handed over.
void World::StopNode(Node& node) {
  node.engine.reset();
  node.minion.reset();
  node.driver.reset();
  node.steering.reset();
  node.policy.reset();
  node.store.reset();
  node.sim_store.reset();
  node.loop.reset();
}

void World::SetLink(Node& node, bool up) {
  node.link_up = up;
  if (node.store != nullptr) {
    Trace(node.name + (up ? ": the store is back" : ": the store is gone"));
    node.store->set_available(up);
    node.sim_store->set_link(up);
  }
}

bool World::RunLoops() {
  bool ran = false;
  for (Node& node : nodes_) {
    // A crash inside a callback would pull the loop from under itself, so it is done by events
    // only.
    if (node.engine != nullptr && !frozen(node)) {
      ran = node.loop->RunOnce() || ran;
      WatchFeed();
    }
  }
  return ran;
}

void World::StepUntil(MonotonicTime until) {
  while (!broken_.has_value() && clock_.now() < until) {
    for (int turns = 0; RunLoops(); ++turns) {
      if (turns > 10'000) {
        Break("liveness: the loops never come to rest at one moment");
        return;
      }
    }
    MonotonicTime next = until;
    if (!events_.empty()) {
      next = std::min(next, events_.begin()->first);
    }
    for (const Node& node : nodes_) {
      if (node.engine != nullptr) {
        const MonotonicTime due = node.loop->NextDeadline().value_or(until);
        next = std::min(next, std::max(due, node.frozen_until));
      }
    }
    clock_.AdvanceTo(next);
    while (!events_.empty() && events_.begin()->first <= clock_.now()) {
      const std::function<void()> event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
  }
}

std::optional<std::string> World::Run() {
  Trace(passive_ ? "the network steers" : "managers steer");
  for (Node& node : nodes_) {
    StartNode(node);
  }
  const MonotonicTime end = clock_.now() + kHistory;
  std::function<void()> traffic = [&] {
    if (!healing_) {
      Traffic();
      At(kTrafficEvery, traffic);
    }
  };
  std::function<void()> status = [&] {
    CheckStatus();
    CheckMemory();
    At(milliseconds(100), status);
  };
  traffic();
  status();
  PlanFaults();
  StepUntil(end);

  healing_ = true;
  Heal();
  const MonotonicTime give_up = clock_.now() + kHealing;
  std::string why;
  while (!broken_.has_value()) {
    StepUntil(clock_.now() + milliseconds(200));
    if (Converged(&why)) {
      break;
    }
    Touch();
    if (clock_.now() >= give_up) {
      Break("convergence: " + why);
    }
  }
  if (!broken_.has_value() && !options_.cuts.empty()) {
    CheckAudits();
  }
  return broken_;
}

void SimSteering::Observe(ObserveCallback done) {
  loop_.Post([this, done = std::move(done)] {
    done(world_.clock_.now() < world_.unseen_until_
             ? absl::StatusOr<Side>(absl::UnavailableError("sim: no way there"))
             : world_.traffic_);
  });
}

void SimSteering::Go(Side to, Guard guard, StatusCallback done) {
  loop_.At(loop_.now() + world_.Milliseconds(0, 5),
           [this, to, guard = std::move(guard), done = std::move(done)] {
             if (!guard()) {
               done(absl::AbortedError("sim: not the acting manager"));
               return;
             }
             const bool deaf = world_.clock_.now() < world_.deaf_until_;
             if (deaf) {
               world_.last_disaster_ = world_.clock_.now();
             }
             if (!deaf || world_.Dice(2) == 0) {
               world_.OnRedirect(to);
             }
             done(deaf ? absl::UnavailableError("sim: deaf") : absl::OkStatus());
           });
}

}  // namespace mimi::sim
