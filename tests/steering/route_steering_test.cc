// Routes of a real kernel, in a namespace: what moves, what is seen, and by which way a packet
// goes.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/steering.h"

#include "tests/steering/steering_rig.h"
#include "tests/support/net_namespace.h"

namespace {

using mimi::Ip;
using mimi::IpPrefix;
using mimi::RouteSteeringOptions;
using mimi::Side;
using mimi::testing::SteeringRig;
using mimi::testing::TextOf;

IpPrefix Prefix(const char* address, int length) {
  return {.address = *Ip::Parse(address), .length = length};
}

// A router with both boxes on one network: primary .11, minion .12.
struct World : SteeringRig {
  mimi::testing::NetNamespace router, boxes;

  World() {
    Connect(router, "r0", boxes, "b0");
    Connect(router, "other", boxes, "b1");
    router.Run(
        "ip addr add 10.1.0.1/24 dev r0; ip addr add fd00:1::1/64 dev r0 nodad;"
        "ip addr add 10.2.0.1/24 dev other");
  }
  RouteSteeringOptions V4(std::vector<IpPrefix> prefixes) const {
    return {.prefixes = std::move(prefixes),
            .primary = {.gateway = *Ip::Parse("10.1.0.11"), .interface = ""},
            .minion = {.gateway = *Ip::Parse("10.1.0.12"), .interface = ""},
            .network_namespace = router.path()};
  }
  RouteSteeringOptions V6(std::vector<IpPrefix> prefixes) const {
    RouteSteeringOptions options = V4(std::move(prefixes));
    options.primary = {.gateway = *Ip::Parse("fd00:1::11"), .interface = "r0"};
    options.minion = {.gateway = *Ip::Parse("fd00:1::12"), .interface = "r0"};
    return options;
  }
  void Make(const RouteSteeringOptions& options) { Use(mimi::NewRouteSteering(options, *loop)); }
  // "via ADDRESS" as the kernel would send a packet.
  std::string Way(const std::string& to) const {
    const std::string way = router.Run("ip route get " + to);
    const std::size_t via = way.find("via ");
    return via == std::string::npos ? way : way.substr(via, way.find(" dev") - via);
  }
};

void CheckMoves(World& world, const std::string& to, const std::string& primary,
                const std::string& minion) {
  for (const Side side : {Side::kMinion, Side::kMinion, Side::kPrimary, Side::kPrimary}) {
    const absl::Status moved = world.Move(side);
    REQUIRE_MESSAGE(moved.ok(), moved.ToString());
    CHECK(world.Way(to) == (side == Side::kPrimary ? primary : minion));
    const absl::StatusOr<Side> seen = world.Observe();
    REQUIRE_MESSAGE(seen.ok(), seen.status().ToString());
    CHECK(*seen == side);
  }
}

}  // namespace

TEST_CASE("route: IPv4 routes are made, moved and brought back, and asking twice changes nothing") {
  World world;
  world.Make(world.V4({Prefix("203.0.113.0", 24), Prefix("198.51.100.9", 32)}));
  CHECK(TextOf(world.Observe().status()) == "no route to 203.0.113.0/24 in table 254");
  CheckMoves(world, "203.0.113.7", "via 10.1.0.11", "via 10.1.0.12");
  CHECK(world.Way("198.51.100.9") == "via 10.1.0.11");
  CHECK(world.router.Run("ip route show 203.0.113.0/24 | wc -l") == "1\n");
}

TEST_CASE("route: IPv6 routes, with a metric, beside one of somebody else's") {
  World world;
  world.router.Run("ip -6 route add 2001:db8::/32 via fd00:1::99 metric 4000");
  RouteSteeringOptions options = world.V6({Prefix("2001:db8::", 32)});
  world.Make(options);
  CHECK(world.Observe().status().code() == absl::StatusCode::kUnavailable);
  CheckMoves(world, "2001:db8::7", "via fd00:1::11", "via fd00:1::12");
  options.metric = 77;
  world.Make(options);
  CHECK(TextOf(world.Observe().status()) ==
        "no route to 2001:db8::/32 in table 254 with metric 77");
  CheckMoves(world, "2001:db8::7", "via fd00:1::11", "via fd00:1::12");
  CHECK(world.router.Run("ip -6 route show 2001:db8::/32 | wc -l") == "3\n");
}

