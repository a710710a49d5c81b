#ifndef MIMI_TESTS_ENGINE_PAIR_RIG_H_
#define MIMI_TESTS_ENGINE_PAIR_RIG_H_

// A whole pair on virtual time: its processes are engines with a loop each, on one memory
// repository.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/policies.h"
#include "mimi/engine.h"
#include "mimi/testing/virtual_loop.h"

#include "src/base/bytes.h"
#include "tests/support/fake_minion.h"

namespace mimi::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline StateSchema Schema() {
  return *StateSchema::Builder("test.flow", 1)
              .Key("id", FieldType::kU32)
              .Value("backend", FieldType::kU32)
              .Value("idle_timeout", FieldType::kDuration)
              .Build();
}

inline std::vector<std::byte> Row(std::uint32_t id, std::uint32_t backend, Duration life = {}) {
  std::vector<std::byte> row(16);
  StoreLe(row.data(), id);
  StoreLe(row.data() + 4, backend);
  StoreLe(row.data() + 8, static_cast<std::uint64_t>(life.count()));
  return row;
}

inline std::vector<std::byte> Key(std::uint32_t id) {
  std::vector<std::byte> row = Row(id, 0);
  row.resize(4);
  return row;
}

// Traffic that goes where it is told, at once, and remembers every effect.
class FakeSteering final : public Steering {
 public:
  explicit FakeSteering(Loop& loop) : loop_(loop) {}
  std::string_view name() const override { return "fake"; }
  void Divert(Guard guard, StatusCallback done) override {
    Go(Side::kMinion, std::move(guard), std::move(done));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Go(Side::kPrimary, std::move(guard), std::move(done));
  }
  void Observe(ObserveCallback done) override {
    loop_.Post([this, done = std::move(done)] { done(traffic); });
  }

  bool passive() const override { return network_steers; }

  Side traffic = Side::kPrimary;
  int effects = 0;
  bool network_steers = false;

 private:
  void Go(Side to, Guard guard, StatusCallback done) {
    loop_.Post([this, to, guard = std::move(guard), done = std::move(done)] {
      if (!guard()) {
        done(absl::AbortedError("not any more"));
        return;
      }
      ++effects;
      traffic = to;
      done(absl::OkStatus());
    });
  }
  Loop& loop_;
};

// One process.
struct Node {
  explicit Node(VirtualClock& clock, std::shared_ptr<MemoryRepository> repository)
      : loop(clock), store(*NewMemoryStore({.repository = std::move(repository)}, loop)) {}

