#include "src/liveness/bfd_session.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace mimi::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart = MonotonicTime(std::chrono::hours(1));

// Two sessions and the wire between them, on a clock of its own.
class Link {
 public:
  Link(BfdConfig a, BfdConfig b) {
    a.discriminator = 1;
    a.seed = 11;
    b.discriminator = 2;
    b.seed = 22;
    ends_[0].session.emplace(a, now);
    ends_[1].session.emplace(b, now);
  }

  struct End {
    std::optional<BfdSession> session;
    bool deaf = false;  // what comes is lost
    bool dead = false;  // it does nothing
    std::vector<BfdChange> changes;
    std::vector<std::pair<MonotonicTime, BfdPacket>> sent;
  };
  End& a() { return ends_[0]; }
  End& b() { return ends_[1]; }
  MonotonicTime now = kStart;
  microseconds delay{200};

  void RunFor(Duration time) {
    const MonotonicTime until = now + time;
    while (true) {
      MonotonicTime next = wire_.empty() ? MonotonicTime::max() : wire_.begin()->first;
      for (const End& end : ends_) {
        if (!end.dead) {
          next = std::min(next, end.session->NextDeadline());
        }
      }
      if (next > until) {
        now = until;
        return;
      }
      now = std::max(now, next);
      Deliver();
      for (std::size_t i = 0; i < 2; ++i) {
        if (!ends_[i].dead && ends_[i].session->NextDeadline() <= now) {
          Act(i, ends_[i].session->Tick(now));
        }
      }
    }
  }
  void SetTimers(std::size_t i, microseconds tx, microseconds rx) {
    Act(i, ends_[i].session->SetTimers(tx, rx, now));
  }
  bool up() const {
    return ends_[0].session->state() == BfdState::kUp && ends_[1].session->state() == BfdState::kUp;
  }

 private:
  void Act(std::size_t from, const BfdActions& actions) {
    for (const BfdPacket& packet : actions.send) {
      ends_[from].sent.emplace_back(now, packet);
      // Through the codec, so that nothing travels that a packet cannot carry.
      BfdPacket read;
      REQUIRE(ParseBfd(EncodeBfd(packet), &read) == BfdRefusal::kNone);
      wire_.emplace(now + delay, std::pair(1 - from, read));
    }
    if (actions.change.has_value()) {
      ends_[from].changes.push_back(*actions.change);
    }
  }
  void Deliver() {
    while (!wire_.empty() && wire_.begin()->first <= now) {
      const auto [to, packet] = wire_.begin()->second;
      wire_.erase(wire_.begin());
      if (!ends_[to].deaf && !ends_[to].dead) {
        Act(to, ends_[to].session->OnPacket(packet, now));
      }
    }
  }

  std::array<End, 2> ends_;
  std::multimap<MonotonicTime, std::pair<std::size_t, BfdPacket>> wire_;
};

BfdConfig Fast() {
  return {.desired_min_tx = milliseconds(10), .required_min_rx = milliseconds(10), .multiplier = 3};
}

TEST_CASE("bfd: two sessions come up within two slow intervals, and then speed up by a poll") {
  Link link(Fast(), Fast());
  link.RunFor(milliseconds(2100));
  REQUIRE(link.up());
  link.RunFor(milliseconds(100));
  CHECK(link.a().session->transmit_interval() == milliseconds(10));
  CHECK(link.a().session->detection_time() == milliseconds(30));
  CHECK(link.b().session->detection_time() == milliseconds(30));
  const auto polled = [](const Link::End& end) {
    return std::any_of(end.sent.begin(), end.sent.end(),
                       [](const auto& sent) { return sent.second.poll; });
  };
  CHECK(polled(link.a()));
  CHECK(polled(link.b()));
  // The poll has ended: nobody asks any more.
  CHECK_FALSE(link.a().sent.back().second.poll);
}

TEST_CASE("bfd: before it is up nobody sends more than once a second") {
  Link link(Fast(), Fast());
  link.b().dead = true;
  link.RunFor(seconds(10));
  CHECK(link.a().sent.size() >= 10);
  CHECK(link.a().sent.size() <= 14);
  for (const auto& [at, packet] : link.a().sent) {
    CHECK(packet.desired_min_tx == seconds(1));
    CHECK(packet.state == BfdState::kDown);
    CHECK(packet.your_discriminator == 0);
  }
}

