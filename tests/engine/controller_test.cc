#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/engine/controller_world.h"

namespace mimi::testing {
namespace {

using Strings = std::vector<std::string>;

// A pair at rest with its traffic at `side`, and one manager that acts.
struct Pair {
  explicit Pair(Manager::Setup setup = {}, Side side = Side::kPrimary)
      : manager((Place(world, side), world), 1, std::move(setup)) {
    world.time.RunFor(seconds(1));
  }
  static void Place(World& world, Side side) {
    world.traffic = side;
    world.claimant = NodeOf(side);
    PairRow row;
    row.phase = internal::StablePhase(side);
    row.writer = side;
    row.fence = 1;
    world.wanted = row;
  }
  absl::Status Move(Side to, Duration most = seconds(60)) {
    std::optional<absl::Status> answer;
    const auto done = [&answer](const absl::Status& status) {
      answer = status;
    };
    if (to == Side::kMinion) {
      manager.controller().Divert(done);
    } else {
      manager.controller().Restore(done);
    }
    world.time.RunUntil([&answer] { return answer.has_value(); }, most);
    return answer.value_or(absl::DeadlineExceededError("no answer"));
  }
  void CheckSettled(Side at) {
    CHECK(world.traffic == at);
    CHECK(world.Unsettled() == "");
    CHECK(world.wrong == Strings{});
    CHECK_FALSE(manager.controller().step().has_value());
    CHECK(manager.controller().view().traffic == at);
    CHECK(manager.controller().view().phase == internal::StablePhase(at));
    CHECK_FALSE(manager.controller().view().unfenced);
  }

  World world;
  Manager manager;
};

std::string Words(const absl::Status& status) {
  return std::string(Message(status));
}

TEST_CASE("controller: at rest it acts, adopts the wanted row and moves nothing") {
  Pair pair;
  CHECK(pair.manager.controller().acting());
  CHECK(pair.world.wanted->lease_term == 1);
  pair.world.time.RunFor(seconds(60));
  CHECK(pair.world.effects == Strings{});
  pair.CheckSettled(Side::kPrimary);
}

TEST_CASE("controller: a pair that nobody has managed gets its wanted row") {
  World world;
  Manager manager(world, 1, {});
  world.time.RunFor(seconds(1));
  CHECK(world.Unsettled() == "");
  CHECK(world.wanted->phase == Phase::kOnPrimary);
}

TEST_CASE("controller: a planned divert steers first and claims last") {
  Pair pair;
  CHECK(pair.Move(Side::kMinion).ok());
  pair.world.time.RunFor(milliseconds(100));
  CHECK(pair.world.effects == Strings{"steer minion", "claim minion"});
  pair.CheckSettled(Side::kMinion);
  REQUIRE(pair.manager.controller().moves().size() == 1);
  const Move& move = pair.manager.controller().moves().back();
  CHECK(move.succeeded);
  CHECK(move.planned);
  CHECK(move.took > Duration::zero());
}

TEST_CASE("controller: the steps are announced in the order of the table, before and after") {
  for (const Side to : {Side::kMinion, Side::kPrimary}) {
    for (const bool planned : {true, false}) {
      CAPTURE(SideName(to));
      CAPTURE(planned);
      std::vector<Step> begun, ended;
      Manager::Setup setup;
      setup.on_step = [&](Manager&, Side side, Step step, StepEdge edge) {
        CHECK(side == to);
        (edge == StepEdge::kBefore ? begun : ended).push_back(step);
      };
      Pair pair(std::move(setup), OtherSide(to));
      if (planned) {
        CHECK(pair.Move(to).ok());
      } else {
        pair.world.box(OtherSide(to)).alive = false;
        pair.world.time.RunFor(seconds(2));
      }
      std::vector<Step> expected;
      for (const auto& entry : internal::PlanOf(to, planned)) {
        expected.push_back(entry.step);
      }
      CHECK(begun == expected);
      CHECK(std::is_permutation(ended.begin(), ended.end(), expected.begin(), expected.end()));
      CHECK(ended.back() == Step::kCommit);
      if (planned) {
        CHECK(ended == expected);
      }
    }
  }
}

TEST_CASE("controller: a dead primary is left within milliseconds of the evidence") {
  Pair pair;
  pair.world.box(Side::kPrimary).alive = false;
  const MonotonicTime fault = pair.world.time.now();
  REQUIRE(
      pair.world.time.RunUntil([&] { return pair.world.traffic == Side::kMinion; }, seconds(1)));
  CHECK(pair.world.time.now() - fault <= milliseconds(42));  // 5 + 30 + 5 of the world's liveness
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kMinion);
  const std::string& reason = pair.manager.controller().moves().back().reason;
  CHECK(reason.starts_with("primary down 0 ms ago (bfd: no packet for 30 ms); minion ready, "));
  CHECK(reason.ends_with(" rows behind; diverting"));
}

TEST_CASE("controller: a planned return catches up first, and refuses a primary that differs") {
  Pair pair({}, Side::kMinion);
  pair.world.box(Side::kPrimary).differing = 3;
  const absl::Status refused = pair.Move(Side::kPrimary);
  CHECK(Words(refused) ==
        "step catch-up took longer than 30 s; primary degraded: 3 rows differed at the last audit");
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kMinion);
  CHECK(pair.world.effects == Strings{});

