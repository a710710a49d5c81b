#include "src/engine/readiness.h"

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace mimi::internal {
namespace {

// A pair in which all is well, seen from one side as the target.
struct World {
  Side side = Side::kMinion;
  PartStatus sink, source;
  StoreState store;
  bool restore_without_state = false;
};

World Well() {
  World world;
  world.store.head = 1012;
  world.sink.heard = true;
  world.sink.report.node = 1;
  world.sink.report.healthy = true;
  world.sink.report.readiness = Readiness::kReady;
  world.sink.report.resyncs = 1;
  world.sink.report.rows = 500;
  world.sink.report.position = 1000;
  world.source = world.sink;
  world.source.report.coverage = 15;
  return world;
}

BoxView Assess(const World& world) {
  return AssessBox({.side = world.side,
                    .sink = world.sink,
                    .source = world.source,
                    .store = world.store,
                    .restore_without_state = world.restore_without_state});
}

TEST_CASE("readiness: a warm minion that follows is ready, with its rows and its distance") {
  const BoxView box = Assess(Well());
  CHECK(box.readiness == Readiness::kReady);
  CHECK(box.readiness_reason == "");
  CHECK(box.usable);
  CHECK(box.writable);
  CHECK(box.rows == 500);
  CHECK(box.rows_behind == 12);
}

TEST_CASE(
    "readiness: a standby is not ready before the box with the traffic publishes all it has") {
  World world = Well();
  const auto assess = [&](std::optional<Position> published) {
    return AssessBox({.side = world.side,
                      .sink = world.sink,
                      .source = world.source,
                      .store = world.store,
                      .standby = true,
                      .published = published})
        .readiness;
  };
  CHECK(assess(Position{0}) == Readiness::kSyncing);
  world.source.report.active = true;
  CHECK(assess(Position{1000}) == Readiness::kReady);
  CHECK(assess(Position{1001}) == Readiness::kSyncing);
  CHECK(assess(std::nullopt) == Readiness::kSyncing);
}

TEST_CASE(
    "readiness: every cause has its word, its reason, and what it means for an unplanned move") {
  struct Case {
    Readiness word;
    bool usable;
    std::string reason;
    std::function<void(World&)> spoil;
  };
  const std::vector<Case> cases = {
      {Readiness::kBlind, false, "no sink of the minion has reported",
       [](World& w) {
         w.sink = PartStatus();
       }},
      {Readiness::kBlind, false, "minion's sink not heard for 3.4 s",
       [](World& w) {
         w.sink.heard = false;
         w.sink.since_heard = std::chrono::milliseconds(3400);
       }},
      {Readiness::kBlind, false, "minion's sink not heard yet",
       [](World& w) {
         w.sink.heard = false;
         w.sink.since_heard = Duration::max();
       }},
      {Readiness::kBlind, true, "no source of the primary has reported",
       [](World& w) {
         w.source = PartStatus();
       }},
      {Readiness::kBlind, true, "primary's source not heard for 5.0 s",
       [](World& w) {
         w.source.heard = false;
         w.source.since_heard = std::chrono::seconds(5);
       }},
      {Readiness::kBlind, true, "primary's source cannot tell live flows",
       [](World& w) {
         w.source.report.coverage = 2 | 8;
       }},
      {Readiness::kReady, true, "",
       [](World& w) {
         w.source.report.coverage = 4 | 8;
       }},
      {Readiness::kReady, true, "",
       [](World& w) {
         w.source.report.coverage = 1 | 8;
       }},
      {Readiness::kDegraded, true, "primary's source does not see every flow",
       [](World& w) {
         w.source.report.coverage = 7;
       }},
      {Readiness::kSyncing, true, "minion is being loaded",
       [](World& w) {
         w.sink.report.syncing = true;
       }},
      {Readiness::kSyncing, true, "minion has not been loaded yet",
       [](World& w) {
         w.sink.report.resyncs = 0;
       }},
      {Readiness::kSyncing, true, "a resync of the primary runs",
       [](World& w) {
         w.source.report.syncing = true;
       }},
      {Readiness::kDegraded, true, "7 rows differed at the last audit",
       [](World& w) {
         w.sink.report.differing = 7;
       }},
      {Readiness::kDegraded, true, "minion's sink degraded: staleness 1.4 s",
       [](World& w) {
         w.sink.report.readiness = Readiness::kDegraded;
         w.sink.report.reason = Text<96>("staleness 1.4 s");
       }},
      {Readiness::kDegraded, true, "primary's source degraded: 12 records lost",
       [](World& w) {
         w.source.report.readiness = Readiness::kDegraded;
         w.source.report.reason = Text<96>("12 records lost");
       }},
      {Readiness::kDegraded, false, "minion's sink not healthy: kernel module is gone",
       [](World& w) {
         w.sink.report.healthy = false;
         w.sink.report.reason = Text<96>("kernel module is gone");
       }},
      {Readiness::kDegraded, true, "store unreachable: connection refused",
       [](World& w) {
         w.store.available = false;
         w.store.reason = "connection refused";
       }},
      {Readiness::kDegraded, true, "3 rows left out of full tables",
       [](World& w) {
         w.store.rows_missing = 3;
       }},
  };
  for (const Case& c : cases) {
    World world = Well();
    c.spoil(world);
    CAPTURE(c.reason);
    const BoxView box = Assess(world);
    CHECK(box.readiness == c.word);
    CHECK(box.readiness_reason == c.reason);
    CHECK(box.usable == c.usable);
  }
}

TEST_CASE("readiness: the worst finding gives the word, and all are told") {
  World world = Well();
  world.sink.report.differing = 2;
  world.sink.report.syncing = true;
  world.store.rows_missing = 1;
  const BoxView box = Assess(world);
  CHECK(box.readiness == Readiness::kSyncing);
  CHECK(
      box.readiness_reason ==
      "1 rows left out of full tables; minion is being loaded; 2 rows differed at the last audit");
  world.source.heard = false;
  CHECK(Assess(world).readiness == Readiness::kBlind);
}

TEST_CASE(
    "readiness: while the store is away, a sink that was healthy stays usable though unheard") {
  World world = Well();
  world.store.available = false;
  world.sink.heard = false;
  world.sink.since_heard = std::chrono::minutes(10);
  CHECK(Assess(world).usable);
  CHECK(Assess(world).readiness == Readiness::kBlind);
  world.sink.report.healthy = false;
  CHECK_FALSE(Assess(world).usable);
}

TEST_CASE("readiness: a primary without a sink is usable only where losing its flows is allowed") {
  World world = Well();
  world.side = Side::kPrimary;
  world.sink = PartStatus();
  BoxView box = Assess(world);
  CHECK_FALSE(box.writable);
  CHECK_FALSE(box.usable);
  CHECK(box.rows_behind == 0);
  world.restore_without_state = true;
  box = Assess(world);
  CHECK_FALSE(box.writable);
  CHECK(box.usable);
  // A minion without a sink holds nothing at all.
  world.side = Side::kMinion;
  CHECK_FALSE(Assess(world).usable);
}

TEST_CASE("readiness: a word that this version does not know is not trusted") {
  World world = Well();
  world.sink.report.readiness = static_cast<Readiness>(9);
  CHECK(Assess(world).readiness == Readiness::kBlind);
}

}  // namespace
}  // namespace mimi::internal
