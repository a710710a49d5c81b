#include "mimi/engine.h"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "tests/engine/pair_rig.h"

namespace mimi::testing {
namespace {

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
  REQUIRE(pair.RunUntil([&] { return pair.primary_plane.held().contains(ToText(Key(1000))); },
                        seconds(5)));

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
  pair.lane.reset();  // nothing to walk while it is away
  pair.RunFor(seconds(1));
  pair.live = {0, 1, 2, 3, 4};  // the others ended meanwhile, unseen
  pair.primary.Make(pair.PrimaryOptions());
  pair.lane.reset(*pair.primary.engine->OpenLane(Side::kPrimary, pair.schema));
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
}  // namespace mimi::testing