  pair.world.box(Side::kPrimary).differing = 0;
  CHECK(pair.Move(Side::kPrimary).ok());
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kPrimary);
  CHECK(pair.world.effects == Strings{"steer primary", "claim primary"});
}

TEST_CASE("controller: a sink that cannot be audited is taken at its word") {
  Pair pair({}, Side::kMinion);
  pair.world.box(Side::kPrimary).audits = false;
  pair.world.box(Side::kPrimary).sink_row.unauditable = true;
  CHECK(pair.Move(Side::kPrimary).ok());
  pair.world.time.RunFor(milliseconds(100));
  pair.CheckSettled(Side::kPrimary);
}

TEST_CASE("controller: a zombie gets its state back before the traffic") {
  Pair pair;
  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(seconds(5));
  const std::uint64_t fence = pair.world.term;
  pair.world.box(Side::kPrimary).alive = true;
  pair.world.box(Side::kPrimary).lag = 5000;
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.world.term == fence);  // it did not claim
  pair.CheckSettled(Side::kMinion);
  std::optional<absl::Status> answer;
  pair.manager.controller().Restore([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.world.traffic == Side::kMinion);
  CHECK(pair.manager.controller().step() == Step::kCatchUp);
  pair.world.box(Side::kPrimary).lag = 0;
  pair.world.time.RunFor(seconds(5));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  pair.CheckSettled(Side::kPrimary);
}

TEST_CASE("controller: planned moves are refused with what is missing") {
  Pair pair;
  pair.world.box(Side::kMinion).readiness = Readiness::kSyncing;
  pair.world.time.RunFor(milliseconds(100));
  CHECK(Words(pair.Move(Side::kMinion)) == "minion is syncing: minion's sink syncing");
  pair.world.box(Side::kMinion).alive = false;
  pair.world.time.RunFor(milliseconds(100));
  CHECK(Words(pair.Move(Side::kMinion)) == "minion is down: bfd: no packet for 30 ms");
  CHECK(pair.Move(Side::kPrimary).ok());  // it is there already
  CHECK(pair.world.effects == Strings{});
}

TEST_CASE("controller: a primary without a sink is refused, unless losing its flows is allowed") {
  for (const bool allowed : {false, true}) {
    CAPTURE(allowed);
    World world;
    world.box(Side::kPrimary).sink = false;
    Pair::Place(world, Side::kMinion);
    Manager::Setup setup;
    setup.restore_without_state = allowed;
    Manager manager(world, 1, setup);
    world.time.RunFor(seconds(1));
    std::optional<absl::Status> answer;
    manager.controller().Restore([&answer](const absl::Status& status) { answer = status; });
    world.time.RunFor(seconds(10));
    REQUIRE(answer.has_value());
    CHECK(answer->ok() == allowed);
    CHECK(world.traffic == (allowed ? Side::kPrimary : Side::kMinion));
    CHECK(world.Unsettled() == "");
    if (!allowed) {
      CHECK(Words(*answer).starts_with("nobody can write to the primary"));
    }
  }
}

