#include "mimi/engine.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/policies.h"
#include "mimi/testing/virtual_loop.h"

#include "src/base/bytes.h"
#include "tests/support/fake_minion.h"

// Whole pairs on virtual time: the processes of a pair are engines with a loop each, on one memory repository.

namespace mimi {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeMinion;

StateSchema Schema() {
  return *StateSchema::Builder("test.flow", 1)
              .Key("id", FieldType::kU32)
              .Value("backend", FieldType::kU32)
              .Build();
}

std::vector<std::byte> Row(std::uint32_t id, std::uint32_t backend) {
  std::vector<std::byte> row(8);
  StoreLe(row.data(), id);
  StoreLe(row.data() + 4, backend);
  return row;
}

std::vector<std::byte> Key(std::uint32_t id) {
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

  Side traffic = Side::kPrimary;
  int effects = 0;

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

// A pair of three processes: the primary with a lane and a sink, the minion with a lane and a sink, and a manager.
struct Pair {
  Pair() {
    primary.Make(PrimaryOptions());
    lane = *primary.engine->OpenLane(Side::kPrimary, schema);
    minion.Make(MinionOptions());
    minion_lane = *minion.engine->OpenLane(Side::kMinion, schema);
    StartManager();
  }

  EngineOptions PrimaryOptions() {
    EngineOptions options;
    options.primary.lanes = {schema};
    options.primary.minions = {&primary_plane};
    return options;
  }
  EngineOptions MinionOptions() {
    EngineOptions options;
    options.minion.lanes = {schema};
    options.minion.minions = {&minion_plane};
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
    manager.Make(std::move(options));
  }

  void Walk(Lane* a_lane, const std::vector<std::uint32_t>& ids, std::uint32_t backend) {
    if (!a_lane->ResyncWanted()) {
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
        Walk(minion_lane, {}, 2);
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
  bool Ready() { return manager.engine->status().view.minion.readiness == Readiness::kReady; }
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
  Lane* lane = nullptr;
  Lane* minion_lane = nullptr;
  std::vector<std::uint32_t> live;  // at the primary
  std::vector<std::string> steps;
};

TEST_CASE("engine: what a packet thread puts arrives in the other box's data plane") {
  Pair pair;
  pair.Born(1);
  pair.Born(2);
  REQUIRE(pair.RunUntil([&] { return pair.minion_plane.held().size() == 2; }, seconds(5)));
  REQUIRE(pair.lane->Erase(Key(1)));
  CHECK(pair.RunUntil([&] { return pair.minion_plane.held().size() == 1; }, seconds(5)));
  CHECK(pair.primary_plane.held().empty());  // what it wrote itself does not come back to it
}

TEST_CASE("engine: a pair becomes ready, and says why while it is not") {
  Pair pair;
  const PairStatus at_start = pair.manager.engine->status();
  CHECK(at_start.view.minion.readiness == Readiness::kBlind);
  CHECK_FALSE(at_start.view.minion.readiness_reason.empty());
  pair.Born(1);
  CHECK_MESSAGE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)),
                pair.manager.engine->status().view.minion.readiness_reason);
  CHECK(pair.manager.engine->status().acting);
}

TEST_CASE(
    "engine: a planned divert and return lose nothing, and keep what was born on the minion") {
  Pair pair;
  for (std::uint32_t id = 0; id < 100; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)));

  const absl::Status diverted = pair.Move(Side::kMinion);
  REQUIRE_MESSAGE(diverted.ok(), diverted.ToString());
  CHECK(pair.steering.traffic == Side::kMinion);
  CHECK(pair.minion_plane.held().size() == 100);
  CHECK(pair.minion_plane.state().active);
  REQUIRE(pair.RunUntil([&] { return pair.manager.engine->status().minion_source.report.active; },
                        seconds(5)));

  // A flow is born on the minion; one ends there.
  REQUIRE(pair.minion_lane->Put(Row(1000, 2)));
  REQUIRE(pair.minion_lane->Erase(Key(7)));
  REQUIRE(pair.RunUntil(
      [&] { return pair.primary_plane.held().contains(testing::ToText(Key(1000))); }, seconds(5)));

  const absl::Status restored = pair.Move(Side::kPrimary);
  REQUIRE_MESSAGE(restored.ok(), restored.ToString());
  CHECK(pair.steering.traffic == Side::kPrimary);
  CHECK(pair.manager.engine->status().view.phase == Phase::kOnPrimary);
}

TEST_CASE("engine: an unplanned divert steers before anything else, and fences the old box") {
  Pair pair;
  for (std::uint32_t id = 0; id < 20; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)));
  pair.steps.clear();
  pair.manager.engine->Report(
      {Side::kPrimary, Health::kDown, pair.clock.now(), "test: it was unplugged"});
  REQUIRE(pair.RunUntil(
      [&] { return pair.manager.engine->status().view.phase == Phase::kOnMinion; }, seconds(5)));
  REQUIRE_FALSE(pair.steps.empty());
  CHECK(pair.steps.front() == "minion steer before");
  CHECK(pair.minion_plane.held().size() == 20);
  REQUIRE(pair.RunUntil([&] { return pair.manager.engine->status().minion_source.report.active; },
                        seconds(5)));

  // The old box is a zombie: it still writes, and nothing of it arrives.
  const std::size_t before = pair.minion_plane.held().size();
  CHECK(pair.lane->Put(Row(5000, 1)));
  pair.RunFor(seconds(2));
  CHECK(pair.minion_plane.held().size() == before);
  CHECK_FALSE(pair.manager.engine->status().primary_source.report.active);
}

TEST_CASE("engine: a primary's process that restarts claims a new term and resyncs") {
  Pair pair;
  for (std::uint32_t id = 0; id < 10; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)));
  const std::uint64_t term = pair.manager.engine->status().primary_source.report.term;

  pair.primary.engine.reset();
  pair.lane = pair.minion_lane;  // nothing to walk while it is away
  pair.RunFor(seconds(1));
  pair.live = {0, 1, 2, 3, 4};  // the others ended meanwhile, unseen
  pair.primary.Make(pair.PrimaryOptions());
  pair.lane = *pair.primary.engine->OpenLane(Side::kPrimary, pair.schema);
  CHECK(pair.RunUntil([&] { return pair.minion_plane.held().size() == 5; }, seconds(10)));
  CHECK(pair.RunUntil(
      [&] { return pair.manager.engine->status().primary_source.report.term > term; }, seconds(5)));
}

TEST_CASE("engine: options that cannot work are refused by name") {
  VirtualClock clock;
  VirtualLoop loop(clock);
  EngineOptions options;
  CHECK(NewEngine(options, loop).status().message().find("store") != std::string::npos);
  std::unique_ptr<StateStore> store = *NewMemoryStore({}, loop);
  options.store = store.get();
  CHECK(NewEngine(options, loop).status().code() == absl::StatusCode::kInvalidArgument);
  options.primary.lanes = {Schema(), Schema()};
  CHECK(NewEngine(options, loop).status().message().find("twice") != std::string::npos);
  options.primary.lanes = {Schema()};
  options.manager = ManagerOptions();
  CHECK(NewEngine(options, loop).status().message().find("policy") != std::string::npos);
}

}  // namespace
}  // namespace mimi
