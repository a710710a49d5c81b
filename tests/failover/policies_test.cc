#include "mimi/builtin/policies.h"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonotonicTime kNow = MonotonicTime(std::chrono::hours(1));

// One line of a table: what is known, and what is to be decided.
struct Case {
  const char* name;
  Side traffic = Side::kPrimary;
  Health primary = Health::kUp;
  Health minion = Health::kUp;
  bool primary_usable = true;
  bool minion_usable = true;
  Readiness primary_readiness = Readiness::kReady;
  Readiness minion_readiness = Readiness::kReady;
  Action action = Action::kStay;
  bool planned = false;
  std::string reason = {};
};

PairView ViewOf(const Case& c) {
  PairView view;
  view.traffic = c.traffic;
  view.phase = c.traffic == Side::kPrimary ? Phase::kOnPrimary : Phase::kOnMinion;
  view.primary = {.health = c.primary,
                  .health_since = kNow - milliseconds(31),
                  .health_reason = c.primary == Health::kDown ? "bfd: no packet for 30 ms" : "",
                  .usable = c.primary_usable,
                  .writable = true,
                  .readiness = c.primary_readiness,
                  .readiness_reason = "loading"};
  view.minion = {.health = c.minion,
                 .health_since = kNow - seconds(2),
                 .health_reason = c.minion == Health::kDown ? "heartbeat lost" : "",
                 .usable = c.minion_usable,
                 .writable = true,
                 .readiness = c.minion_readiness,
                 .readiness_reason = "lost 3 records",
                 .rows_behind = 12};
  return view;
}

void Check(const FailoverPolicy& policy, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Decision decision = policy.Decide(ViewOf(c), kNow);
    CHECK(decision.action == c.action);
    CHECK(decision.planned == c.planned);
    CHECK(decision.reason == c.reason);
  }
}