TEST_CASE("controller: a planned divert whose primary dies goes on unplanned") {
  Pair pair;
  pair.world.box(Side::kMinion).lag = 100'000;  // it would drain for ever
  pair.world.time.RunFor(milliseconds(100));
  std::optional<absl::Status> answer;
  pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(2));
  CHECK(pair.manager.controller().step() == Step::kDrain);
  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(seconds(1));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE(
    "controller: a planned divert is undone when the minion dies or the drain takes too long") {
  for (const bool dies : {true, false}) {
    CAPTURE(dies);
    Pair pair;
    pair.world.box(Side::kMinion).lag = 100'000;
    pair.world.time.RunFor(milliseconds(100));
    std::optional<absl::Status> answer;
    pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
    pair.world.time.RunFor(seconds(1));
    pair.world.box(Side::kMinion).alive = !dies;
    pair.world.time.RunFor(dies ? seconds(1) : seconds(31));
    REQUIRE(answer.has_value());
    CHECK(answer->code() == absl::StatusCode::kUnavailable);
    pair.CheckSettled(Side::kPrimary);
    CHECK(pair.world.effects == Strings{});
    CHECK_FALSE(pair.manager.controller().moves().back().succeeded);
  }
}

TEST_CASE("controller: a failed planned redirect is undone, a failed unplanned one tried again") {
  Pair pair;
  pair.world.steering = absl::UnavailableError("the switch is deaf");
  CHECK(Words(pair.Move(Side::kMinion)) == "the switch is deaf");
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kPrimary);

  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.world.traffic == Side::kPrimary);
  CHECK(pair.manager.controller().step() == Step::kSteer);
  pair.world.steering = absl::OkStatus();
  pair.world.time.RunFor(seconds(2));
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: a primary that is back before the redirect succeeded gets its term back") {
  Pair pair;
  pair.world.steering = absl::UnavailableError("the switch is deaf");
  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(seconds(1));
  CHECK(pair.world.claimant == kMinionNode);
  pair.world.box(Side::kPrimary).alive = true;
  pair.world.time.RunFor(seconds(1));
  pair.world.steering = absl::OkStatus();
  pair.world.time.RunFor(seconds(3));
  pair.CheckSettled(Side::kPrimary);
}

TEST_CASE("controller: primary and store die together, the lease still allows the divert") {
  Pair pair;
  pair.world.store_up = false;
  pair.world.box(Side::kPrimary).alive = false;
  pair.world.time.RunFor(milliseconds(100));
  CHECK(pair.world.traffic == Side::kMinion);
  CHECK(pair.manager.controller().view().unfenced);
  CHECK(pair.manager.controller().step() == Step::kClaim);
  SUBCASE("the store is back while the lease lasts: the claim is the first thing") {
    pair.world.store_up = true;
    pair.world.time.RunFor(milliseconds(100));
  }
  SUBCASE("the store is back after the lease ran out") {
    pair.world.time.RunFor(seconds(20));
    CHECK_FALSE(pair.manager.controller().acting());
    CHECK(pair.manager.controller().view().unfenced);
    pair.world.store_up = true;
    pair.world.time.RunFor(seconds(2));
  }
  pair.CheckSettled(Side::kMinion);
  CHECK(pair.world.effects == Strings{"steer minion", "claim minion"});
  CHECK(pair.manager.controller().moves().size() == 1);
}

