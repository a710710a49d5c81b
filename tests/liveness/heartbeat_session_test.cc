#include "src/liveness/heartbeat_session.h"

#include <optional>
#include <vector>

#include <doctest/doctest.h>

namespace mimi::internal {
namespace {

using std::chrono::milliseconds;

constexpr MonotonicTime kStart = MonotonicTime(std::chrono::hours(1));
constexpr std::uint64_t kNode = 42;

Sha256Digest Secret(int life) {
  Sha256Digest secret{};
  secret[0] = static_cast<std::byte>(life);
  return secret;
}

BeaconSender Beacon(std::uint64_t session) {
  return BeaconSender(
      {.node = kNode, .session = session, .interval = milliseconds(50), .multiplier = 3}, kStart);
}

// The first beat earns a challenge, the answer to it counts.
HeartbeatPacket Join(BeaconSender& beacon, HeartbeatListener& listener, MonotonicTime now) {
  const std::vector<BeaconSender::Beat> beats = beacon.Tick(true, now);
  REQUIRE(beats.size() == 1);
  const HeartbeatActions first = listener.OnPacket(beats[0].packet, now);
  CHECK(first.refusal == HeartbeatRefusal::kUnknownSession);
  CHECK_FALSE(first.change.has_value());
  REQUIRE(first.challenge.has_value());
  const std::optional<BeaconSender::Beat> answer = beacon.OnChallenge(0, *first.challenge, true);
  REQUIRE(answer.has_value());
  CHECK(listener.OnPacket(answer->packet, now).refusal == HeartbeatRefusal::kNone);
  return answer->packet;
}

TEST_CASE(
    "heartbeat: a beacon that answers the challenge is up, and down after three silent beats") {
  BeaconSender beacon = Beacon(7);
  HeartbeatListener listener(kNode, Secret(1));
  const HeartbeatActions first = listener.OnPacket(beacon.Tick(true, kStart)[0].packet, kStart);
  const HeartbeatActions joined =
      listener.OnPacket(beacon.OnChallenge(0, *first.challenge, true)->packet, kStart);
  REQUIRE(joined.change.has_value());
  CHECK(joined.change->up);
  CHECK(listener.NextDeadline() == kStart + milliseconds(150));
  CHECK_FALSE(listener.Tick(kStart + milliseconds(149)).change.has_value());
  const HeartbeatActions silent = listener.Tick(kStart + milliseconds(151));
  REQUIRE(silent.change.has_value());
  CHECK_FALSE(silent.change->up);
  CHECK(silent.change->reason == "no beat for 151 ms");
  const MonotonicTime later = kStart + milliseconds(200);
  const HeartbeatActions back = listener.OnPacket(beacon.Tick(true, later)[0].packet, later);
  REQUIRE(back.change.has_value());
  CHECK(back.change->up);
}

TEST_CASE("heartbeat: a node that says that it is not well is down at once") {
  BeaconSender beacon = Beacon(7);
  HeartbeatListener listener(kNode, Secret(1));
  Join(beacon, listener, kStart);
  const MonotonicTime later = kStart + milliseconds(50);
  const HeartbeatActions ill = listener.OnPacket(beacon.Tick(false, later)[0].packet, later);
  REQUIRE(ill.change.has_value());
  CHECK_FALSE(ill.change->up);
  // Its silence is no further news.
  CHECK_FALSE(listener.Tick(later + milliseconds(500)).change.has_value());
}

TEST_CASE("heartbeat: what was heard before counts for nothing when it is heard again") {
  BeaconSender beacon = Beacon(7);
  HeartbeatListener listener(kNode, Secret(1));
  const HeartbeatPacket recorded = Join(beacon, listener, kStart);
  CHECK(listener.OnPacket(recorded, kStart).refusal == HeartbeatRefusal::kReplayed);
  // Replays do not put off the end.
  CHECK(listener.NextDeadline() == kStart + milliseconds(150));
}

TEST_CASE("heartbeat: recordings of an earlier life of either end are worthless") {
  BeaconSender old_beacon = Beacon(7);
  HeartbeatListener listener(kNode, Secret(1));
  const HeartbeatPacket recorded = Join(old_beacon, listener, kStart);
  // The beacon lives again, under a new session.
  BeaconSender beacon = Beacon(8);
  Join(beacon, listener, kStart + milliseconds(60));
  HeartbeatPacket forged = recorded;
  forged.sequence += 1000;  // as if the old life had recorded many more
  CHECK(listener.OnPacket(forged, kStart).refusal == HeartbeatRefusal::kUnknownSession);
  // The listener lives again, with a new secret.
  HeartbeatListener reborn(kNode, Secret(2));
  CHECK(reborn.OnPacket(recorded, kStart).refusal == HeartbeatRefusal::kUnknownSession);
  CHECK(reborn.NextDeadline() == MonotonicTime::max());
}

TEST_CASE("heartbeat: a recorded challenge does not take the nonce away") {
  BeaconSender beacon = Beacon(7);
  HeartbeatListener first(kNode, Secret(1));
  const HeartbeatActions challenge = first.OnPacket(beacon.Tick(true, kStart)[0].packet, kStart);
  REQUIRE(beacon.OnChallenge(0, *challenge.challenge, true).has_value());
  HeartbeatListener second(kNode, Secret(2));
  const MonotonicTime later = kStart + milliseconds(50);
  const HeartbeatActions newer = second.OnPacket(beacon.Tick(true, later)[0].packet, later);
  REQUIRE(beacon.OnChallenge(0, *newer.challenge, true).has_value());
  CHECK_FALSE(beacon.OnChallenge(0, *challenge.challenge, true).has_value());
  HeartbeatPacket future = *newer.challenge;
  future.sequence = 1'000'000;  // a beat that was never sent
  CHECK_FALSE(beacon.OnChallenge(0, future, true).has_value());
}

TEST_CASE("heartbeat: another node's beats are not heard") {
  HeartbeatListener listener(kNode, Secret(1));
  HeartbeatPacket packet{.node = kNode + 1, .session = 1, .sequence = 1};
  const HeartbeatActions actions = listener.OnPacket(packet, kStart);
  CHECK(actions.refusal == HeartbeatRefusal::kOtherNode);
  CHECK_FALSE(actions.challenge.has_value());
}

TEST_CASE("replay window: each number once, in any order within 64") {
  ReplayWindow window;
  CHECK(window.Take(100));
  CHECK_FALSE(window.Take(100));
  CHECK(window.Take(99));
  CHECK(window.Take(37));
  CHECK_FALSE(window.Take(36));
  CHECK(window.Take(163));
  CHECK_FALSE(window.Take(100));
  CHECK_FALSE(window.Take(99));
  CHECK(window.Take(101));
  CHECK(window.Take(1'000'000));
  CHECK(window.Take(999'937));
  CHECK_FALSE(window.Take(999'936));
}

}  // namespace
}  // namespace mimi::internal