TEST_CASE("route: an IPv6 gateway serves both families") {
  World world;
  world.Make(world.V6({Prefix("203.0.113.0", 24), Prefix("2001:db8::", 32)}));
  CheckMoves(world, "203.0.113.7", "via inet6 fd00:1::11", "via inet6 fd00:1::12");
  CHECK(world.Way("2001:db8::7") == "via fd00:1::11");
}

TEST_CASE("route: what the primary has now is read before anything is done") {
  World world;
  world.router.Run("ip route add 203.0.113.0/24 via 10.1.0.11; ip route add default via 10.1.0.12");
  world.Make(world.V4({Prefix("203.0.113.99", 24)}));  // bits of a host do not matter
  CHECK(*world.Observe() == Side::kPrimary);
  world.Make(world.V4({Prefix("0.0.0.0", 0)}));
  CHECK(*world.Observe() == Side::kMinion);
}

TEST_CASE("route: who may not act any more changes nothing") {
  World world;
  world.router.Run("ip route add 203.0.113.0/24 via 10.1.0.11");
  world.Make(world.V4({Prefix("203.0.113.0", 24)}));
  const absl::Status status = world.Move(Side::kMinion, [] { return false; });
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(world.Way("203.0.113.7") == "via 10.1.0.11");
}

TEST_CASE("route: routes that disagree, or lead elsewhere, are said, and put right by a move") {
  World world;
  world.router.Run(
      "ip route add 203.0.113.0/24 via 10.1.0.11; ip route add 198.51.100.0/24 via 10.1.0.12");
  world.Make(world.V4({Prefix("203.0.113.0", 24), Prefix("198.51.100.0", 24)}));
  CHECK(TextOf(world.Observe().status()) ==
        "the route to 198.51.100.0/24 leads to the minion, the one to 203.0.113.0/24 to the "
        "primary");
  world.router.Run("ip route replace 198.51.100.0/24 via 10.2.0.9");
  CHECK(TextOf(world.Observe().status()) ==
        "the route to 198.51.100.0/24 leads to neither box, but to 10.2.0.9");
  world.router.Run("ip route replace 198.51.100.0/24 nexthop via 10.1.0.11 nexthop via 10.1.0.12");
  CHECK(TextOf(world.Observe().status()) == "the route to 198.51.100.0/24 leads to neither box");
  CHECK(world.Move(Side::kMinion).ok());
  CHECK(*world.Observe() == Side::kMinion);
}

TEST_CASE("route: a table of its own among many routes") {
  World world;
  world.router.Run(
      "{ for i in $(seq 0 79); do for j in $(seq 0 249); do "
      "echo route add 100.$i.$j.0/24 via 10.2.0.7 table $((100 + i % 2)); done; done; } | "
      "ip -batch -");
  RouteSteeringOptions options = world.V4({Prefix("203.0.113.0", 24)});
  options.table = 100;
  world.Make(options);
  CHECK(TextOf(world.Observe().status()) == "no route to 203.0.113.0/24 in table 100");
  world.router.Run("ip rule add to 203.0.113.0/24 lookup 100");
  CheckMoves(world, "203.0.113.7", "via 10.1.0.11", "via 10.1.0.12");
  options.table = 1000;  // beyond a byte
  world.Make(options);
  CHECK(world.Move(Side::kMinion).ok());
  CHECK(*world.Observe() == Side::kMinion);
}

