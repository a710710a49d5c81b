// Whole failovers, each on one screen.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/engine/pair_rig.h"

namespace mimi::testing {
namespace {

void Report(Pair& pair, Health health) {
  pair.manager.engine->Report({Side::kPrimary, health, pair.clock.now(), "test"});
}
Phase PhaseOf(Pair& pair) {
  return pair.manager.engine->status().view.phase;
}

TEST_CASE("scenario: a box that ends all its flows while it dies takes none of them with it") {
  Pair pair;
  for (std::uint32_t id = 0; id < 1000; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready() && pair.minion_plane.held().size() == 1000; },
                        seconds(10)));
  for (std::uint32_t id = 0; id < 1000; ++id) {
    REQUIRE(pair.lane->EraseAbrupt(Key(id)));
  }
  pair.RunFor(milliseconds(50));
  Report(pair, Health::kDown);
  REQUIRE(pair.RunUntil([&] { return PhaseOf(pair) == Phase::kOnMinion; }, seconds(5)));
  pair.RunFor(seconds(10));
  CHECK(pair.minion_plane.held().size() == 1000);
}

TEST_CASE("scenario: abrupt ends of single flows go through after a moment") {
  Pair pair;
  for (std::uint32_t id = 0; id < 1000; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.minion_plane.held().size() == 1000; }, seconds(10)));
  REQUIRE(pair.lane->EraseAbrupt(Key(7)));
  pair.RunFor(seconds(1));
  CHECK(pair.minion_plane.held().size() == 1000);
  pair.RunFor(seconds(2));
  CHECK(pair.minion_plane.held().size() == 999);
}

TEST_CASE("scenario: rows of a source that sees no ends age out, by an erase in the feed") {
  Pair pair([](EngineOptions& options) { options.primary.lane_coverage.ends = false; });
  REQUIRE(pair.RunUntil([&] { return pair.lane->ResyncWanted() || pair.Ready(); }, seconds(10)));
  REQUIRE(pair.lane->Put(Row(1, 1, seconds(5))));
  REQUIRE(pair.lane->Put(Row(2, 1, seconds(60))));
  REQUIRE(pair.RunUntil([&] { return pair.minion_plane.held().size() == 2; }, seconds(5)));
  pair.RunFor(seconds(4));
  CHECK(pair.minion_plane.held().size() == 2);
  CHECK(pair.RunUntil([&] { return pair.minion_plane.held().size() == 1; }, seconds(4)));
  CHECK(pair.store_rows() == 1);
}

TEST_CASE("scenario: an operator can move back what a dead primary lost, once it has caught up") {
  Pair pair;
  for (std::uint32_t id = 0; id < 50; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)));
  Report(pair, Health::kDown);
  pair.primary.engine.reset();
  pair.lane.reset();
  pair.primary_plane.Lose();  // it reboots empty
  REQUIRE(pair.RunUntil([&] { return PhaseOf(pair) == Phase::kOnMinion; }, seconds(5)));
  pair.RunFor(seconds(5));
  pair.BornAtMinion(1000);

  CHECK_FALSE(pair.Move(Side::kPrimary).ok());  // nobody is there to be restored

  pair.live.clear();
  pair.primary.Make(pair.PrimaryOptions());
  pair.lane.reset(*pair.primary.engine->OpenLane(Side::kPrimary, pair.schema));
  Report(pair, Health::kUp);
  REQUIRE(pair.RunUntil([&] { return pair.primary_plane.held().size() == 51; }, seconds(20)));
  const absl::Status restored = pair.Move(Side::kPrimary);
  CHECK_MESSAGE(restored.ok(), restored.ToString());
  CHECK(pair.steering.traffic == Side::kPrimary);
  CHECK(pair.primary_plane.held().size() == 51);
}

TEST_CASE("scenario: where the network steers, the box that sees traffic becomes the writer") {
  Pair pair([](EngineOptions& options) { options.shared_claims = true; });
  pair.Born(1);
  REQUIRE(pair.RunUntil([&] { return pair.minion_plane.held().size() == 1; }, seconds(10)));
  pair.BornAtMinion(2);  // traffic has come to the minion
  CHECK(pair.RunUntil([&] { return pair.primary_plane.held().size() == 1; }, seconds(5)));
  pair.Born(3);  // … and back
  CHECK(
      pair.RunUntil([&] { return pair.minion_plane.held().contains(ToText(Key(3))); }, seconds(5)));
  CHECK(pair.steering.effects == 0);
}

TEST_CASE("scenario: an audit on request finds and repairs what went wrong in the data plane") {
  Pair pair;
  for (std::uint32_t id = 0; id < 100; ++id) {
    pair.Born(id);
  }
  REQUIRE(pair.RunUntil([&] { return pair.Ready() && pair.minion_plane.held().size() == 100; },
                        seconds(10)));
  pair.minion_plane.Forget(Key(1));
  pair.minion_plane.Plant(Row(5000, 9));
  std::optional<absl::StatusOr<AuditResult>> result;
  pair.minion.engine->Audit(
      Side::kMinion, [&](absl::StatusOr<AuditResult> answer) { result = std::move(answer); });
  REQUIRE(pair.RunUntil([&] { return result.has_value(); }, seconds(30)));
  REQUIRE(result->ok());
  CHECK((*result)->missing == 1);
  CHECK((*result)->extra == 1);
  CHECK((*result)->repaired == 2);
  CHECK(pair.minion_plane.held().size() == 100);
}

TEST_CASE("scenario: a stopped engine hands over what its lanes hold") {
  Pair pair;
  REQUIRE(pair.RunUntil([&] { return pair.Ready(); }, seconds(10)));
  for (std::uint32_t id = 0; id < 500; ++id) {
    pair.Born(id);
  }
  std::optional<absl::Status> stopped;
  pair.primary.engine->Stop(seconds(5), [&](const absl::Status& status) { stopped = status; });
  REQUIRE(pair.RunUntil([&] { return stopped.has_value(); }, seconds(6)));
  CHECK(stopped->ok());
  CHECK(pair.RunUntil([&] { return pair.minion_plane.held().size() == 500; }, seconds(5)));
  CHECK(absl::IsFailedPrecondition(
      pair.primary.engine->OpenLane(Side::kPrimary, pair.schema).status()));
}

}  // namespace
}  // namespace mimi::testing
