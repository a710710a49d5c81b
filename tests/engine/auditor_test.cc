#include "src/engine/auditor.h"

#include <doctest/doctest.h>

#include "tests/engine/replica_rig.h"

namespace mimi::internal {
namespace {

using namespace mimi::testing;  // NOLINT(google-build-using-namespace)
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kValueAt = 4;
constexpr std::size_t kTimerAt = 8;

struct AuditRig : ReplicaRig {
  explicit AuditRig(Word rows = 1000) {
    Start();
    for (Word id = 0; id < rows; ++id) {
      writer->Put(id, id);
      if (id % 1000 == 999) {
        REQUIRE(writer->Send().ok());
      }
    }
    REQUIRE(writer->Send().ok());
    SettleFor(milliseconds(10));
    REQUIRE(Equal());
  }
};

TEST_CASE("auditor: a data plane that is as it should be passes") {
  AuditRig rig;
  const absl::StatusOr<AuditResult> result = rig.Audit();
  REQUIRE(result.ok());
  CHECK(result->compared == 1000);
  CHECK(result->differing() == 0);
  CHECK(result->findings.empty());
  CHECK(rig.auditor->last().has_value());
  CHECK(rig.auditor->last_at() <= rig.loop.unix_now());
}

TEST_CASE("auditor: what is missing, too much or different is found, counted and put right") {
  AuditRig rig;
  rig.minion->Forget(MakeKey(1));
  rig.minion->Forget(MakeKey(2));
  rig.minion->Corrupt(MakeKey(3), kValueAt);
  rig.minion->Plant(MakeRow(5000, 1));
  const absl::StatusOr<AuditResult> result = rig.Audit();
  REQUIRE(result.ok());
  CHECK(result->missing == 2);
  CHECK(result->different == 1);
  CHECK(result->extra == 1);
  CHECK(result->repaired == 4);
  CHECK(result->findings.size() == 4);
  CHECK(rig.Equal());
  CHECK(rig.Audit()->differing() == 0);
}

TEST_CASE("auditor: soft fields are not compared") {
  AuditRig rig;
  rig.minion->Corrupt(MakeKey(3), kTimerAt);
  CHECK(rig.Audit()->differing() == 0);
}

TEST_CASE("auditor: while the box writes, differences are reported and left alone") {
  AuditRig rig;
  rig.may_repair = false;
  rig.minion->Plant(MakeRow(5000, 1));
  rig.minion->Forget(MakeKey(1));
  const absl::StatusOr<AuditResult> result = rig.Audit();
  REQUIRE(result.ok());
  CHECK(result->differing() == 2);
  CHECK(result->repaired == 0);
  CHECK(rig.minion->held().contains(ToText(MakeKey(5000))));
}

TEST_CASE("auditor: changes on their way are not differences") {
  AuditRig rig;
  rig.minion->hold = true;
  bool answered = false;
  AuditResult answer;
  rig.auditor->Request([&](const absl::StatusOr<AuditResult>& result) {
    answered = true;
    REQUIRE(result.ok());
    answer = *result;
  });
  // Every tick something else changes; the minion takes it late, and confirms it later.
  Word next = 0;
  for (int i = 0; i < 5000 && !answered; ++i) {
    rig.writer->Put(next % 1000, next).Erase((next + 500) % 1000).Put(2000 + next % 50, next);
    REQUIRE(rig.writer->Send().ok());
    next += 7;
    rig.minion->room = i % 3 == 0 ? FakeMinion::kUnlimited : 0;
    rig.minion->hold = i % 5 != 0;
    rig.TickOnce();
    rig.time.RunFor(std::chrono::microseconds(300));
  }
  REQUIRE(answered);
  CHECK(answer.differing() == 0);
  CHECK(answer.compared > 0);
}

TEST_CASE("auditor: a difference is found also while everything else changes") {
  AuditRig rig;
  rig.minion->Forget(MakeKey(1));
  bool answered = false;
  AuditResult answer;
  rig.auditor->Request([&](const absl::StatusOr<AuditResult>& result) {
    answered = true;
    REQUIRE(result.ok());
    answer = *result;
  });
  for (Word i = 0; i < 5000 && !answered; ++i) {
    REQUIRE(rig.writer->Put(100 + i % 900, i).Send().ok());
    rig.TickOnce();
    rig.time.RunFor(std::chrono::microseconds(300));
  }
  REQUIRE(answered);
  CHECK(answer.missing == 1);
  CHECK(answer.differing() == 1);
}

TEST_CASE("auditor: more differences than it notes at a time are all repaired") {
  AuditRig rig(100'000);
  for (Word id = 0; id < 100'000; ++id) {
    rig.minion->Forget(MakeKey(id));
  }
  const absl::StatusOr<AuditResult> result = rig.Audit(seconds(600));
  REQUIRE(result.ok());
  CHECK(result->missing == 100'000);
  CHECK(result->repaired == 100'000);
  CHECK(rig.Equal());
}

TEST_CASE(
    "auditor: more differences than it notes at a time are lower bounds when it may not repair") {
  AuditRig rig(100'000);
  for (Word id = 0; id < 100'000; ++id) {
    rig.minion->Forget(MakeKey(id));
  }
  rig.may_repair = false;
  const absl::StatusOr<AuditResult> result = rig.Audit(seconds(600));
  REQUIRE(result.ok());
  CHECK(result->missing == Auditor::kMaxNoted);
  REQUIRE(!result->findings.empty());
  CHECK(result->findings.front() == "100000 rows differed at first sight: the counts are at least");
}

TEST_CASE("auditor: a minion that shows nothing, or is away, is an error that says so") {
  AuditRig rig;
  SUBCASE("it cannot") {
    rig.minion->auditable = false;
    CHECK(rig.Audit().status().code() == absl::StatusCode::kUnimplemented);
  }
  SUBCASE("it is not warm in time") {
    rig.minion->unavailable = true;
    rig.minion->warm_failures = 1'000'000;
    REQUIRE(rig.writer->Put(1, 1).Send().ok());
    CHECK(rig.Audit().status().code() == absl::StatusCode::kUnavailable);
  }
}

TEST_CASE("auditor: a pass comes by itself each so often, in slices") {
  AuditRig rig;
  AuditorOptions options;
  options.every = std::chrono::minutes(5);
  int passes = 0;
  options.on_result = [&](const absl::StatusOr<AuditResult>& result) {
    CHECK(result.ok());
    ++passes;
  };
  Auditor background(*rig.replica, rig.loop, options);
  for (int minute = 0; minute < 16; ++minute) {
    rig.SettleFor(std::chrono::minutes(1));
    while (background.Tick(rig.loop.now())) {}
  }
  CHECK(passes == 3);
}

}  // namespace
}  // namespace mimi::internal
