// Nobody can see where traffic goes: the route went with the box that it led to, the program that
// looks fails. Who waits for that never acts.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/engine/controller_world.h"

namespace mimi::testing {
namespace {

using Strings = std::vector<std::string>;

// A pair with its traffic at the primary, and a manager that starts without a sight of it.
struct Blind {
  explicit Blind(const std::function<void(World&)>& prepare = {}) {
    PairRow row;
    row.phase = Phase::kOnPrimary;
    row.writer = Side::kPrimary;
    row.fence = 1;
    world.wanted = row;
    world.observable = false;
    if (prepare) {
      prepare(world);
    }
    manager.emplace(world, Origin{1}, Manager::Setup{});
  }
  void CheckSettled(Side at) {
    CHECK(world.traffic == at);
    CHECK(world.Unsettled() == "");
    CHECK(world.wrong == Strings{});
    CHECK(manager->controller().acting());
    CHECK(manager->controller().view().traffic == at);
    CHECK_FALSE(manager->controller().step().has_value());
  }

  World world;
  std::optional<Manager> manager;
};

TEST_CASE(
    "controller: it acts without a sight of the traffic, and redirects nothing that is well") {
  Blind pair;
  pair.world.time.RunFor(seconds(30));
  CHECK(pair.world.effects == Strings{});
  pair.CheckSettled(Side::kPrimary);
  const Strings& events = pair.manager->events();
  CHECK(std::count(events.begin(), events.end(),
                   "error: cannot see where traffic goes: cannot look") == 1);
}

TEST_CASE("controller: a primary that dies out of sight is left at once") {
  Blind pair;
  pair.world.time.RunFor(seconds(1));
  pair.world.box(Side::kPrimary).alive = false;
  const MonotonicTime fault = pair.world.time.now();
  REQUIRE(
      pair.world.time.RunUntil([&] { return pair.world.traffic == Side::kMinion; }, seconds(1)));
  CHECK(pair.world.time.now() - fault <= milliseconds(42));
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: a manager that starts when the primary is dead and the way gone diverts") {
  Blind pair([](World& world) {
    world.time.RunFor(seconds(1));  // it has reported
    world.box(Side::kPrimary).alive = false;
  });
  const MonotonicTime start = pair.world.time.now();
  // Its liveness has never seen the primary, and says so when it is sure.
  pair.manager->controller().Report({.box = Side::kPrimary,
                                     .health = Health::kDown,
                                     .at = pair.world.time.now(),
                                     .reason = "bfd: nothing heard"});
  REQUIRE(
      pair.world.time.RunUntil([&] { return pair.world.traffic == Side::kMinion; }, seconds(1)));
  CHECK(pair.world.time.now() - start <= milliseconds(150));
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: what is seen later is followed") {
  Blind pair([](World& world) { world.traffic = Side::kMinion; });
  pair.world.time.RunFor(seconds(10));
  CHECK(pair.world.effects == Strings{});
  pair.world.observable = true;
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.world.effects == Strings{"claim minion"});
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: an operator's move needs no sight of the traffic") {
  Blind pair;
  pair.world.time.RunFor(seconds(1));
  std::optional<absl::Status> answer;
  pair.manager->controller().Divert([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(2));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  CHECK(pair.world.effects == Strings{"steer minion", "claim minion"});
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: a planned redirect that fails out of sight is sent back for certain") {
  for (const bool half : {true, false}) {
    CAPTURE(half);
    Blind pair;
    pair.world.time.RunFor(seconds(1));
    pair.world.steering = absl::UnavailableError("no such interface");
    pair.world.half_steering = half;
    std::optional<absl::Status> answer;
    pair.manager->controller().Divert([&answer](const absl::Status& status) { answer = status; });
    REQUIRE(pair.world.time.RunUntil([&answer] { return answer.has_value(); }, seconds(2)));
    CHECK(Message(*answer) == "no such interface");
    pair.world.time.RunFor(seconds(2));
    pair.world.steering = absl::OkStatus();
    pair.world.time.RunFor(seconds(3));
    CHECK(pair.world.effects.back() == "steer primary");
    pair.CheckSettled(Side::kPrimary);
  }
}

TEST_CASE("controller: traffic whose way back fails too goes where it can when the box dies") {
  Blind pair;
  pair.world.time.RunFor(seconds(1));
  pair.world.steering = absl::UnavailableError("no such interface");
  std::optional<absl::Status> answer;
  pair.manager->controller().Divert([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(2));
  CHECK(answer.has_value());
  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(seconds(2));
  pair.world.steering = absl::OkStatus();
  pair.world.time.RunFor(seconds(3));
  pair.CheckSettled(Side::kMinion);
}

}  // namespace
}  // namespace mimi::testing
