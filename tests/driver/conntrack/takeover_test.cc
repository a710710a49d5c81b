// Connections that go on through another box, their state by conntrack events, and come back.

#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/driver/two_boxes.h"

namespace mimi::testing {
namespace {

std::size_t Resyncs(const std::string& events) {
  constexpr std::string_view kResync = "primary: resync: ";
  std::size_t count = 0;
  for (std::size_t at = 0; (at = events.find(kResync, at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

TEST_CASE(
    "takeover: echo, download and upload go on at the other box, and come back with its own") {
  World world;
  world.Listen(80);
  world.UntilReady(Side::kMinion);
  const Traffic echo = world.Open("203.0.113.1", 80);
  const Traffic echo6 = world.Open("2001:db8::1", 80);
  const Traffic download = world.Open("203.0.113.1", 80);
  const Traffic upload = world.Open("203.0.113.1", 80);
  CHECK(echo.backend == '2');
  CHECK(echo6.backend == '2');
  CHECK(world.Echoes(echo, "hello"));
  CHECK(world.Echoes(echo6, "hello six"));
  Bulk down(download.server.get(), download.client.get());
  Bulk up(upload.client.get(), upload.server.get());
  const auto pump = [&](std::size_t more) {
    const std::size_t down_to = down.received() + more;
    const std::size_t up_to = up.received() + more;
    world.Until("bulk", [&] {
      for (int i = 0; i < 16; ++i) {
        down.Step();
        up.Step();
      }
      return down.received() >= down_to && up.received() >= up_to;
    });
  };
  pump(1'000'000);
  world.Until("rows at B", [&] { return world.RowsAt(world.b) == 4; });

  world.Move(Side::kMinion);
  CHECK(world.Echoes(echo, "over there"));
  CHECK(world.Echoes(echo6, "over there, six"));
  pump(1'000'000);
  const Traffic born_at_b = world.Open("203.0.113.1", 80);
  const Traffic born_at_b6 = world.Open("2001:db8::1", 80);
  CHECK(born_at_b.backend == '3');
  CHECK(world.Echoes(born_at_b, "born at B"));
  CHECK(world.Echoes(born_at_b6, "born at B, six"));
  world.Until("rows at A", [&] { return world.RowsAt(world.a) >= 2; });

  world.UntilReady(Side::kPrimary);
  world.Move(Side::kPrimary);
  CHECK(world.Echoes(echo, "home again"));
  CHECK(world.Echoes(echo6, "home again, six"));
  CHECK(world.Echoes(born_at_b, "moved to A"));
  CHECK(world.Echoes(born_at_b6, "moved to A, six"));
  pump(1'000'000);
  CHECK(down.wrong() == 0);
  CHECK(up.wrong() == 0);
}

TEST_CASE("takeover: a thousand connections at once, and none is lost, there and back") {
  World world;
  const std::vector<Traffic> all = world.OpenMany(1000);
  world.Move(Side::kMinion);
  CHECK(world.EchoAll(all, "at B") == all.size());
  world.UntilReady(Side::kPrimary);
  world.Move(Side::kPrimary);
  CHECK(world.EchoAll(all, "at A") == all.size());
  CHECK(world.b.driver->state().lost == 0);
}

TEST_CASE(
    "takeover: a link that goes down inside the primary ends its flows there, and nowhere else") {
  World world;
  const std::vector<Traffic> all = world.OpenMany(300);
  world.a.space->Run("ip link set inner down");  // every masqueraded entry is flushed
  world.Until("the flush", [&] { return world.a.driver->state().rows == 0; });
  world.RunFor(milliseconds(200));
  CHECK(world.RowsAt(world.b) == all.size());
  world.PrimaryIsDown();
  CHECK(world.EchoAll(all, "at B") == all.size());
  world.RunFor(seconds(3));  // longer than erases are held
  CHECK(world.RowsAt(world.b) == all.size());
  CHECK(world.EchoAll(all, "still") == all.size());
}

TEST_CASE("takeover: the whole primary is gone, its namespace too, and no flow is lost") {
  World world;
  const std::vector<Traffic> all = world.OpenMany(300);
  world.a.engine.reset();
  world.a.driver.reset();
  world.a.minion.reset();
  world.a.store.reset();
  world.a.space.reset();
  world.PrimaryIsDown();
  CHECK(world.EchoAll(all, "at B") == all.size());
}

TEST_CASE("takeover: silent flows that came home outlive a restart of the primary's program") {
  World world;
  const std::vector<Traffic> all = world.OpenMany(50);
  const auto restart = [&] {
    world.a.engine.reset();
    world.a.driver.reset();
    world.a.minion.reset();
    world.a.store.reset();
    world.MakeEngine(world.a, Side::kPrimary);
    world.Until("rows at A again", [&] { return world.a.driver->state().rows == all.size(); });
    world.RunFor(seconds(1));
    CHECK(world.RowsAt(world.b) == all.size());
  };
  restart();
  world.Move(Side::kMinion);
  CHECK(world.EchoAll(all, "at B") == all.size());
  world.UntilReady(Side::kPrimary);
  world.Move(Side::kPrimary);
  world.UntilReady(Side::kMinion);
  restart();  // nothing has passed here since, so all entries are as the minion left them
  world.UntilReady(Side::kMinion);
  world.Move(Side::kMinion);
  CHECK(world.EchoAll(all, "at B again") == all.size());
}

TEST_CASE("takeover: what ends at one box ends at the other, and nothing comes back") {
  World world;
  std::vector<Traffic> all = world.OpenMany(20);
  all.resize(10);
  world.Until("ends at B", [&] { return world.RowsAt(world.b) == 10; });
  world.Move(Side::kMinion);
  CHECK(world.EchoAll(all, "at B") == all.size());
  all.push_back(world.Open("203.0.113.1", 80));  // born at B
  world.Until("a row at A", [&] { return world.RowsAt(world.a) == 1; });
  all.erase(all.begin());  // born at A, ends at B
  all.pop_back();
  const auto rows = [&] {
    return world.b.store->state().rows;
  };
  const auto control_rows = rows() - 11;
  world.Until("both gone from the store", [&] { return rows() == 9 + control_rows; });
  world.RunFor(seconds(3));
  CHECK(rows() == 9 + control_rows);
  CHECK(world.EchoAll(all, "still") == all.size());
  const std::string entries =
      world.b.space->Run("conntrack -L -p tcp --state ESTABLISHED 2>/dev/null");
  CHECK(std::count(entries.begin(), entries.end(), '\n') == 9);
}

TEST_CASE(
    "takeover: events that did not fit are seen as lost, one resync repairs, the audit is clean") {
  World world([](Box& box, Loop& loop) {
    return NewConntrackDriver({.network_namespace = box.space->path(),
                               .receive_buffer = 1,  // the kernel makes it a few KiB
                               .echo_ports = {box.minion->port_id()}},
                              loop);
  });
  world.Listen(80);
  world.UntilReady(Side::kMinion);
  world.RunFor(milliseconds(500));
  const std::uint64_t lost_before = world.a.driver->state().lost;
  const std::uint64_t resyncs_before = Resyncs(world.events);
  // All at once, while nobody reads.
  constexpr std::size_t kFlows = 200;
  std::vector<UniqueFd> sockets;
  for (std::size_t i = 0; i < kFlows; ++i) {
    sockets.push_back(OpenSocket(world.client, SOCK_STREAM, {"10.1.0.2", 0}));
    const Endpoint to("203.0.113.1", 80);
    connect(sockets.back().get(), to.get(), to.size);
  }
  world.Until("the loss", [&] { return world.a.driver->state().lost > lost_before; });
  world.Until("rows at B", [&] { return world.RowsAt(world.b) == kFlows; });
  world.UntilReady(Side::kMinion);
  CHECK(Resyncs(world.events) == resyncs_before + 1);
  CHECK(world.events.find("primary: lost: ") != std::string::npos);
  std::optional<AuditResult> audit;
  world.b.engine->Audit(Side::kMinion, [&](const absl::StatusOr<AuditResult>& result) {
    REQUIRE(result.ok());
    audit = *result;
  });
  world.Until("the audit", [&] { return audit.has_value(); });
  CHECK(audit->compared == kFlows);
  CHECK(audit->differing() == 0);
}

TEST_CASE("takeover: a million SYNs through the primary add no row to the minion") {
  World world;
  world.server.Nft(
      "table ip hole {\n chain c { type filter hook prerouting priority raw; tcp dport 9 drop; "
      "}\n}\n");
  world.a.space->Sysctl("net/netfilter/nf_conntrack_checksum", "0");  // the SYNs have none
  std::vector<Traffic> all = world.OpenMany(10);
  const UniqueFd raw(world.client.Inside([] { return socket(AF_INET, SOCK_RAW, IPPROTO_RAW); }));
  REQUIRE(raw.valid());
  struct {
    iphdr ip;
    tcphdr tcp;
  } packet = {};
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.tot_len = htons(sizeof(packet));
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_TCP;
  packet.tcp.dest = htons(9);
  packet.tcp.doff = 5;
  packet.tcp.syn = 1;
  const Endpoint to("203.0.113.1", 9);
  packet.ip.daddr = reinterpret_cast<const sockaddr_in*>(to.get())->sin_addr.s_addr;
  const std::uint64_t events = world.a.driver->state().events;
  // As many of a million as this machine forwards in ten seconds, and the boxes at work beside.
  const auto end = std::chrono::steady_clock::now() + seconds(10);
  std::uint32_t syns = 0;
  for (; syns < 1'000'000 && std::chrono::steady_clock::now() < end; ++syns) {
    packet.ip.saddr = htonl(0x0b000000U + syns / 50'000);
    packet.tcp.source = htons(static_cast<std::uint16_t>(1024 + syns % 50'000));
    REQUIRE(sendto(raw.get(), &packet, sizeof(packet), 0, to.get(), to.size) == sizeof(packet));
    if (syns % 256 == 0) {
      world.loop->RunOnce();
    }
  }
  MESSAGE(syns, " SYNs");
  CHECK(syns > 50'000);
  world.RunFor(milliseconds(300));
  CHECK(std::stoi(world.a.space->Sysctl("net/netfilter/nf_conntrack_count")) > 10'000);
  CHECK(world.RowsAt(world.b) == all.size());
  CHECK(world.a.driver->state().rows == all.size());
  CHECK(world.a.driver->state().events == events);
  CHECK(world.EchoAll(all, "still") == all.size());
}

TEST_CASE("takeover: a UDP flow that is silent for long lives on the standby") {
  World world;
  for (const char* name : {"udp_timeout", "udp_timeout_stream"}) {
    const std::string sysctl = std::string("net/netfilter/nf_conntrack_") + name;
    world.a.space->Sysctl(sysctl, "3600");
    world.b.space->Sysctl(sysctl, "1");
  }
  world.UntilReady(Side::kMinion);
  const UniqueFd server = OpenSocket(world.server, SOCK_DGRAM, {"10.2.0.2", 53});
  const UniqueFd client = OpenSocket(world.client, SOCK_DGRAM, {"10.1.0.2", 40053});
  const Endpoint vip("203.0.113.1", 53);
  REQUIRE(connect(client.get(), vip.get(), vip.size) == 0);
  Endpoint seen("0.0.0.0", 0);
  const auto ask = [&](char question) {
    char byte = 0;
    REQUIRE(send(client.get(), &question, 1, 0) == 1);
    world.Until("a question", [&] {
      return recvfrom(server.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&seen.storage),
                      &seen.size) == 1;
    });
    REQUIRE(sendto(server.get(), &byte, 1, 0, seen.get(), seen.size) == 1);
    world.Until("an answer", [&] { return recv(client.get(), &byte, 1, 0) == 1; });
    return byte;
  };
  CHECK(ask('a') == 'a');
  world.Until("a row at B", [&] { return world.RowsAt(world.b) == 1; });
  world.RunFor(seconds(3));  // B's own time-out, three times
  world.Move(Side::kMinion);
  CHECK(ask('b') == 'b');  // B's own rules would have asked 10.2.0.3
}

}  // namespace
}  // namespace mimi::testing
