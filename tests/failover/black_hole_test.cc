// What becomes of live connections when the primary stops to forward, and when the traffic moves as
// planned. bench/failover measures the same, longer.
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "tests/failover/echo_load.h"
#include "tests/failover/one_armed_pair.h"

namespace mimi::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kConnections = 500;
constexpr Duration kInterval = milliseconds(100);

void UntilAllAnswer(OneArmedPair& pair, const EchoLoad& load) {
  const auto from = Clock::now();
  pair.Until("an answer on every connection", [&] { return load.SilentSince(from) == 0; });
}

}  // namespace

TEST_CASE("black hole: the first byte comes through the minion soon, and no connection is lost") {
  OneArmedPair pair({.interval = kInterval});
  EchoLoad load(pair.client(), pair.server(), kConnections);
  UntilAllAnswer(pair, load);
  pair.Until("rows at the minion", [&] { return pair.rows(Side::kMinion) == kConnections; });
  for (int round = 0; round < 3; ++round) {
    pair.Until("BFD", [&] { return pair.PrimaryIsUp() && pair.Ready(Side::kMinion); });
    pair.RunFor(milliseconds(500));
    const auto fault = Clock::now();
    pair.BlackHole(true);
    load.WaitAfter(Clock::now());
    pair.Until("an answer through the minion", [&] { return load.answered(); });
    CHECK(load.first() - fault < seconds(1));
    UntilAllAnswer(pair, load);
    pair.BlackHole(false);
    pair.Until("BFD", [&] { return pair.PrimaryIsUp(); });
    CHECK(pair.Move(Side::kPrimary).ok());
    UntilAllAnswer(pair, load);
  }
  CHECK(load.broken() == 0);
  CHECK(pair.downs() == 3);
}

TEST_CASE("planned: no connection is lost by diverts and returns under load") {
  OneArmedPair pair({.interval = kInterval});
  EchoLoad load(pair.client(), pair.server(), kConnections);
  UntilAllAnswer(pair, load);
  pair.Until("rows at the minion", [&] { return pair.rows(Side::kMinion) == kConnections; });
  for (int round = 0; round < 3; ++round) {
    for (const Side to : {Side::kMinion, Side::kPrimary}) {
      const absl::Status moved = pair.Move(to);
      CHECK_MESSAGE(moved.ok(), moved.ToString());
      UntilAllAnswer(pair, load);
    }
  }
  CHECK(load.broken() == 0);
}

TEST_CASE("bulk: loading and auditing 50,000 flows with a store that syncs raises no false alarm") {
  constexpr std::size_t kFlows = 50'000;
  OneArmedPair pair({.flows = kFlows, .file_store = true, .interval = kInterval});
  pair.Until("BFD", [&] { return pair.PrimaryIsUp(); });
  pair.Until("all rows", [&] { return pair.rows(Side::kMinion) >= kFlows; });
  const AuditResult audit = pair.Audit(Side::kMinion);
  CHECK(audit.compared >= kFlows);
  CHECK(audit.differing() == 0);
  if (!pair.scheduling().starts_with("SCHED_FIFO")) {
    MESSAGE("not checked for false alarms: " << pair.scheduling());
    return;
  }
  CHECK(pair.downs() == 0);
}

}  // namespace mimi::testing