TEST_CASE("controller: with the lease run out and the store away, only a sole manager diverts") {
  for (const bool sole : {true, false}) {
    CAPTURE(sole);
    Manager::Setup setup;
    setup.sole = sole;
    Pair pair(std::move(setup));
    pair.world.store_up = false;
    pair.world.time.RunFor(seconds(20));
    pair.world.box(Side::kPrimary).alive = false;
    pair.world.time.RunFor(seconds(20));
    CHECK(pair.world.traffic == (sole ? Side::kMinion : Side::kPrimary));
    pair.world.store_up = true;
    pair.world.time.RunFor(seconds(5));
    pair.CheckSettled(Side::kMinion);
  }
}

TEST_CASE("controller: a sole manager that starts without a store still leaves a dead primary") {
  World world;
  world.store_up = false;
  world.box(Side::kMinion).sink_row.node = kMinionNode;  // known from before
  world.box(Side::kMinion).sink_row.healthy = true;
  Manager::Setup setup;
  setup.sole = true;
  Manager manager(world, 1, std::move(setup));
  world.time.RunFor(seconds(1));
  CHECK(manager.controller().acting());
  world.box(Side::kPrimary).alive = false;
  world.time.RunFor(seconds(1));
  CHECK(world.traffic == Side::kMinion);
  world.store_up = true;
  world.time.RunFor(seconds(5));
  CHECK(world.Unsettled() == "");
  CHECK(world.effects == Strings{"steer minion", "claim minion"});
}

TEST_CASE("controller: a manager that was stopped past its lease wakes up and does not steer") {
  World world;
  Manager first(world, 1, {});
  world.time.RunFor(seconds(1));
  Manager second(world, 2, {});
  world.time.RunFor(seconds(1));
  CHECK(first.controller().acting());
  CHECK_FALSE(second.controller().acting());

  // The redirect is asked for; before it takes effect the process is stopped.
  world.box(Side::kPrimary).alive = false;
  REQUIRE(
      world.time.RunUntil([&] { return first.controller().step() == Step::kSteer; }, seconds(1)));
  first.loop().Freeze();
  world.time.RunFor(seconds(10));
  CHECK(second.controller().acting());
  CHECK(world.traffic == Side::kMinion);
  world.box(Side::kPrimary).alive = true;
  world.time.RunFor(seconds(1));
  std::optional<absl::Status> answer;
  second.controller().Restore([&answer](const absl::Status& status) { answer = status; });
  world.time.RunFor(seconds(3));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  const Strings before = world.effects;
  first.loop().Thaw();
  world.time.RunFor(seconds(10));
  CHECK(world.effects == before);
  CHECK(world.traffic == Side::kPrimary);
  CHECK(world.Unsettled() == "");
  CHECK(world.wrong == Strings{});
  CHECK_FALSE(first.controller().acting());
}

TEST_CASE("controller: an operator is told when this process is not the acting manager") {
  World world;
  Manager first(world, 1, {});
  world.time.RunFor(seconds(1));
  Manager second(world, 2, {});
  world.time.RunFor(seconds(1));
  absl::Status answer;
  second.controller().Divert([&answer](const absl::Status& status) { answer = status; });
  CHECK(answer.code() == absl::StatusCode::kAborted);
  CHECK(Words(answer) == "this process is not the acting manager: held by 1");
}

TEST_CASE("controller: a released lease is taken by the next manager, which adopts what it finds") {
  World world;
  Manager first(world, 1, {});
  world.time.RunFor(seconds(1));
  Manager second(world, 2, {});
  world.time.RunFor(seconds(1));
  first.controller().Stop();
  world.time.RunFor(milliseconds(1100));
  CHECK(second.controller().acting());
  CHECK(world.wanted->lease_term == 2);
  CHECK(world.Unsettled() == "");
}

TEST_CASE("controller: traffic moved by somebody else is followed when it was seen twice") {
  Pair pair;
  pair.world.traffic = Side::kMinion;
  pair.world.time.RunFor(seconds(5));
  pair.CheckSettled(Side::kMinion);
  CHECK(pair.world.effects == Strings{"claim minion"});
}

