// Flows from logged packets: joining without a kernel, then two boxes whose rules log.

#include "mimi/builtin/nflog_driver.h"

#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/driver/nflog/packet_join.h"
#include "tests/driver/two_boxes.h"

namespace mimi::testing {
namespace {

using internal::LogPoint;
using internal::PacketJoin;

IpPacket Packet(const char* src, std::uint16_t sport, const char* dst, std::uint16_t dport,
                std::uint64_t fingerprint) {
  return {.src = *Ip::Parse(src),
          .dst = *Ip::Parse(dst),
          .sport = sport,
          .dport = dport,
          .protocol = 6,
          .tcp_flags = 0,
          .fingerprint = fingerprint};
}
IpPacket Before(std::uint64_t fingerprint) {
  return Packet("198.51.100.7", 40000, "203.0.113.1", 443, fingerprint);
}
IpPacket After(std::uint64_t fingerprint) {
  return Packet("10.0.0.1", 50000, "10.0.0.5", 8443, fingerprint);
}

TEST_CASE("packet join: both halves make a flow, in either order") {
  const MonotonicTime now{};
  PacketJoin join(seconds(2), 10);
  CHECK(!join.Add(LogPoint::kBefore, Before(1), now).has_value());
  const std::optional<Flow> flow = join.Add(LogPoint::kAfter, After(1), now);
  REQUIRE(flow.has_value());
  CHECK(flow->orig_src == *Ip::Parse("198.51.100.7"));
  CHECK(flow->orig_dport == 443);
  CHECK(flow->reply_src == *Ip::Parse("10.0.0.5"));
  CHECK(flow->reply_sport == 8443);
  CHECK(flow->reply_dst == *Ip::Parse("10.0.0.1"));
  CHECK(flow->reply_dport == 50000);
  CHECK(!join.Add(LogPoint::kAfter, After(2), now).has_value());
  CHECK(join.Add(LogPoint::kBefore, Before(2), now) == flow);
  CHECK(join.waiting() == 0);
  CHECK(join.counts().joined == 2);
}

TEST_CASE(
    "packet join: what waits is bounded in time and number, and the ambiguous is not joined") {
  const MonotonicTime now{};
  PacketJoin join(seconds(2), 2);
  for (const std::uint64_t print : {1U, 2U, 3U}) {
    join.Add(LogPoint::kBefore, Before(print), now);
  }
  CHECK(join.waiting() == 2);
  CHECK(join.counts().crowded == 1);
  CHECK(!join.Add(LogPoint::kAfter, After(1), now + seconds(1)).has_value());
  CHECK(join.Add(LogPoint::kAfter, After(3), now + seconds(1)).has_value());
  join.Expire(now + seconds(5));
  CHECK(join.waiting() == 0);
  CHECK(join.counts().alone == 1);

  join.Add(LogPoint::kBefore, Before(7), now);
  join.Add(LogPoint::kBefore, Before(7), now);  // sent again
  CHECK(join.counts().repeated == 1);
  join.Add(LogPoint::kBefore, Packet("198.51.100.8", 1, "203.0.113.1", 443, 7), now);
  CHECK(join.counts().ambiguous == 1);
  CHECK(!join.Add(LogPoint::kAfter, After(7), now).has_value());
}

// The rules of nflog_driver.h.
constexpr char kRules[] =
    "table inet flows {\n"
    " chain as_sent {\n  type filter hook prerouting priority -140;\n  ct direction reply return\n"
    "  tcp flags & (fin | rst) != 0x0 log group 1 snaplen 64 return\n"
    "  ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 log group 1 snaplen 64\n }\n"
    " chain translated {\n  type filter hook postrouting priority 110;\n  ct direction reply "
    "return\n"
    "  tcp flags & (fin | rst) != 0x0 return\n"
    "  ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 goto logged\n }\n"
    " chain logged {\n  log group 2 snaplen 64\n  ct mark set ct mark or 0x20000000\n }\n}\n";

TEST_CASE("nflog: echo, download and upload go on at another box, and come back with its own") {
  World world([](Box& box, Loop& loop) {
    box.space->Nft(kRules);
    return NewNflogDriver({.network_namespace = box.space->path(), .translated_group = 2}, loop);
  });
  world.Listen(80);
  world.Until("B is warm", [&] { return world.b.minion->state().healthy; });
  const Traffic echo = world.Open("203.0.113.1", 80);
  const Traffic echo6 = world.Open("2001:db8::1", 80);
  const Traffic download = world.Open("203.0.113.1", 80);
  const Traffic upload = world.Open("203.0.113.1", 80);
  const Traffic ends = world.Open("203.0.113.1", 80);
  for (const Traffic* traffic : {&echo, &echo6, &download, &upload, &ends}) {
    CHECK(traffic->backend == '2');
    CHECK(world.Echoes(*traffic, "hello"));
  }
  world.Until("rows at B", [&] { return world.RowsAt(world.b) == 5; });
  shutdown(ends.client.get(), SHUT_WR);
  world.Until("an end at B", [&] { return world.RowsAt(world.b) == 4; });
  Bulk down(download.server.get(), download.client.get());
  Bulk up(upload.client.get(), upload.server.get());
  const auto pump = [&](std::size_t more) {
    const std::size_t down_to = down.received() + more;
    const std::size_t up_to = up.received() + more;
    world.Until("bulk", [&] {
      down.Step();
      up.Step();
      return down.received() >= down_to && up.received() >= up_to;
    });
  };
  pump(300'000);
  world.PrimaryIsDown();
  CHECK(world.Echoes(echo, "over there"));
  CHECK(world.Echoes(echo6, "over there, six"));
  pump(300'000);
  const Traffic born_at_b = world.Open("203.0.113.1", 80);
  CHECK(born_at_b.backend == '3');
  CHECK(world.Echoes(born_at_b, "born at B"));
  // The four from before have passed B's rules as well, and are its own now.
  world.Until("rows at A", [&] { return world.RowsAt(world.a) == 5; });
  world.MoveRoutes(
      Side::kPrimary);  // by hand: what cannot be walked is never ready for a planned move
  CHECK(world.Echoes(echo, "home again"));
  CHECK(world.Echoes(echo6, "home again, six"));
  CHECK(world.Echoes(born_at_b, "moved to A"));
  pump(300'000);
  CHECK(down.wrong() == 0);
  CHECK(up.wrong() == 0);
  CHECK(world.a.driver->state().lost == 0);
  CHECK(world.a.driver->state().refused == 0);
}

TEST_CASE("nflog: a group that another program has is refused by name") {
  const NetNamespace box;
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const std::unique_ptr<Driver> first = *NewNflogDriver({.network_namespace = box.path()}, *loop);
  const std::unique_ptr<Driver> second = *NewNflogDriver({.network_namespace = box.path()}, *loop);
  class Nowhere final : public StateSink {
    absl::StatusOr<Position> Apply(const BatchView& /*batch*/) override { return Position{1}; }
    Position confirmed() const override { return 1; }
  } nowhere;
  REQUIRE(first->Start(nowhere).ok());
  const absl::Status refused = second->Start(nowhere);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(refused).find("group 1") != std::string_view::npos);
  first->Stop();
  CHECK(second->Start(nowhere).ok());
  CHECK(Message(NewNflogDriver({.translated_group = 1}, *loop).status()).find("translated_group") ==
        0);
}

}  // namespace
}  // namespace mimi::testing