TEST_CASE("bfd: the session goes down when the detection time expires, and says why") {
  Link link(Fast(), Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  const MonotonicTime died = link.now;
  link.b().dead = true;
  link.a().changes.clear();
  link.RunFor(milliseconds(29));
  // The last packet may be up to 10 ms old when the peer dies.
  link.RunFor(milliseconds(2));
  REQUIRE(link.a().changes.size() == 1);
  CHECK(link.a().changes[0].state == BfdState::kDown);
  CHECK_FALSE(link.a().changes[0].administrative);
  CHECK(link.a().changes[0].reason == "no packet for 30 ms");
  CHECK(link.now - died <= milliseconds(31));
  const BfdPacket& last = link.a().sent.back().second;
  CHECK(last.state == BfdState::kDown);
  CHECK(last.diagnostic == BfdDiagnostic::kDetectionTimeExpired);
  CHECK(last.desired_min_tx == seconds(1));
  // RFC 5880 6.8.1: the discriminator of who is silent is forgotten.
  link.RunFor(seconds(1));
  CHECK(link.a().sent.back().second.your_discriminator == 0);
}

TEST_CASE("bfd: a path that is cut one way takes both ends down, the deaf one first") {
  Link link(Fast(), Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  link.a().changes.clear();
  link.b().changes.clear();
  link.b().deaf = true;
  link.RunFor(milliseconds(32));
  REQUIRE(link.b().changes.size() == 1);
  CHECK(link.b().changes[0].reason == "no packet for 30 ms");
  REQUIRE(link.a().changes.size() == 1);
  CHECK(link.a().changes[0].reason == "the peer says down (control detection time expired)");
  link.b().deaf = false;
  link.RunFor(seconds(3));
  CHECK(link.up());
}

TEST_CASE("bfd: a peer that restarts takes the session down and up again") {
  Link link(Fast(), Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  link.a().changes.clear();
  BfdConfig config = Fast();
  config.discriminator = 77;
  link.b().session.emplace(config, link.now);
  link.RunFor(seconds(3));
  REQUIRE(link.a().changes.size() >= 2);
  CHECK(link.a().changes[0].state == BfdState::kDown);
  CHECK(link.a().changes.back().state == BfdState::kUp);
  CHECK(link.up());
}

TEST_CASE("bfd: the slower side sets the pace, in each direction by itself") {
  BfdConfig slow = Fast();
  slow.required_min_rx = milliseconds(200);
  slow.desired_min_tx = milliseconds(50);
  slow.multiplier = 5;
  Link link(Fast(), slow);
  link.RunFor(seconds(4));
  REQUIRE(link.up());
  CHECK(link.a().session->transmit_interval() == milliseconds(200));
  CHECK(link.b().session->transmit_interval() == milliseconds(50));
  CHECK(link.a().session->detection_time() == milliseconds(250));
  CHECK(link.b().session->detection_time() == milliseconds(600));
}

TEST_CASE("bfd: timers that get slower while up wait for the end of the poll, and lose nothing") {
  Link link(Fast(), Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  link.a().changes.clear();
  link.b().changes.clear();
  link.delay = milliseconds(4);
  link.SetTimers(0, milliseconds(300), milliseconds(10));
  // Until the peer has answered, the old pace holds: it still expects a packet each 10 ms.
  CHECK(link.a().session->transmit_interval() == milliseconds(10));
  link.RunFor(milliseconds(20));
  CHECK(link.a().session->transmit_interval() == milliseconds(300));
  CHECK(link.b().session->detection_time() == milliseconds(900));
  link.RunFor(seconds(5));
  link.SetTimers(0, milliseconds(20), milliseconds(20));
  link.RunFor(seconds(1));
  CHECK(link.a().session->transmit_interval() == milliseconds(20));
  CHECK(link.b().session->transmit_interval() == milliseconds(20));
  CHECK(link.a().session->detection_time() == milliseconds(60));
  CHECK(link.a().changes.empty());
  CHECK(link.b().changes.empty());
}

TEST_CASE("bfd: a receiver that gets faster waits for the poll before it expects more") {
  BfdConfig slow = Fast();
  slow.required_min_rx = milliseconds(100);
  Link link(slow, Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  CHECK(link.a().session->detection_time() == milliseconds(300));
  link.delay = milliseconds(4);
  link.SetTimers(0, milliseconds(10), milliseconds(10));
  CHECK(link.a().session->detection_time() == milliseconds(300));
  link.a().changes.clear();
  link.RunFor(seconds(1));
  CHECK(link.a().session->detection_time() == milliseconds(30));
  CHECK(link.a().changes.empty());
}

TEST_CASE("bfd: a poll is answered at once, with F and without P") {
  BfdSession session(Fast(), kStart);
  BfdPacket packet{.state = BfdState::kDown,
                   .poll = true,
                   .multiplier = 3,
                   .my_discriminator = 9,
                   .desired_min_tx = seconds(1),
                   .required_min_rx = milliseconds(10)};
  const BfdActions actions = session.OnPacket(packet, kStart + milliseconds(1));
  REQUIRE(actions.send.size() == 1);
  CHECK(actions.send[0].final);
  CHECK_FALSE(actions.send[0].poll);
  CHECK(actions.send[0].your_discriminator == 9);
  CHECK(actions.send[0].state == BfdState::kInit);
}

TEST_CASE("bfd: intervals are shortened by 0 to 25 %, with a multiplier of 1 by at least 10 %") {
  for (const int multiplier : {1, 3}) {
    BfdConfig config = Fast();
    config.multiplier = static_cast<std::uint8_t>(multiplier);
    Link link(config, Fast());
    link.RunFor(seconds(3));
    REQUIRE(link.up());
    link.a().sent.clear();
    link.RunFor(seconds(5));
    double least = 1e9, most = 0, sum = 0;
    for (std::size_t i = 1; i < link.a().sent.size(); ++i) {
      const double gap = std::chrono::duration<double, std::milli>(link.a().sent[i].first -
                                                                   link.a().sent[i - 1].first)
                             .count();
      least = std::min(least, gap);
      most = std::max(most, gap);
      sum += gap;
    }
    CAPTURE(multiplier);
    CHECK(least >= 7.5 - 0.01);
    CHECK(least < 7.8);
    CHECK(most <= (multiplier == 1 ? 9.0 : 10.0) + 0.01);
    CHECK(most > (multiplier == 1 ? 8.9 : 9.8));
    CHECK(sum / static_cast<double>(link.a().sent.size() - 1) < (multiplier == 1 ? 8.4 : 8.9));
  }
}

TEST_CASE("bfd: a peer that is administratively down says nothing about the box") {
  Link link(Fast(), Fast());
  link.RunFor(seconds(3));
  REQUIRE(link.up());
  const BfdPacket bye = link.b().session->AdminDown();
  CHECK(bye.state == BfdState::kAdminDown);
  const BfdActions actions = link.a().session->OnPacket(bye, link.now);
  REQUIRE(actions.change.has_value());
  CHECK(actions.change->state == BfdState::kDown);
  CHECK(actions.change->administrative);
  REQUIRE(actions.send.size() == 1);
  CHECK(actions.send[0].diagnostic == BfdDiagnostic::kNeighborSignaledDown);
}

TEST_CASE("bfd: a passive session is silent until it is spoken to") {
  BfdConfig passive = Fast();
  passive.passive = true;
  Link both(passive, passive);
  both.RunFor(seconds(5));
  CHECK(both.a().sent.empty());
  Link link(passive, Fast());
  link.RunFor(seconds(4));
  CHECK(link.up());
}

TEST_CASE("bfd: a peer that wants no packets gets none but answers to its polls") {
  BfdSession session(Fast(), kStart);
  BfdPacket packet{.state = BfdState::kDown,
                   .multiplier = 3,
                   .my_discriminator = 9,
                   .desired_min_tx = seconds(1),
                   .required_min_rx = microseconds(0)};
  CHECK(session.OnPacket(packet, kStart).send.empty());
  CHECK(session.Tick(kStart + seconds(2)).send.empty());
  packet.poll = true;
  CHECK(session.OnPacket(packet, kStart + seconds(2)).send.size() == 1);
}

TEST_CASE(
    "bfd: whatever is lost, a session that is up has heard the peer within its detection time") {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    Link link(Fast(), Fast());
    for (int turn = 0; turn < 40; ++turn) {
      link.a().deaf = random() % 3 == 0;
      link.b().deaf = random() % 3 == 0;
      link.delay = microseconds(100 + random() % 3000);
      link.RunFor(milliseconds(random() % 800));
      if (random() % 5 == 0) {
        link.SetTimers(random() % 2, milliseconds(5 + random() % 100),
                       milliseconds(5 + random() % 100));
      }
      if (link.a().deaf && link.a().session->state() == BfdState::kUp) {
        CHECK(link.a().session->NextDeadline() - link.now <= seconds(4));
      }
    }
    link.a().deaf = link.b().deaf = false;
    link.RunFor(seconds(6));
    CHECK(link.up());
  }
}

}  // namespace
}  // namespace mimi::internal
