// Addresses that move between two boxes of one network, as a third host sees it in its tables of
// neighbours.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/steering.h"

#include "src/base/unique_fd.h"
#include "tests/steering/steering_rig.h"
#include "tests/support/net_namespace.h"

namespace {

using namespace std::chrono_literals;
using mimi::AddressSteeringOptions;
using mimi::Ip;
using mimi::Mac;
using mimi::Side;
using mimi::testing::NetNamespace;
using mimi::testing::RunUntil;
using mimi::testing::SteeringRig;
using mimi::testing::TextOf;

constexpr char kPrimaryMac[] = "02:00:00:00:00:01";
constexpr char kMinionMac[] = "02:00:00:00:00:02";

struct World : SteeringRig {
  NetNamespace network, host, primary, minion;

  World() {
    network.Run("ip link add br0 type bridge; ip link set br0 up");
    Join(host, "02:00:00:00:00:03", "to_host", "10.0.0.3/24", "fd00::3/64");
    Join(primary, kPrimaryMac, "to_primary", "10.0.0.1/24", "fd00::1/64");
    Join(minion, kMinionMac, "to_minion", "10.0.0.2/24", "fd00::2/64");
    primary.Run("ip addr add 10.0.0.100/24 dev eth0; ip addr add fd00::100/64 dev eth0 nodad");
  }
  void Join(const NetNamespace& box, const std::string& mac, const std::string& port,
            const std::string& v4, const std::string& v6) const {
    Connect(network, port, box, "eth0");
    network.Run("ip link set " + port + " master br0");
    box.Run("ip link set eth0 address " + mac + "; ip addr add " + v4 + " dev eth0; ip addr add " +
            v6 + " dev eth0 nodad");
  }
  AddressSteeringOptions Options() const {
    return {.addresses = {{.address = *Ip::Parse("10.0.0.100"), .length = 24},
                          {.address = *Ip::Parse("fd00::100"), .length = 64}},
            .minion_interface = "eth0",
            .network_namespace = minion.path()};
  }
  void Make(const AddressSteeringOptions& options) {
    Use(mimi::NewAddressSteering(options, *loop));
  }
  // What the third host believes, without asking anybody.
  bool Believes(const std::string& mac) const {
    const std::string table = host.Run("ip neigh show dev eth0");
    return table.find("10.0.0.100 lladdr " + mac) != std::string::npos &&
           table.find("fd00::100 lladdr " + mac) != std::string::npos;
  }
  void Ping() const { host.Run("ping -c 1 -w 5 -q 10.0.0.100 && ping -c 1 -w 5 -q fd00::100"); }
};

// The ARP announcements that a namespace's eth0 hears.
class Ear {
 public:
  explicit Ear(const NetNamespace& where)
      : socket_(where.Inside([] {
          return socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
        })) {
    REQUIRE(socket_.valid());
  }
  struct Heard {
    int arp = 0, advertisements = 0, from_router = 0;
  };
  const Heard& heard() {
    unsigned char frame[2048];
    for (ssize_t size; (size = recv(socket_.get(), frame, sizeof(frame), 0)) > 0;) {
      if (size >= 42 && frame[12] == 8 && frame[13] == 6 &&
          std::equal(frame + 28, frame + 32, frame + 38)) {
        ++heard_.arp;
      }
      if (size >= 86 && frame[12] == 0x86 && frame[20] == 58 && frame[54] == 136 &&
          frame[0] == 0x33) {
        ++heard_.advertisements;
        heard_.from_router += (frame[58] & 0x80) != 0 ? 1 : 0;
      }
    }
    return heard_;
  }

 private:
  mimi::UniqueFd socket_;
  Heard heard_;
};

}  // namespace

TEST_CASE("address: a third host finds the minion by itself, and the primary after the return") {
  World world;
  AddressSteeringOptions options = world.Options();
  options.primary_mac = Mac::Parse(kPrimaryMac);
  world.Make(options);
  CHECK(*world.Observe() == Side::kPrimary);
  world.Ping();
  REQUIRE(world.Believes(kPrimaryMac));

  world.network.Run("ip link set to_primary down");  // the primary dies
  for (int i = 0; i < 2; ++i) {                      // the second changes nothing
    const absl::Status moved = world.Move(Side::kMinion);
    REQUIRE_MESSAGE(moved.ok(), moved.ToString());
    CHECK(*world.Observe() == Side::kMinion);
    CHECK(RunUntil(*world.loop, [&] { return world.Believes(kMinionMac); }));
    world.Ping();
  }
  CHECK(world.minion.Run("ip -o addr show dev eth0 | grep -c -e 10.0.0.100 -e fd00::100") == "2\n");
  CHECK(world.minion.Run("ip -6 addr show dev eth0 to fd00::100").find("tentative") ==
        std::string::npos);

  world.network.Run("ip link set to_primary up");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(world.Move(Side::kPrimary).ok());
    CHECK(*world.Observe() == Side::kPrimary);
    CHECK(RunUntil(*world.loop, [&] { return world.Believes(kPrimaryMac); }));
    world.Ping();
  }
}

