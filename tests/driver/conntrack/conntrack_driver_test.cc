// The driver at a real kernel: a client, a box that translates, a server.

#include "mimi/builtin/conntrack_driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/base/unique_fd.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {
namespace {

// What a driver says, as the engine would keep it.
class Rows final : public StateSink {
 public:
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    if (batch.has(kBatchResyncBegin)) {
      ++begins;
      walked.clear();
      walking = true;
    }
    for (const RecordView record : batch) {
      const std::string key(reinterpret_cast<const char*>(record.key.data()), record.key.size());
      switch (record.op) {
        case Op::kPut:
          REQUIRE(DecodeRow(record.row, &rows[key]));
          walked[key] = rows[key];
          ++puts;
          break;
        case Op::kErase:
          erases += rows.erase(key);
          walked.erase(key);
          break;
        case Op::kEraseAbrupt:
          abrupt += rows.erase(key);
          walked.erase(key);
          break;
      }
    }
    if (batch.has(kBatchResyncEnd)) {
      ++ends;
      walking = false;
      rows = walked;
    }
    return ++position;
  }
  Position confirmed() const override { return position; }

  std::map<std::string, Flow> rows;
  std::map<std::string, Flow> walked;
  bool walking = false;
  std::size_t begins = 0, ends = 0, puts = 0, erases = 0, abrupt = 0;
  Position position = 0;
};

sockaddr_storage Address(const std::string& ip, std::uint16_t port, socklen_t* size) {
  sockaddr_storage storage = {};
  if (ip.find(':') != std::string::npos) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    REQUIRE(inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1);
    *size = sizeof(*v6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    REQUIRE(inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1);
    *size = sizeof(*v4);
  }
  return storage;
}

struct World {
  explicit World(std::function<void(ConntrackDriverOptions&)> change = [](auto&) {}) {
    Connect(client, "c0", box, "b0");
    Connect(box, "b1", server, "s0");
    box.Run(
        "ip addr add 10.1.0.1/24 dev b0; ip addr add 10.2.0.1/24 dev b1;"
        "ip addr add fd01::1/64 dev b0 nodad; ip addr add fd02::1/64 dev b1 nodad");
    client.Run(
        "ip addr add 10.1.0.2/16 dev c0; ip route add default via 10.1.0.1;"
        "ip addr add fd01::2/64 dev c0 nodad; ip route add default via fd01::1");
    server.Run(
        "ip addr add 10.2.0.2/24 dev s0; ip route add default via 10.2.0.1;"
        "ip addr add fd02::2/64 dev s0 nodad; ip route add default via fd02::1");
    box.Sysctl("net/ipv4/ip_forward", "1");
    box.Sysctl("net/ipv6/conf/all/forwarding", "1");
    box.Nft(
        "table ip nat {\n"
        " chain pre { type nat hook prerouting priority dstnat; ip daddr 203.0.113.1 dnat to "
        "10.2.0.2; }\n"
        " chain post { type nat hook postrouting priority srcnat; oifname \"b1\" masquerade; }\n"
        "}\n"
        "table ip6 plain {\n chain c { type filter hook forward priority 0; ct state "
        "established; }\n}\n");
    options.network_namespace = box.path();
    change(options);
    absl::StatusOr<std::unique_ptr<Driver>> made = NewConntrackDriver(options, *loop);
    REQUIRE_MESSAGE(made.ok(), made.status().ToString());
    driver = *std::move(made);
  }

  void Start() {
    const absl::Status status = driver->Start(sink);
    REQUIRE_MESSAGE(status.ok(), status.ToString());
  }
  void Resync() {
    const std::size_t ends = sink.ends;
    REQUIRE(driver->Resync().ok());
    Until([&] { return sink.ends > ends && !driver->state().walking; });
  }
  void RunOnce() {
    pollfd readable = {.fd = loop->PollFd(), .events = POLLIN, .revents = 0};
    poll(&readable, 1, 1);
    loop->RunOnce();
  }
  void Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      RunOnce();
    }
  }
  void Quiet() {  // what was caused so far has been read
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < end) {
      RunOnce();
    }
  }

  UniqueFd Socket(const NetNamespace& where, int type, const std::string& ip, std::uint16_t port) {
    socklen_t size = 0;
    const sockaddr_storage at = Address(ip, port, &size);
    UniqueFd fd(where.Inside([&] { return socket(at.ss_family, type, 0); }));
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), size) == 0);
    return fd;
  }
  void ConnectTo(const UniqueFd& fd, const std::string& ip, std::uint16_t port) {
    socklen_t size = 0;
    const sockaddr_storage at = Address(ip, port, &size);
    REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), size) == 0);
  }
  const Flow* RowOf(std::uint16_t orig_sport) const {
    for (const auto& [key, flow] : sink.rows) {
      if (flow.orig_sport == orig_sport) {
        return &flow;
      }
    }
    return nullptr;
  }

  NetNamespace client, box, server;
  std::unique_ptr<Loop> loop = *NewEpollLoop();
  ConntrackDriverOptions options;
  std::unique_ptr<Driver> driver;
  Rows sink;
};