TEST_CASE("route: one next-hop object moves all routes that use it") {
  World world;
  world.router.Run(
      "ip nexthop add id 10 via 10.1.0.11 dev r0; ip route add 203.0.113.0/24 nhid 10;"
      "ip route add 198.51.100.0/24 nhid 10");
  RouteSteeringOptions options = world.V4({});
  options.nexthop_id = 10;
  options.primary.interface = options.minion.interface = "r0";
  world.Make(options);
  CHECK(*world.Observe() == Side::kPrimary);
  for (const Side side : {Side::kMinion, Side::kMinion, Side::kPrimary}) {
    REQUIRE(world.Move(side).ok());
    CHECK(*world.Observe() == side);
    const std::string way = side == Side::kPrimary ? "10.1.0.11" : "10.1.0.12";
    CHECK(world.router.Run("ip route get 203.0.113.7").find("via " + way) != std::string::npos);
    CHECK(world.router.Run("ip route get 198.51.100.7").find("via " + way) != std::string::npos);
  }
  world.router.Run("ip nexthop del id 10");
  CHECK(world.Observe().status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("route: by interface alone, and an interface that has gone") {
  World world;
  Connect(world.router, "tunnel", world.boxes, "b2");
  RouteSteeringOptions options = world.V4({Prefix("203.0.113.0", 24)});
  options.primary = {.gateway = {}, .interface = "other"};
  options.minion = {.gateway = {}, .interface = "tunnel"};
  world.Make(options);
  CHECK(world.Move(Side::kMinion).ok());
  CHECK(*world.Observe() == Side::kMinion);
  CHECK(world.router.Run("ip route get 203.0.113.7").find("dev tunnel") != std::string::npos);
  CHECK(world.Move(Side::kPrimary).ok());
  CHECK(*world.Observe() == Side::kPrimary);
  world.router.Run("ip link del tunnel");
  const absl::Status moved = world.Move(Side::kMinion);
  CHECK(moved.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(TextOf(moved).starts_with("no interface \"tunnel\""));
}

TEST_CASE("route: a gateway that cannot be reached is the kernel's error, in its words") {
  World world;
  RouteSteeringOptions options = world.V4({Prefix("203.0.113.0", 24)});
  options.minion.gateway = *Ip::Parse("192.0.2.77");
  world.Make(options);
  CHECK(world.Move(Side::kPrimary).ok());
  const absl::Status moved = world.Move(Side::kMinion);
  CHECK_FALSE(moved.ok());
  CHECK(TextOf(moved).starts_with("route to 203.0.113.0/24: "));
  CHECK(TextOf(moved).find("invalid gateway") != std::string::npos);
  CHECK(*world.Observe() == Side::kPrimary);
}

TEST_CASE("route: options that cannot be are refused") {
  World world;
  const auto refused = [&](const RouteSteeringOptions& options) {
    const auto made = mimi::NewRouteSteering(options, *world.loop);
    REQUIRE(made.status().code() == absl::StatusCode::kInvalidArgument);
    return TextOf(made.status());
  };
  CHECK(refused(world.V4({})) == "route steering: expected either prefixes or nexthop_id");
  RouteSteeringOptions options = world.V4({Prefix("2001:db8::", 32)});
  CHECK(refused(options) ==
        "route steering: primary: 2001:db8::/32 cannot be reached by the IPv4 gateway 10.1.0.11");
  options = world.V4({Prefix("203.0.113.0", 33)});
  CHECK(refused(options) == "route steering: prefixes: 203.0.113.0/33 is none");
  options = world.V4({Prefix("203.0.113.0", 24)});
  options.minion = options.primary;
  CHECK(refused(options) == "route steering: primary and minion: both are 10.1.0.11");
  options.minion = {};
  CHECK(refused(options) == "route steering: minion: needs a gateway or an interface");
  options = world.V4({});
  options.nexthop_id = 5;
  CHECK(refused(options) ==
        "route steering: primary: a next-hop object needs gateway and interface");
  options = world.V4({Prefix("203.0.113.0", 24)});
  options.primary.interface = "nowhere";
  CHECK(mimi::NewRouteSteering(options, *world.loop).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  options.network_namespace = "no-such-namespace";
  CHECK(mimi::NewRouteSteering(options, *world.loop).status().code() ==
        absl::StatusCode::kNotFound);
}