TEST_CASE("controller: a claim that stands for the box without the traffic is replaced") {
  Pair pair;
  pair.world.claimant = kMinionNode;
  pair.world.term = ++pair.world.counter;
  pair.world.time.RunFor(seconds(5));
  pair.CheckSettled(Side::kPrimary);
  CHECK(pair.world.effects == Strings{"claim primary"});
}

TEST_CASE("controller: a claim that another claim has overtaken is refused, and asked for anew") {
  Pair pair;
  pair.world.latency = milliseconds(20);
  pair.world.box(Side::kPrimary).alive = false;
  REQUIRE(pair.world.time.RunUntil([&] { return pair.manager.controller().step() == Step::kSteer; },
                                   seconds(1)));
  // It is on its way when somebody else's arrives.
  pair.world.term = ++pair.world.counter;
  pair.world.time.RunFor(seconds(2));
  const Strings& events = pair.manager.events();
  CHECK(std::any_of(events.begin(), events.end(), [](const std::string& event) {
    return event.starts_with("error: claiming for the minion: expected ");
  }));
  CHECK(pair.world.effects == Strings{"steer minion", "claim minion"});
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: passive steering is followed, and never asked to move") {
  Manager::Setup setup;
  setup.passive = true;
  Pair pair(std::move(setup));
  pair.world.traffic = Side::kMinion;
  SUBCASE("by what the network shows") {
    pair.world.claimant = kMinionNode;
  }
  SUBCASE("by the newest claimant, where the network shows nothing") {
    pair.world.observable = false;
    pair.world.claimant = kMinionNode;
    pair.world.term = ++pair.world.counter;
  }
  pair.world.time.RunFor(seconds(5));
  pair.CheckSettled(Side::kMinion);
  CHECK(pair.world.effects == Strings{});
  CHECK(Words(pair.Move(Side::kPrimary)) ==
        "steering is passive: the network moves the traffic by itself");
}

TEST_CASE("controller: a silent source is a dead primary, where the option says so") {
  for (const Duration limit : {Duration(0), Duration(milliseconds(500))}) {
    CAPTURE(limit.count());
    Manager::Setup setup;
    setup.source_silence = limit;
    Pair pair(std::move(setup));
    pair.world.box(Side::kPrimary).source_heard = false;
    pair.world.time.RunFor(seconds(2));
    CHECK(pair.world.traffic == (limit > Duration::zero() ? Side::kMinion : Side::kPrimary));
    if (limit > Duration::zero()) {
      CHECK(pair.manager.controller().moves().back().reason.starts_with(
          "primary down 0 ms ago (its source is silent for 5"));
    }
  }
}

TEST_CASE("controller: while the store is away, silence tells nothing") {
  Manager::Setup setup;
  setup.source_silence = milliseconds(500);
  Pair pair(std::move(setup));
  pair.world.store_up = false;
  pair.world.time.RunFor(seconds(2));
  pair.world.store_up = true;
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.world.effects == Strings{});
  pair.CheckSettled(Side::kPrimary);
}

TEST_CASE("controller: a flapping primary is left for good at the flap limit") {
  Manager::Setup setup;
  setup.policy = *NewDampedPolicy(
      {.up_for = milliseconds(100), .between_moves = milliseconds(100), .max_moves = 4});
  Pair pair(std::move(setup));
  for (int flap = 0; flap < 60; ++flap) {
    pair.world.box(Side::kPrimary).alive = flap % 2 == 1;
    pair.world.time.RunFor(seconds(2));
  }
  CHECK(pair.world.effects.size() == 8);  // four moves, each steers and claims
  CHECK(pair.world.wrong == Strings{});
}