TEST_CASE("conntrack driver: TCP from its handshake to its first FIN, in two events") {
  World world;
  world.Start();
  for (const auto& [from, to, at] : {std::tuple("10.1.0.2", "203.0.113.1", "10.2.0.2"),
                                     std::tuple("fd01::2", "fd02::2", "fd02::2")}) {
    const std::uint64_t events = world.driver->state().events;
    const UniqueFd listener = world.Socket(world.server, SOCK_STREAM, at, 80);
    REQUIRE(listen(listener.get(), 5) == 0);
    UniqueFd fd = world.Socket(world.client, SOCK_STREAM, from, 40001);
    world.ConnectTo(fd, to, 80);
    world.Until([&] { return world.sink.rows.size() == 1; });
    const Flow* flow = world.RowOf(40001);
    REQUIRE(flow != nullptr);
    CHECK(flow->reply_src == *Ip::Parse(at));
    CHECK(flow->orig_dst == *Ip::Parse(to));
    CHECK(flow->state == FlowState::kEstablished);
    CHECK(TcpWindowScale(flow->proto_orig) > 0);
    CHECK(flow->idle_timeout > std::chrono::hours(24));
    const std::size_t erases = world.sink.erases;
    fd = UniqueFd();
    world.Until([&] { return world.sink.erases == erases + 1; });
    world.Quiet();
    CHECK(world.sink.rows.empty());
    CHECK(world.driver->state().events == events + 2);
    CHECK(world.driver->state().rows == 0);
  }
  CHECK(world.sink.abrupt == 0);
}

TEST_CASE("conntrack driver: UDP and ICMP when they are answered; a flush is an abrupt end") {
  World world;
  world.Start();
  const UniqueFd at = world.Socket(world.server, SOCK_DGRAM, "10.2.0.2", 53);
  const UniqueFd from = world.Socket(world.client, SOCK_DGRAM, "10.1.0.2", 40002);
  world.ConnectTo(from, "203.0.113.1", 53);
  REQUIRE(send(from.get(), "x", 1, 0) == 1);
  char byte = 0;
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  REQUIRE(recvfrom(at.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size) == 1);
  world.Quiet();
  CHECK(world.sink.rows.empty());
  REQUIRE(sendto(at.get(), "y", 1, 0, reinterpret_cast<sockaddr*>(&peer), size) == 1);
  world.client.Run("ping -c1 -W5 203.0.113.1");
  world.box.Run("ping -c1 -W5 10.1.0.2");  // the box's own
  world.Until([&] { return world.sink.rows.size() == 2; });
  REQUIRE(world.RowOf(40002) != nullptr);
  CHECK(world.RowOf(40002)->reply_dst == *Ip::Parse("10.2.0.1"));
  CHECK(world.driver->state().events == 2);
  world.box.Run("conntrack -F 2>/dev/null");
  world.Until([&] { return world.sink.rows.empty(); });
  CHECK(world.sink.abrupt == 2);
  CHECK(world.sink.erases == 0);
}

