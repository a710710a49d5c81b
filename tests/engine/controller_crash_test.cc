// The process dies at every step of every move, and starts again without a memory: what is left
// must come to a correct state. The steps are taken from the controller's own tables, so that a new
// step is tested by being there.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/engine/controller_world.h"

namespace mimi::testing {
namespace {

enum class Death : std::uint8_t {
  kBefore,  // before the step's effect
  kDuring,  // its effect is on its way, and no answer comes
  kAfter,
};

struct Crash {
  Side to;
  bool planned;
  Step step;
  Death death;
};

std::vector<Crash> EveryCrash() {
  std::vector<Crash> all;
  for (const Side to : {Side::kMinion, Side::kPrimary}) {
    for (const bool planned : {true, false}) {
      for (const auto& entry : internal::PlanOf(to, planned)) {
        for (const Death death : {Death::kBefore, Death::kDuring, Death::kAfter}) {
          all.push_back({to, planned, entry.step, death});
        }
      }
    }
  }
  return all;
}

struct After {
  bool standby = false;          // another manager is there
  bool leaves_for_good = false;  // it never starts again
  bool unseen = false;           // nobody can see where traffic goes from then on
};

void RunCrash(const Crash& crash, const After& after) {
  World world;
  const Side home = OtherSide(crash.to);
  world.traffic = home;
  world.claimant = NodeOf(home);
  PairRow row;
  row.phase = internal::StablePhase(home);
  row.writer = home;
  world.wanted = row;

  bool died = false;
  Manager::Setup setup;
  setup.on_step = [&](Manager& self, Side, Step step, StepEdge edge) {
    const StepEdge at = crash.death == Death::kAfter ? StepEdge::kAfter : StepEdge::kBefore;
    if (died || step != crash.step || edge != at) {
      return;
    }
    died = true;
    world.observable = !after.unseen;
    const auto restart = [&world, &self, &after] {
      self.Kill();
      if (!after.leaves_for_good) {
        world.outside.At(world.outside.now() + milliseconds(50), [&self] { self.Boot(); });
      }
    };
    if (crash.death == Death::kDuring) {
      // Redirect and store are reached after 1 ms, their answers would be here after 2.
      world.outside.At(world.outside.now() + std::chrono::microseconds(1500), restart);
    } else {
      self.Kill();
      world.outside.Post(restart);
    }
  };
  Manager manager(world, 1, std::move(setup));
  world.time.RunFor(seconds(1));
  std::unique_ptr<Manager> other;
  if (after.standby) {
    other = std::make_unique<Manager>(world, 2, Manager::Setup{});
    world.time.RunFor(seconds(1));
  }
  REQUIRE(manager.controller().acting());

  if (crash.planned) {
    const auto ignore = [](const absl::Status&) {
    };
    if (crash.to == Side::kMinion) {
      manager.controller().Divert(ignore);
    } else {
      manager.controller().Restore(ignore);
    }
  } else {
    world.box(home).alive = false;
  }
  REQUIRE(world.time.RunUntil([&died] { return died; }, seconds(10)));
  world.time.RunFor(seconds(15));

  if (after.unseen && world.Unsettled() != "") {
    // Redirected, and neither row nor claim nor liveness tells: it takes a sight of the traffic.
    CHECK_FALSE(crash.planned);
    CHECK(crash.step == Step::kAnnounce);
    CHECK(crash.death == Death::kBefore);
    world.observable = true;
    world.time.RunFor(seconds(10));
  }

  CHECK(world.wrong == std::vector<std::string>{});
  CHECK(world.Unsettled() == "");
  CHECK((manager.alive() ? manager.controller().acting() : false) +
            (other != nullptr && other->controller().acting()) ==
        1);
  const bool moved =
      std::find(world.effects.begin(), world.effects.end(),
                std::string("steer ") + std::string(SideName(crash.to))) != world.effects.end();
  if (crash.planned && !after.unseen) {
    // Never undone after the redirect, always undone before it.
    CHECK(world.traffic == (moved ? crash.to : home));
  } else if (crash.planned) {
    const bool undone =
        std::find(world.effects.begin(), world.effects.end(),
                  std::string("steer ") + std::string(SideName(home))) != world.effects.end();
    CHECK_FALSE(undone);  // it may be carried on from before the redirect, never taken back
    CHECK((world.traffic == crash.to) == moved);
  } else if (moved || after.standby || crash.step != Step::kSteer) {
    CHECK(world.traffic == crash.to);
  }
}

TEST_CASE(
    "controller: killed at any step of any move and started again, it ends in a correct state") {
  for (const Crash& crash : EveryCrash()) {
    CAPTURE(SideName(crash.to));
    CAPTURE(crash.planned);
    CAPTURE(StepName(crash.step));
    CAPTURE(static_cast<int>(crash.death));
    RunCrash(crash, {});
  }
}

TEST_CASE(
    "controller: killed at any step, it ends in a correct state although nobody sees where traffic "
    "goes") {
  for (const Crash& crash : EveryCrash()) {
    CAPTURE(SideName(crash.to));
    CAPTURE(crash.planned);
    CAPTURE(StepName(crash.step));
    CAPTURE(static_cast<int>(crash.death));
    RunCrash(crash, {.unseen = true});
    RunCrash(crash, {.standby = true, .leaves_for_good = true, .unseen = true});
  }
}

TEST_CASE("controller: killed for good at any step, another manager ends the move correctly") {
  for (const Crash& crash : EveryCrash()) {
    CAPTURE(SideName(crash.to));
    CAPTURE(crash.planned);
    CAPTURE(StepName(crash.step));
    CAPTURE(static_cast<int>(crash.death));
    RunCrash(crash, {.standby = true, .leaves_for_good = true});
  }
}

// Anything may happen to anybody; then everything heals, and the pair must come to rest.
void Walk(std::uint64_t seed, int managers_count, bool sole) {
  World world(seed);
  world.poll = milliseconds(10);
  const auto chance = [&world](int percent) {
    return static_cast<int>(world.random() % 100) < percent;
  };
  std::vector<std::unique_ptr<Manager>> managers;
  for (int i = 0; i < managers_count; ++i) {
    Manager::Setup setup;
    setup.sole = sole;
    setup.policy =
        chance(50)
            ? NewImmediatePolicy({.restore = chance(50)})
            : *NewDampedPolicy({.up_for = milliseconds(300), .between_moves = milliseconds(200)});
    managers.push_back(
        std::make_unique<Manager>(world, static_cast<Origin>(i + 1), std::move(setup)));
  }
  const auto ignore = [](const absl::Status&) {
  };
  for (int turn = 0; turn < 60; ++turn) {
    world.time.RunFor(milliseconds(1 + world.random() % 700));
    Manager& one = *managers[world.random() % managers.size()];
    World::Box& box = world.boxes[world.random() % 2];
    switch (world.random() % 10) {
      case 0:
        box.alive = !box.alive;
        break;
      case 1:
        world.store_up = chance(60);
        break;
      case 2:
        if (one.alive()) {
          one.Kill();
        } else {
          one.Boot();
        }
        break;
      case 3:
        if (one.loop().frozen()) {
          one.loop().Thaw();
        } else {
          one.loop().Freeze();
        }
        break;
      case 4:
        world.steering = chance(50) ? absl::OkStatus() : absl::UnavailableError("deaf");
        break;
      case 5:
        if (one.alive() && !one.loop().frozen()) {
          one.controller().Divert(ignore);
        }
        break;
      case 6:
        if (one.alive() && !one.loop().frozen()) {
          one.controller().Restore(ignore);
        }
        break;
      case 7:
        world.SetLag(box, chance(70) ? 0 : 100'000);
        break;
      case 8:
        world.latency = std::chrono::microseconds(100 + world.random() % 20'000);
        break;
      case 9:
        world.observable = chance(40);
        world.half_steering = chance(50);
        break;
    }
  }
  world.store_up = true;
  world.steering = absl::OkStatus();
  world.observable = true;
  world.latency = milliseconds(1);
  for (World::Box& box : world.boxes) {
    box.alive = true;
    box.lag = 0;
  }
  for (const auto& manager : managers) {
    manager->loop().Thaw();
    if (!manager->alive()) {
      manager->Boot();
    }
  }
  world.time.RunFor(seconds(20));
  int acting = 0;
  for (const auto& manager : managers) {
    acting += manager->controller().acting() ? 1 : 0;
    CHECK_FALSE(manager->controller().step().has_value());
  }
  CHECK(acting == 1);
  for (const std::string& wrong : world.wrong) {
    FAIL_CHECK(wrong);
  }
  CHECK(world.Unsettled() == "");
}

// MIMI_SEEDS=10000 walks further than the suite does.
std::uint64_t Seeds(std::uint64_t usual) {
  const char* wanted = std::getenv("MIMI_SEEDS");
  return wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10);
}

TEST_CASE("controller: whatever happens, nobody acts without the lease, and all heals") {
  for (std::uint64_t seed = 1; seed <= Seeds(80); ++seed) {
    CAPTURE(seed);
    Walk(seed, 2, /*sole=*/false);
  }
}

TEST_CASE("controller: whatever happens to a sole manager, all heals") {
  for (std::uint64_t seed = 1; seed <= Seeds(40); ++seed) {
    CAPTURE(seed);
    Walk(seed, 1, /*sole=*/true);
  }
}

}  // namespace
}  // namespace mimi::testing