TEST_CASE("controller: under load the drain ends when what there was a report ago is confirmed") {
  Pair pair;
  // 100,000 records a second; whatever a report says is 1000 of them behind.
  pair.world.growth = 2000;
  pair.world.unseen = 1000;
  pair.world.box(Side::kMinion).lag = 5000;
  pair.world.time.RunFor(milliseconds(100));
  std::optional<absl::Status> answer;
  pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(5));
  CHECK(pair.manager.controller().step() == Step::kDrain);
  pair.world.box(Side::kMinion).lag = 0;
  pair.world.time.RunFor(seconds(1));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: a tail that never ends is claimed away, not undone") {
  Pair pair;
  pair.world.box(Side::kPrimary).waiting = 40;  // short enough to go, and then it stays
  std::optional<absl::Status> answer;
  pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
  REQUIRE(
      pair.world.time.RunUntil([&] { return pair.world.traffic == Side::kMinion; }, seconds(1)));
  pair.world.growth = 0;
  pair.world.box(Side::kMinion).lag = 10;
  pair.world.time.RunFor(seconds(1));
  CHECK(pair.world.claimant == kPrimaryNode);
  pair.world.time.RunFor(seconds(31));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: a planned move waits for a report that was made after it began") {
  Pair pair;
  pair.world.box(Side::kPrimary).source_reports = false;  // still heard, by its last report
  std::optional<absl::Status> answer;
  pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
  pair.world.time.RunFor(seconds(1));
  CHECK(pair.manager.controller().step() == Step::kDrain);
  CHECK(pair.world.traffic == Side::kPrimary);
  pair.world.box(Side::kPrimary).source_reports = true;
  pair.world.time.RunFor(seconds(1));
  REQUIRE(answer.has_value());
  CHECK(answer->ok());
  pair.CheckSettled(Side::kMinion);
}

TEST_CASE("controller: the tail of a box that cannot be heard, or resyncs, is waited for") {
  for (const bool cut_off : {true, false}) {
    CAPTURE(cut_off);
    Pair pair;
    World::Box& primary = pair.world.box(Side::kPrimary);
    std::optional<absl::Status> answer;
    pair.manager.controller().Divert([&answer](const absl::Status& status) { answer = status; });
    REQUIRE(
        pair.world.time.RunUntil([&] { return pair.world.traffic == Side::kMinion; }, seconds(1)));
    primary.source_reports = !cut_off;
    primary.source_syncing = !cut_off;
    pair.world.time.RunFor(seconds(5));
    CHECK(pair.manager.controller().step() == Step::kDrainTail);
    CHECK(pair.world.claimant == kPrimaryNode);
    SUBCASE("until it has nothing left") {
      primary.source_reports = true;
      primary.source_syncing = false;
    }
    SUBCASE("until the box is dead") {
      primary.alive = false;
    }
    pair.world.time.RunFor(seconds(1));
    REQUIRE(answer.has_value());
    CHECK(answer->ok());
    pair.CheckSettled(Side::kMinion);
  }
}

TEST_CASE("controller: the target learns that the traffic was sent to it") {
  std::vector<std::pair<Step, bool>> redirected;
  Manager::Setup setup;
  Pair* world = nullptr;
  setup.on_step = [&](Manager&, Side, Step step, StepEdge edge) {
    if (edge == StepEdge::kAfter && world->world.wanted.has_value()) {
      redirected.emplace_back(step, world->world.wanted->redirected);
    }
  };
  Pair pair(std::move(setup));
  world = &pair;
  CHECK(pair.Move(Side::kMinion).ok());
  for (const auto& [at, known] : redirected) {
    const Step step = at;  // clang 14 captures no structured binding
    CAPTURE(StepName(step));
    CHECK(known == (step == Step::kDrainTail || step == Step::kClaim));
  }
}

TEST_CASE("controller: a target that is loaded anew while it is activated gets no traffic") {
  Manager::Setup setup;
  Pair* world = nullptr;
  setup.on_step = [&](Manager&, Side, Step step, StepEdge) {
    world->world.box(Side::kMinion).sink_syncing = step == Step::kActivate;
  };
  Pair pair(std::move(setup));
  world = &pair;
  const absl::Status moved = pair.Move(Side::kMinion, seconds(1));
  CHECK(Words(moved).find("loaded anew") != std::string::npos);
  pair.world.time.RunFor(seconds(1));
  pair.CheckSettled(Side::kPrimary);
}

}  // namespace
}  // namespace mimi::testing