TEST_CASE("conntrack driver: a flood of SYNs makes no event and no row") {
  World world;
  world.server.Nft(
      "table ip hole {\n chain c { type filter hook prerouting priority raw; tcp dport 9 drop; "
      "}\n}\n");
  world.Start();
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
  packet.ip.daddr = inet_addr("203.0.113.1");
  packet.tcp.dest = htons(9);
  packet.tcp.doff = 5;
  packet.tcp.syn = 1;
  packet.tcp.window = htons(1000);
  world.box.Sysctl("net/netfilter/nf_conntrack_checksum", "0");  // the SYNs have none
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = packet.ip.daddr;
  constexpr int kSyns = 100'000;
  for (int i = 0; i < kSyns; ++i) {
    packet.ip.saddr = htonl(0x0a010100U + static_cast<std::uint32_t>(i) / 50'000);  // 10.1.1.x
    packet.tcp.source = htons(static_cast<std::uint16_t>(1024 + i % 50'000));
    REQUIRE(sendto(raw.get(), &packet, sizeof(packet), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof(to)) == sizeof(packet));
  }
  world.Quiet();
  const int entries = std::stoi(world.box.Sysctl("net/netfilter/nf_conntrack_count"));
  CHECK(entries > 60'000);  // they did arrive, as many as the masqueraded address has ports
  CHECK(world.driver->state().events == 0);
  CHECK(world.sink.puts == 0);
  world.Resync();
  CHECK(world.sink.rows.empty());
}

TEST_CASE(
    "conntrack driver: what was there before is walked, and its end is found without an event") {
  World world(
      [](ConntrackDriverOptions& options) { options.check_every = std::chrono::milliseconds(20); });
  const UniqueFd listener = world.Socket(world.server, SOCK_STREAM, "10.2.0.2", 80);
  REQUIRE(listen(listener.get(), 5) == 0);
  world.box.Sysctl("net/netfilter/nf_conntrack_events", "0");  // so that it is born without
  const UniqueFd fd = world.Socket(world.client, SOCK_STREAM, "10.1.0.2", 40003);
  world.ConnectTo(fd, "203.0.113.1", 80);
  const absl::Status refused = world.driver->Start(world.sink);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(refused).find("nf_conntrack_events is 0") != std::string_view::npos);
  world.box.Sysctl("net/netfilter/nf_conntrack_events", "2");
  world.Start();
  world.Resync();
  CHECK(world.sink.begins == 1);
  REQUIRE(world.RowOf(40003) != nullptr);
  CHECK(world.driver->state().rows == 1);
  world.box.Run("conntrack -F 2>/dev/null");
  world.Until([&] { return world.sink.rows.empty(); });
  CHECK(world.driver->state().rows == 0);
}

TEST_CASE("conntrack driver: events that do not fit are lost, seen, and repaired by one resync") {
  World world([](ConntrackDriverOptions& options) { options.receive_buffer = 1; });
  world.Start();
  const UniqueFd at = world.Socket(world.server, SOCK_DGRAM, "10.2.0.2", 53);
  constexpr std::size_t kFlows = 300;
  std::vector<UniqueFd> sockets;
  for (std::size_t i = 0; i < kFlows; ++i) {
    sockets.push_back(
        world.Socket(world.client, SOCK_DGRAM, "10.1.0.2", static_cast<std::uint16_t>(20'000 + i)));
    world.ConnectTo(sockets.back(), "203.0.113.1", 53);
    REQUIRE(send(sockets.back().get(), "x", 1, 0) == 1);
    char byte = 0;
    sockaddr_storage peer = {};
    socklen_t size = sizeof(peer);
    REQUIRE(recvfrom(at.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size) == 1);
    REQUIRE(sendto(at.get(), "y", 1, 0, reinterpret_cast<sockaddr*>(&peer), size) == 1);
  }
  world.Until([&] { return world.driver->state().lost > 0; });
  world.Quiet();
  CHECK(world.sink.rows.size() < kFlows);
  const std::uint64_t lost = world.driver->state().lost;
  world.Resync();
  CHECK(world.sink.rows.size() == kFlows);
  CHECK(world.driver->state().rows == kFlows);
  world.Quiet();
  CHECK(world.driver->state().lost == lost);
}

// An end of an SCTP association by raw packets: few kernels have SCTP sockets, all can track it.
// What it sends has one chunk and no checksum.
class SctpEnd {
 public:
  SctpEnd(const NetNamespace& where, std::uint32_t own_tag)
      : fd_(where.Inside([] { return socket(AF_INET, SOCK_RAW, IPPROTO_SCTP); })),
        own_tag_(own_tag) {
    REQUIRE(fd_.valid());
  }
  void Send(const std::string& ip, std::uint16_t sport, std::uint16_t dport, std::uint32_t tag,
            std::uint8_t chunk) {
    constexpr std::uint8_t kInit = 1;
    constexpr std::uint8_t kInitAck = 2;
    constexpr std::uint8_t kShutdown = 7;
    const bool init = chunk == kInit || chunk == kInitAck;
    const std::uint16_t length = init ? 20 : chunk == kShutdown ? 8 : 4;
    std::array<std::byte, 32> packet = {};  // RFC 9260 section 3
    StoreBe(packet.data(), sport);
    StoreBe(packet.data() + 2, dport);
    StoreBe(packet.data() + 4, tag);
    packet[12] = std::byte{chunk};
    StoreBe(packet.data() + 14, length);
    if (init) {
      StoreBe(packet.data() + 16, own_tag_);
    }
    socklen_t size = 0;
    const sockaddr_storage to = Address(ip, 0, &size);
    REQUIRE(sendto(fd_.get(), packet.data(), 12U + length, 0,
                   reinterpret_cast<const sockaddr*>(&to), size) == 12 + length);
  }
  /// Waits for a packet with this chunk; returns its source port.
  std::uint16_t Receive(std::uint8_t chunk) {
    std::array<std::byte, 256> packet = {};
    pollfd readable = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, 10'000) == 1) {
      constexpr std::size_t kIp = 20;  // without options
      if (recv(fd_.get(), packet.data(), packet.size(), 0) >= 36 &&
          packet[kIp + 12] == std::byte{chunk}) {
        return LoadBe<std::uint16_t>(packet.data() + kIp);
      }
    }
    FAIL("no chunk of type ", int{chunk});
    return 0;
  }

 private:
  UniqueFd fd_;
  std::uint32_t own_tag_;
};

TEST_CASE("conntrack driver: SCTP from its handshake to its shutdown") {
  World world;
  world.box.Sysctl("net/netfilter/nf_conntrack_checksum", "0");
  world.Start();
  constexpr std::uint32_t kClientTag = 0x11111111;
  constexpr std::uint32_t kServerTag = 0x22222222;
  constexpr std::uint16_t kPort = 9899;
  SctpEnd client(world.client, kClientTag);
  SctpEnd server(world.server, kServerTag);
  std::uint16_t seen = 0;  // the client's port behind the box
  const auto there = [&](std::uint32_t tag, std::uint8_t chunk) {
    client.Send("203.0.113.1", 40010, kPort, tag, chunk);
    seen = server.Receive(chunk);
  };
  const auto back = [&](std::uint32_t tag, std::uint8_t chunk) {
    server.Send("10.2.0.1", kPort, seen, tag, chunk);
    client.Receive(chunk);
  };
  there(0, 1);            // INIT
  back(kClientTag, 2);    // INIT ACK
  there(kServerTag, 10);  // COOKIE ECHO
  world.Quiet();
  CHECK(world.sink.rows.empty());
  back(kClientTag, 11);  // COOKIE ACK
  world.Until([&] { return world.sink.rows.size() == 1; });
  const Flow* flow = world.RowOf(40010);
  REQUIRE(flow != nullptr);
  CHECK(flow->protocol == IpProtocol::kSctp);
  CHECK(flow->reply_src == *Ip::Parse("10.2.0.2"));
  CHECK(flow->reply_dport == seen);
  CHECK(flow->proto_orig == kServerTag);  // what the client's packets carry
  CHECK(flow->proto_reply == kClientTag);
  there(kServerTag, 7);  // SHUTDOWN
  world.Until([&] { return world.sink.rows.empty(); });
  CHECK(world.sink.erases == 1);
  CHECK(world.sink.abrupt == 0);
}

TEST_CASE("conntrack driver: zones, and an operator's mark that changes later") {
  World world;
  world.box.Nft(
      "table ip zones {\n"
      " chain c {\n  type filter hook prerouting priority raw; iifname != \"lo\" ct zone set 7\n "
      "}\n"
      " chain m {\n  type filter hook forward priority 0; ct mark set 0x5\n }\n}\n");
  world.Start();
  const UniqueFd at = world.Socket(world.server, SOCK_DGRAM, "10.2.0.2", 53);
  const UniqueFd from = world.Socket(world.client, SOCK_DGRAM, "10.1.0.2", 40004);
  world.ConnectTo(from, "203.0.113.1", 53);
  for (const std::uint32_t mark : {5U, 6U}) {
    char byte = 0;
    sockaddr_storage peer = {};
    socklen_t size = sizeof(peer);
    REQUIRE(send(from.get(), "x", 1, 0) == 1);
    REQUIRE(recvfrom(at.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size) == 1);
    REQUIRE(sendto(at.get(), "y", 1, 0, reinterpret_cast<sockaddr*>(&peer), size) == 1);
    world.Until([&] { return world.sink.rows.size() == 1 && world.RowOf(40004)->mark == mark; });
    world.box.Nft("flush chain ip zones m; add rule ip zones m ct mark set 0x6\n");
  }
  CHECK(world.RowOf(40004)->zone == 7);
}

TEST_CASE("conntrack driver: its rules stay when it stops, and are taken away on request") {
  World world;
  CHECK(absl::IsNotFound(RemoveConntrackDriver(world.options)));
  world.Start();
  world.driver->Stop();
  CHECK(world.box.Run("nft list tables").find("inet mimi_driver_pair") != std::string::npos);
  world.Start();  // again
  world.driver.reset();
  CHECK(RemoveConntrackDriver(world.options).ok());
  CHECK(world.box.Run("nft list tables").find("mimi") == std::string::npos);
  world.options.closing_mark = 3;
  CHECK(Message(RemoveConntrackDriver(world.options)).find("closing_mark 0x3") == 0);
}

}  // namespace
}  // namespace mimi::testing