TEST_CASE("immediate: every situation has its decision and its reason") {
  Check(
      *NewImmediatePolicy(),
      {
          {.name = "all is well", .reason = "primary up for 31 ms; staying"},
          {.name = "no evidence yet",
           .primary = Health::kUnknown,
           .reason = "primary unknown; staying"},
          {.name = "the primary dies",
           .primary = Health::kDown,
           .action = Action::kDivert,
           .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion ready, 12 rows "
                     "behind; diverting"},
          {.name = "a stale minion is better than none",
           .primary = Health::kDown,
           .minion_readiness = Readiness::kDegraded,
           .action = Action::kDivert,
           .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion degraded (lost 3 "
                     "records), 12 rows behind; diverting"},
          {.name = "a minion that liveness has not seen is judged by its sink",
           .primary = Health::kDown,
           .minion = Health::kUnknown,
           .action = Action::kDivert,
           .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion ready, 12 rows "
                     "behind; diverting"},
          {.name = "never to a minion without a healthy sink",
           .primary = Health::kDown,
           .minion_usable = false,
           .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion not usable (lost 3 "
                     "records); staying"},
          {.name = "both are down",
           .primary = Health::kDown,
           .minion = Health::kDown,
           .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion down 2.0 s ago "
                     "(heartbeat lost), nowhere to go; staying"},
          {.name = "a standby that dies moves nothing",
           .minion = Health::kDown,
           .reason = "primary up for 31 ms; staying"},
          {.name = "on the minion, the primary is back",
           .traffic = Side::kMinion,
           .reason = "primary up for 31 ms; an operator restores; staying"},
          {.name = "the minion dies under traffic",
           .traffic = Side::kMinion,
           .minion = Health::kDown,
           .action = Action::kRestore,
           .reason = "minion down 2.0 s ago (heartbeat lost); primary ready, 0 rows behind; "
                     "restoring"},
      });
}

TEST_CASE(
    "immediate: require_ready prefers an outage to a stale minion, but not under a dead minion") {
  Check(*NewImmediatePolicy({.require_ready = true}),
        {
            {.name = "stale",
             .primary = Health::kDown,
             .minion_readiness = Readiness::kDegraded,
             .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion degraded (lost 3 "
                       "records), 12 rows behind, and only a ready one may take over; staying"},
            {.name = "ready",
             .primary = Health::kDown,
             .action = Action::kDivert,
             .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion ready, 12 rows "
                       "behind; diverting"},
            {.name = "away from a dead minion",
             .traffic = Side::kMinion,
             .minion = Health::kDown,
             .primary_readiness = Readiness::kSyncing,
             .action = Action::kRestore,
             .reason = "minion down 2.0 s ago (heartbeat lost); primary syncing (loading), 0 rows "
                       "behind; restoring"},
        });
}

TEST_CASE("immediate: restore returns by itself, planned, to a primary that has caught up") {
  Check(*NewImmediatePolicy({.restore = true}),
        {
            {.name = "caught up",
             .traffic = Side::kMinion,
             .action = Action::kRestore,
             .planned = true,
             .reason = "primary up for 31 ms; primary ready, 0 rows behind; restoring"},
            {.name = "still loading",
             .traffic = Side::kMinion,
             .primary_readiness = Readiness::kSyncing,
             .reason = "primary up for 31 ms; primary syncing (loading), 0 rows behind; staying"},
            {.name = "not seen by liveness",
             .traffic = Side::kMinion,
             .primary = Health::kUnknown,
             .reason = "primary unknown; staying"},
            {.name = "still down",
             .traffic = Side::kMinion,
             .primary = Health::kDown,
             .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); staying"},
        });
}

TEST_CASE("manual: stays, and says what it would do") {
  Check(*NewManualPolicy(),
        {
            {.name = "well", .reason = "primary up for 31 ms; staying"},
            {.name = "dead",
             .primary = Health::kDown,
             .reason = "primary down 31 ms ago (bfd: no packet for 30 ms); minion ready, 12 rows "
                       "behind; staying: an operator decides (immediate would be diverting)"},
            {.name = "back",
             .traffic = Side::kMinion,
             .reason = "primary up for 31 ms; primary ready, 0 rows behind; staying: an operator "
                       "decides (immediate would be restoring)"},
        });
}

std::unique_ptr<FailoverPolicy> Damped(const DampedPolicyOptions& options) {
  absl::StatusOr<std::unique_ptr<FailoverPolicy>> policy = NewDampedPolicy(options);
  REQUIRE(policy.ok());
  return *std::move(policy);
}

TEST_CASE("damped: waits until the primary has been down for down_for, and asks to be asked then") {
  const auto policy = Damped({.down_for = milliseconds(50)});
  const PairView view = ViewOf({.name = "", .primary = Health::kDown});
  const Decision early = policy->Decide(view, kNow);
  CHECK(early.action == Action::kStay);
  CHECK(early.retry_at == kNow + milliseconds(19));
  CHECK(early.reason ==
        "primary down 31 ms ago (bfd: no packet for 30 ms); minion ready, 12 rows behind; staying: "
        "only after 50 ms of it");
  const Decision due = policy->Decide(view, *early.retry_at);
  CHECK(due.action == Action::kDivert);
  CHECK_FALSE(due.planned);
}

TEST_CASE("damped: returns only after the primary has been up for up_for") {
  const auto policy = Damped({.up_for = seconds(30)});
  const PairView view = ViewOf({.name = "", .traffic = Side::kMinion});
  const Decision early = policy->Decide(view, kNow);
  CHECK(early.action == Action::kStay);
  CHECK(early.retry_at == view.primary.health_since + seconds(30));
  const Decision due = policy->Decide(view, *early.retry_at);
  CHECK(due.action == Action::kRestore);
  CHECK(due.planned);
}

TEST_CASE("damped: leaves time between two moves, failed ones included") {
  for (const bool succeeded : {true, false}) {
    CAPTURE(succeeded);
    const auto policy = Damped({.between_moves = seconds(10)});
    const std::vector<Move> moves = {{.at = kNow - seconds(4), .succeeded = succeeded}};
    PairView view = ViewOf({.name = "", .primary = Health::kDown});
    view.moves = moves;
    const Decision early = policy->Decide(view, kNow);
    CHECK(early.action == Action::kStay);
    CHECK(early.retry_at == kNow + seconds(6));
    CHECK(early.reason.ends_with("staying: the last move was 4.0 s ago"));
    CHECK(policy->Decide(view, *early.retry_at).action == Action::kDivert);
  }
}

TEST_CASE("damped: stops at the flap limit until the oldest of the moves is old enough") {
  const auto policy = Damped({.between_moves = seconds(0), .max_moves = 3, .within = minutes(10)});
  std::vector<Move> moves;
  for (const int ago : {11, 8, 5, 4, 2}) {
    moves.push_back({.at = kNow - minutes(ago), .succeeded = ago != 4});
  }
  PairView view = ViewOf({.name = "", .primary = Health::kDown});
  view.moves = moves;
  const Decision stopped = policy->Decide(view, kNow);
  CHECK(stopped.action == Action::kStay);
  CHECK(stopped.retry_at == kNow + minutes(2));
  CHECK(stopped.reason.ends_with("staying: flapping, 3 moves within 10 min"));
  CHECK(policy->Decide(view, *stopped.retry_at).action == Action::kDivert);

  // Two within the time are not yet flapping, nor is one that failed.
  moves.erase(moves.begin() + 1);
  view.moves = moves;
  CHECK(policy->Decide(view, kNow).action == Action::kDivert);
}

TEST_CASE("damped: a box that flaps each second is moved away from max_moves times at most") {
  const auto policy = Damped({.down_for = milliseconds(0),
                              .up_for = milliseconds(200),
                              .between_moves = milliseconds(100),
                              .max_moves = 4,
                              .within = minutes(10)});
  std::vector<Move> moves;
  Side traffic = Side::kPrimary;
  for (int ms = 0; ms < 300'000; ms += 50) {
    const MonotonicTime now = kNow + milliseconds(ms);
    const bool down = (ms / 500) % 2 == 1;
    PairView view =
        ViewOf({.name = "", .traffic = traffic, .primary = down ? Health::kDown : Health::kUp});
    view.primary.health_since = kNow + milliseconds(ms / 500 * 500);
    view.moves = moves;
    const Decision decision = policy->Decide(view, now);
    if (decision.action == Action::kStay) {
      continue;
    }
    traffic = decision.action == Action::kDivert ? Side::kMinion : Side::kPrimary;
    moves.push_back({.at = now, .to = traffic, .planned = decision.planned, .succeeded = true});
  }
  CHECK(moves.size() == 4);
}

TEST_CASE("damped: options that make no sense are refused by name") {
  const auto message = [](const DampedPolicyOptions& options) {
    const auto policy = NewDampedPolicy(options);
    return std::string(policy.status().message().data(), policy.status().message().size());
  };
  CHECK(message({.down_for = milliseconds(-1)}) ==
        "damped policy: down_for is negative (-1000000 ns)");
  CHECK(message({.within = seconds(-1)}) == "damped policy: within is negative (-1000000000 ns)");
  CHECK(message({.max_moves = 0}) == "damped policy: max_moves is 0, expected 1 to 16");
  CHECK(message({.max_moves = 17}) == "damped policy: max_moves is 17, expected 1 to 16");
}

}  // namespace
}  // namespace mimi
