// Our BFD against FRR's bfdd, through a veth pair. Timers are ten times those of a real set-up: it
// is the protocol that is tried here, not how busy the machine is (bench_liveness).
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "mimi/builtin/bfd.h"

#include "tests/liveness/frr.h"
#include "tests/liveness/watched.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Connect;
using testing::Frr;
using testing::NetNamespace;
using testing::Watched;

constexpr char kConfiguration[] =
    "bfd\n peer 10.9.0.1\n  detect-multiplier 3\n  receive-interval 100\n  transmit-interval 100\n";
constexpr milliseconds kLate(1500);  // what a busy machine may add

// The manager at 10.9.0.1, the box at 10.9.0.2.
struct Link {
  Link() {
    Connect(manager, "m0", box, "b0");
    manager.Run("ip addr add 10.9.0.1/24 dev m0");
    box.Run("ip addr add 10.9.0.2/24 dev b0");
  }
  Watched Bfd() const {
    BfdOptions options;
    options.peer = *Ip::Parse("10.9.0.2");
    options.desired_min_tx = options.required_min_rx = milliseconds(100);
    return Watched(manager, [&](Loop& loop) { return NewBfd(options, loop); });
  }
  NetNamespace manager, box;
};

bool HasFrr() {
  static const std::string why = testing::WhyNoFrr();
  if (!why.empty()) {
    std::cout << "skipped: " << why << "\n";
  }
  return why.empty();
}

Duration Since(steady_clock::time_point start, MonotonicTime at) {
  return at - start;
}

TEST_CASE("frr: a session comes up, and a peer that is killed is down within its detection time" *
          doctest::skip(!HasFrr())) {
  const Link link;
  Frr frr(link.box, kConfiguration);
  Watched bfd = link.Bfd();
  CHECK(bfd.Await(Health::kUp).reason == "bfd: session up");
  CHECK(frr.Show("bfd peers").find("Status: up") != std::string::npos);
  const auto killed = steady_clock::now();
  frr.Kill();
  const LivenessEvent down = bfd.Await(Health::kDown);
  CAPTURE(down.reason);
  CHECK(down.reason.find("no packet for") != std::string::npos);
  CHECK(Since(killed, down.at) >= milliseconds(200));  // the last packet came at most 100 ms ago
  CHECK(Since(killed, down.at) <= milliseconds(300) + kLate);
}

TEST_CASE("frr: timers change while the session is up, by a Poll Sequence" *
          doctest::skip(!HasFrr())) {
  const Link link;
  Frr frr(link.box, kConfiguration);
  Watched bfd = link.Bfd();
  bfd.Await(Health::kUp);
  frr.Configure({"bfd", "peer 10.9.0.1", "transmit-interval 400", "receive-interval 300"});
  // Both sides now wait three times as long, and ours sends at the slower pace: FRR's own view.
  for (int i = 0;; ++i) {
    if (frr.Show("bfd peers").find("Transmission interval: 400ms") != std::string::npos) {
      break;
    }
    REQUIRE(i < 50);
  }
  std::this_thread::sleep_for(milliseconds(1500));
  CHECK(bfd.unseen() == 0);
  CHECK(frr.Show("bfd peers").find("Status: up") != std::string::npos);
  const auto killed = steady_clock::now();
  frr.Kill();
  const LivenessEvent down = bfd.Await(Health::kDown);
  CAPTURE(down.reason);
  CHECK(Since(killed, down.at) >= milliseconds(800));
  CHECK(Since(killed, down.at) <= milliseconds(1200) + kLate);
}

TEST_CASE("frr: a peer whose BFD is switched off is unknown, not down, until it is on again" *
          doctest::skip(!HasFrr())) {
  const Link link;
  Frr frr(link.box, kConfiguration);
  Watched bfd = link.Bfd();
  bfd.Await(Health::kUp);
  frr.Configure({"bfd", "peer 10.9.0.1", "shutdown"});
  CHECK(bfd.Await(Health::kUnknown).reason == "bfd: bfd was switched off at the peer");
  frr.Configure({"bfd", "peer 10.9.0.1", "no shutdown"});
  bfd.Await(Health::kUp);
}

TEST_CASE("frr: when we stop, it knows that nobody died" * doctest::skip(!HasFrr())) {
  const Link link;
  Frr frr(link.box, kConfiguration);
  {
    Watched bfd = link.Bfd();
    bfd.Await(Health::kUp);
  }
  const auto stopped = steady_clock::now();
  std::string seen;
  do {
    seen = frr.Show("bfd peers");
  } while (seen.find("Status: down") == std::string::npos &&
           steady_clock::now() - stopped < std::chrono::seconds(10));
  CAPTURE(seen);
  CHECK(seen.find("Remote diagnostics: administratively down") != std::string::npos);
}

TEST_CASE("frr: packets that have passed a router are refused, and keep nothing alive" *
          doctest::skip(!HasFrr())) {
  const Link link;
  Frr frr(link.box, kConfiguration);
  Watched bfd = link.Bfd();
  bfd.Await(Health::kUp);
  CHECK(bfd.Value("mimi_bfd_refused_total", "ttl") == 0);
  link.manager.Nft(
      "table ip far { chain in { type filter hook prerouting priority mangle; "
      "udp dport 3784 ip ttl set 254; }; }");
  bfd.Await(Health::kDown);
  CHECK(bfd.Value("mimi_bfd_refused_total", "ttl") >= 1);
  link.manager.Nft("delete table ip far");
  bfd.Await(Health::kUp);
}

}  // namespace
}  // namespace mimi