TEST_CASE("address: it is announced as often as asked for, as a router if it is one") {
  World world;
  world.minion.Sysctl("net/ipv6/conf/eth0/forwarding", "1");
  AddressSteeringOptions options = world.Options();
  options.announcements = 3;
  options.announce_every = 20ms;
  world.Make(options);
  Ear ear(world.host);
  REQUIRE(world.Move(Side::kMinion).ok());
  CHECK(ear.heard().arp == 2);  // as request and as reply, by the time of the answer
  CHECK(ear.heard().advertisements == 1);
  CHECK(RunUntil(*world.loop, [&] { return ear.heard().advertisements == 3; }));
  CHECK_FALSE(RunUntil(
      *world.loop, [&] { return ear.heard().advertisements > 3; }, 100ms));
  CHECK(ear.heard().arp == 6);
  CHECK(ear.heard().from_router == 3);
}

TEST_CASE("address: what has been taken away meanwhile is not announced again") {
  World world;
  AddressSteeringOptions options = world.Options();
  options.announce_every = 20ms;
  world.Make(options);
  Ear ear(world.host);
  REQUIRE(world.Move(Side::kMinion).ok());
  world.minion.Run("ip addr del 10.0.0.100/24 dev eth0; ip addr del fd00::100/64 dev eth0");
  CHECK_FALSE(RunUntil(
      *world.loop, [&] { return ear.heard().arp > 2; }, 200ms));
}

TEST_CASE("address: a primary on an interface of the same host") {
  World world;
  Connect(world.network, "to_eth1", world.minion, "eth1");
  world.network.Run("ip link set to_eth1 master br0");
  AddressSteeringOptions options = world.Options();
  options.primary_interface = "eth1";
  world.Make(options);
  REQUIRE(world.Move(Side::kPrimary).ok());
  CHECK(*world.Observe() == Side::kPrimary);
  CHECK(world.minion.Run("ip -o addr show dev eth1 | grep -c -e 10.0.0.100 -e fd00::100") == "2\n");
  REQUIRE(world.Move(Side::kMinion).ok());
  CHECK(*world.Observe() == Side::kMinion);
  CHECK(world.minion.Run("ip -o addr show dev eth1").find("10.0.0.100") == std::string::npos);
}

TEST_CASE("address: who may not act any more changes nothing and says nothing") {
  World world;
  world.Make(world.Options());
  Ear ear(world.host);
  CHECK(world.Move(Side::kMinion, [] { return false; }).code() == absl::StatusCode::kAborted);
  CHECK(*world.Observe() == Side::kPrimary);
  CHECK(ear.heard().arp == 0);
}

TEST_CASE("address: half of them here is neither box, and a move puts it right") {
  World world;
  world.Make(world.Options());
  world.minion.Run("ip addr add 10.0.0.100/24 dev eth0");
  CHECK(TextOf(world.Observe().status()) == "10.0.0.100 is on eth0, and fd00::100 is not");
  CHECK(world.Move(Side::kPrimary).ok());
  CHECK(*world.Observe() == Side::kPrimary);
}

TEST_CASE("address: an interface that is down takes nothing over") {
  World world;
  world.Make(world.Options());
  world.minion.Run("ip link set eth0 down");
  const absl::Status down = world.Move(Side::kMinion);
  CHECK(down.code() == absl::StatusCode::kUnavailable);
  CHECK(TextOf(down) == "interface eth0 is down");
  world.minion.Run("ip link del eth0");
  CHECK(world.Move(Side::kMinion).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(*world.Observe() == Side::kPrimary);
  CHECK(world.Move(Side::kPrimary).ok());
}

TEST_CASE("address: options that cannot be are refused") {
  World world;
  const auto refused = [&](const AddressSteeringOptions& options) {
    const auto made = mimi::NewAddressSteering(options, *world.loop);
    REQUIRE(made.status().code() == absl::StatusCode::kInvalidArgument);
    return TextOf(made.status());
  };
  AddressSteeringOptions options = world.Options();
  options.addresses[1].length = 129;
  CHECK(refused(options) == "address steering: addresses: fd00::100/129 is none");
  options.addresses.clear();
  CHECK(refused(options) == "address steering: addresses: expected what is to move");
  options = world.Options();
  options.primary_interface = "eth0";
  CHECK(refused(options) ==
        "address steering: minion_interface and primary_interface: both are eth0");
  options = world.Options();
  options.announcements = 0;
  CHECK(refused(options) ==
        "address steering: announcements: expected at least one, and time between them");
  options = world.Options();
  options.minion_interface = "eth9";
  CHECK(mimi::NewAddressSteering(options, *world.loop).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}