  void Make(EngineOptions options) {
    options.pair = "edge1";
    options.store = store.get();
    options.seed = 7;
    options.on_event = [this](const PairEvent& event) {
      events.push_back(event.kind + ": " + event.detail);
    };
    absl::StatusOr<std::unique_ptr<Engine>> made = NewEngine(std::move(options), loop);
    REQUIRE_MESSAGE(made.ok(), made.status().ToString());
    engine = *std::move(made);
    REQUIRE(engine->Start().ok());
  }
  bool Saw(std::string_view text) const {
    for (const std::string& event : events) {
      if (event.find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  VirtualLoop loop;
  std::unique_ptr<StateStore> store;
  std::vector<std::string> events;
  std::unique_ptr<Engine> engine;
};

struct CloseLane {
  void operator()(Lane* lane) const { lane->Close(); }
};
using OwnLane = std::unique_ptr<Lane, CloseLane>;

// A pair of three processes: the primary with a lane and a sink, the minion with a lane and a sink,
// and a manager.
struct Pair {
  explicit Pair(std::function<void(EngineOptions&)> change = [](EngineOptions&) {})
      : change_options(std::move(change)) {
    primary.Make(PrimaryOptions());
    lane.reset(*primary.engine->OpenLane(Side::kPrimary, schema));
    minion.Make(MinionOptions());
    minion_lane.reset(*minion.engine->OpenLane(Side::kMinion, schema));
    StartManager();
  }

  EngineOptions PrimaryOptions() {
    EngineOptions options;
    options.primary.lanes = {schema};
    options.primary.minions = {&primary_plane};
    change_options(options);
    return options;
  }
  EngineOptions MinionOptions() {
    EngineOptions options;
    options.minion.lanes = {schema};
    options.minion.minions = {&minion_plane};
    change_options(options);
    return options;
  }
  void StartManager() {
    EngineOptions options;
    ManagerOptions manage;
    manage.node = "edge1.manager-1";
    manage.policy = policy.get();
    manage.steering = &steering;
    manage.on_step = [this](Side to, Step step, StepEdge edge) {
      steps.push_back(std::string(SideName(to)) + " " + std::string(StepName(step)) +
                      (edge == StepEdge::kBefore ? " before" : " after"));
    };
    options.manager = manage;
    change_options(options);
    steering.network_steers = options.shared_claims;
    manager.Make(std::move(options));
  }

  void Walk(const OwnLane& a_lane, const std::vector<std::uint32_t>& ids, std::uint32_t backend) {
    if (a_lane == nullptr || !a_lane->ResyncWanted()) {
      return;
    }
    REQUIRE(a_lane->BeginResync());
    for (const std::uint32_t id : ids) {
      REQUIRE(a_lane->Walk(Row(id, backend)));
    }
    REQUIRE(a_lane->EndResync());
  }

  // Every loop does what is due; then time goes on to the next deadline.
  void RunFor(Duration duration) {
    RunUntil([] { return false; }, duration);
  }
  bool RunUntil(const std::function<bool()>& done, Duration most) {
    const MonotonicTime until = clock.now() + most;
    while (true) {
      bool ran = true;
      while (ran) {
        ran = false;
        for (Node* node : nodes) {
          ran = (node->engine != nullptr && node->loop.RunOnce()) || ran;
        }
        Walk(lane, live, 1);
        Walk(minion_lane, minion_live, 2);
      }
      if (done()) {
        return true;
      }
      MonotonicTime next = until;
      for (Node* node : nodes) {
        if (node->engine != nullptr) {
          next = std::min(next, node->loop.NextDeadline().value_or(until));
        }
      }
      clock.AdvanceTo(next);
      if (clock.now() >= until) {
        return done();
      }
    }
  }
  void Born(std::uint32_t id) {
    live.push_back(id);
    REQUIRE(lane->Put(Row(id, 1)));
  }
  void BornAtMinion(std::uint32_t id) {
    minion_live.push_back(id);
    REQUIRE(minion_lane->Put(Row(id, 2)));
  }
  bool Ready() { return manager.engine->status().view.minion.readiness == Readiness::kReady; }
  std::size_t store_rows() {
    std::unique_ptr<Cursor> rows = *primary.store->Snapshot(schema.table(), [] {});
    std::size_t count = 0;
    while (!rows->done()) {
      const absl::StatusOr<std::optional<BatchView>> batch = rows->Next();
      for (const RecordView record : **batch) {
        count += record.op == Op::kPut ? 1 : 0;  // the others are tombstones
      }
    }
    return count;
  }
  absl::Status Move(Side to) {
    absl::Status result = absl::UnknownError("no answer");
    bool answered = false;
    const auto done = [&](const absl::Status& status) {
      result = status;
      answered = true;
    };
    if (to == Side::kMinion) {
      manager.engine->Divert(done);
    } else {
      manager.engine->Restore(done);
    }
    RunUntil([&] { return answered; }, seconds(40));
    return result;
  }

  std::function<void(EngineOptions&)> change_options;
  StateSchema schema = Schema();
  VirtualClock clock;
  std::shared_ptr<MemoryRepository> repository = NewMemoryRepository({}, clock);
  Node primary{clock, repository};
  Node minion{clock, repository};
  Node manager{clock, repository};
  std::vector<Node*> nodes{&primary, &minion, &manager};
  FakeMinion primary_plane{schema, primary.loop};
  FakeMinion minion_plane{schema, minion.loop};
  FakeSteering steering{manager.loop};
  std::unique_ptr<FailoverPolicy> policy = NewImmediatePolicy();
  OwnLane lane;
  OwnLane minion_lane;
  std::vector<std::uint32_t> live;         // born at the primary
  std::vector<std::uint32_t> minion_live;  // born at the minion
  std::vector<std::string> steps;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_ENGINE_PAIR_RIG_H_
