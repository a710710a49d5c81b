#ifndef MIMI_TESTS_DRIVER_TWO_BOXES_H_
#define MIMI_TESTS_DRIVER_TWO_BOXES_H_

// Two Linux boxes with a driver and a minion each, one store between them, a client before and a
// server behind them.
//
//              c_a            s_a
//            ┌────── box A ──────┐
//   client ──┤                   ├── server: backend 10.2.0.2 (A's rules), 10.2.0.3 (B's)
//            └────── box B ──────┘
//              c_b            s_b
//
// Both boxes have the same addresses, so moving the traffic is choosing a device at the client and
// at the server. Every backend answers with its own byte first, which shows who answered.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/conntrack_driver.h"
#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/netfilter_minion.h"
#include "mimi/builtin/policies.h"
#include "mimi/engine.h"
#include "mimi/flow.h"

#include "src/base/status.h"
#include "src/base/unique_fd.h"
#include "tests/store/temporary_directory.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Endpoint {
  Endpoint(const std::string& ip, std::uint16_t port) {
    if (ip.find(':') != std::string::npos) {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      REQUIRE(inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1);
      size = sizeof(*v6);
    } else {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(port);
      REQUIRE(inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1);
      size = sizeof(*v4);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

inline UniqueFd OpenSocket(const NetNamespace& where, int type, const Endpoint& at) {
  UniqueFd fd(where.Inside(
      [&] { return socket(at.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  REQUIRE(bind(fd.get(), at.get(), at.size) == 0);
  return fd;
}

// The box's rules for new connections, to `backend`: another one at each box.
inline void MakeBox(const NetNamespace& box, const std::string& backend4,
                    const std::string& backend6) {
  box.Run(
      "ip addr add 10.1.0.1/24 dev outer; ip addr add 10.2.0.1/24 dev inner;"
      "ip addr add fd01::1/64 dev outer nodad; ip addr add fd02::1/64 dev inner nodad");
  box.Sysctl("net/ipv4/ip_forward", "1");
  box.Sysctl("net/ipv6/conf/all/forwarding", "1");
  box.Nft(
      "table inet nat {\n"
      " chain pre {\n  type nat hook prerouting priority dstnat;\n"
      "  ip daddr 203.0.113.1 dnat ip to " +
      backend4 +
      "\n"
      "  ip6 daddr 2001:db8::1 dnat ip6 to " +
      backend6 +
      "\n }\n"
      " chain post {\n  type nat hook postrouting priority srcnat;\n"
      "  oifname \"inner\" masquerade\n }\n}\n");
}

struct Traffic {
  UniqueFd client;
  UniqueFd server;
  char backend = 0;
};

class RouteSteering final : public Steering {
 public:
  RouteSteering(std::function<void(Side)> move, Loop& loop) : move_(std::move(move)), loop_(loop) {}
  std::string_view name() const override { return "routes"; }
  void Divert(Guard guard, StatusCallback done) override { Go(Side::kMinion, guard, done); }
  void Restore(Guard guard, StatusCallback done) override { Go(Side::kPrimary, guard, done); }
  void Observe(ObserveCallback done) override {
    loop_.Post([this, done = std::move(done)] { done(at_); });
  }
  bool passive() const override { return false; }

 private:
  void Go(Side to, const Guard& guard, const StatusCallback& done) {
    loop_.Post([this, to, guard, done] {
      if (guard()) {
        move_(to);
        at_ = to;
        done(absl::OkStatus());
      } else {
        done(absl::AbortedError("not any more"));
      }
    });
  }
  std::function<void(Side)> move_;
  Loop& loop_;
  Side at_ = Side::kPrimary;
};

struct Box {
  std::optional<NetNamespace> space = std::optional<NetNamespace>(std::in_place);
  std::unique_ptr<NetfilterMinion> minion;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<Engine> engine;
};

struct World {
  using MakeDriver = std::function<absl::StatusOr<std::unique_ptr<Driver>>(Box& box, Loop& loop)>;
  /// `driver`: of each box. Default: conntrack.
  explicit World(MakeDriver driver = nullptr) : make_driver(std::move(driver)) {
    if (make_driver == nullptr) {
      make_driver = [](Box& box, Loop& a_loop) {
        return NewConntrackDriver(
            {.network_namespace = box.space->path(), .echo_ports = {box.minion->port_id()}},
            a_loop);
      };
    }
    for (const auto& [box, letter] : {std::pair(&a, "a"), std::pair(&b, "b")}) {
      Connect(client, std::string("c_") + letter, *box->space, "outer");
      Connect(server, std::string("s_") + letter, *box->space, "inner");
    }
    MakeBox(*a.space, "10.2.0.2", "fd02::2");
    MakeBox(*b.space, "10.2.0.3", "fd02::3");
    client.Run("ip addr add 10.1.0.2/32 dev lo");
    server.Run("ip addr add 10.2.0.2/32 dev lo; ip addr add 10.2.0.3/32 dev lo");
    for (const std::string device : {"a", "b"}) {  // neighbours are not found behind another one
      client.Run("ip addr add fd01::2/128 dev c_" + device + " nodad");
      server.Run("ip addr add fd02::2/128 dev s_" + device + " nodad;" +
                 "ip addr add fd02::3/128 dev s_" + device + " nodad");
    }
    for (const char* device : {"c_a", "c_b"}) {
      client.Sysctl(std::string("net/ipv4/conf/") + device + "/rp_filter", "0");
    }
    client.Sysctl("net/ipv4/conf/all/rp_filter", "0");
    server.Sysctl("net/ipv4/conf/all/rp_filter", "0");
    MoveRoutes(Side::kPrimary);
    MakeEngine(a, Side::kPrimary);
    MakeEngine(b, Side::kMinion);
  }

  void MoveRoutes(Side to) {
    const std::string device = to == Side::kPrimary ? "a" : "b";
    client.Run("ip route replace 10.1.0.0/24 dev c_" + device + " src 10.1.0.2;" +
               "ip route replace 203.0.113.0/24 via 10.1.0.1 dev c_" + device +
               " onlink src 10.1.0.2;" + "ip -6 route replace fd01::/64 dev c_" + device + ";" +
               "ip -6 route replace 2001:db8::/64 via fd01::1 dev c_" + device +
               " onlink;"
               "ip neigh flush all");
    server.Run("ip route replace 10.2.0.0/24 dev s_" + device + ";" +
               "ip -6 route replace fd02::/64 dev s_" + device + "; ip neigh flush all");
  }

  void MakeEngine(Box& box, Side side) {
    const std::string node = side == Side::kPrimary ? "pair.primary" : "pair.minion";
    absl::StatusOr<std::unique_ptr<NetfilterMinion>> minion =
        NewNetfilterMinion({.node = node,
                            .network_namespace = box.space->path(),
                            .state_directory = directory.Join(node)},
                           *loop);
    REQUIRE_MESSAGE(minion.ok(), minion.status().ToString());
    box.minion = *std::move(minion);
    absl::StatusOr<std::unique_ptr<Driver>> driver = make_driver(box, *loop);
    REQUIRE_MESSAGE(driver.ok(), driver.status().ToString());
    box.driver = *std::move(driver);
    box.store = *NewMemoryStore({.repository = repository}, *loop);
    EngineOptions options;
    options.store = box.store.get();
    options.seed = 7;
    options.on_event = [this, side](const PairEvent& event) {
      events += std::string(SideName(side)) + ": " + event.kind + ": " + event.detail + "\n";
    };
    BoxOptions& mine = side == Side::kPrimary ? options.primary : options.minion;
    mine.node = node;
    mine.drivers = {box.driver.get()};
    mine.minions = {box.minion.get()};
    if (side == Side::kMinion) {
      options.manager = ManagerOptions();
      options.manager->policy = policy.get();
      options.manager->steering = &steering;
    }
    absl::StatusOr<std::unique_ptr<Engine>> engine = NewEngine(std::move(options), *loop);
    REQUIRE_MESSAGE(engine.ok(), engine.status().ToString());
    box.engine = *std::move(engine);
    const absl::Status started = box.engine->Start();
    REQUIRE_MESSAGE(started.ok(), started.ToString());
  }

  void RunOnce() {
    pollfd readable = {.fd = loop->PollFd(), .events = POLLIN, .revents = 0};
    poll(&readable, 1, 1);
    loop->RunOnce();
  }
  void Until(std::string_view what, const std::function<bool()>& done,
             Duration most = seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + most;
    while (!done()) {
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < end, "not in time: ", what, "\n", events);
      RunOnce();
    }
  }
  void RunFor(Duration duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    while (std::chrono::steady_clock::now() < end) {
      RunOnce();
    }
  }
  void UntilReady(Side standby) {
    Until("ready", [&] {
      const PairView view = b.engine->status().view;
      return (standby == Side::kMinion ? view.minion : view.primary).readiness == Readiness::kReady;
    });
  }
  void Move(Side to) {
    std::optional<absl::Status> result;
    const auto done = [&](const absl::Status& status) {
      result = status;
    };
    to == Side::kMinion ? b.engine->Divert(done) : b.engine->Restore(done);
    Until(
        "the move", [&] { return result.has_value(); }, seconds(40));
    REQUIRE_MESSAGE(result->ok(), result->ToString(), "\n", events);
  }
  std::uint64_t RowsAt(const Box& box) const { return box.minion->state().rows; }

  // A connection through the box that has the traffic; its first byte is the backend's name.
  Traffic Open(const std::string& vip, std::uint16_t port) {
    const bool v6 = vip.find(':') != std::string::npos;
    Traffic traffic{OpenSocket(client, SOCK_STREAM, {v6 ? "fd01::2" : "10.1.0.2", 0}), {}, 0};
    const Endpoint to(vip, port);
    connect(traffic.client.get(), to.get(), to.size);
    Until("a connection", [&] {
      for (std::size_t i = 0; i < listeners.size() && !traffic.server.valid(); ++i) {
        traffic.server = UniqueFd(accept4(listeners[i].get(), nullptr, nullptr, SOCK_NONBLOCK));
        traffic.backend = static_cast<char>('2' + i % 2);
      }
      return traffic.server.valid();
    });
    return traffic;
  }
  void Listen(std::uint16_t port) {
    listeners.clear();
    for (const char* ip : {"10.2.0.2", "10.2.0.3", "fd02::2", "fd02::3"}) {
      listeners.push_back(OpenSocket(server, SOCK_STREAM, {ip, port}));
      REQUIRE(listen(listeners.back().get(), 2000) == 0);
    }
  }
  // One message there and back.
  bool Echoes(const Traffic& traffic, const std::string& text, Duration most = seconds(5)) {
    if (send(traffic.client.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
      return false;
    }
    std::string there;
    std::string back;
    const auto end = std::chrono::steady_clock::now() + most;
    while (back.size() < text.size() && std::chrono::steady_clock::now() < end) {
      char buffer[4096];
      ssize_t n = recv(traffic.server.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n > 0) {
        there.append(buffer, static_cast<std::size_t>(n));
        (void)send(traffic.server.get(), buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL);
      }
      n = recv(traffic.client.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n > 0) {
        back.append(buffer, static_cast<std::size_t>(n));
      }
      RunOnce();
    }
    return there == text && back == text;
  }

  // How many of them carry `text` there and back.
  std::size_t EchoAll(const std::vector<Traffic>& all, const std::string& text) {
    std::vector<std::string> there(all.size());
    std::vector<std::string> back(all.size());
    std::size_t good = 0;
    for (const Traffic& traffic : all) {
      (void)send(traffic.client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (good < all.size() && std::chrono::steady_clock::now() < end) {
      good = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        char buffer[256];
        if (there[i].size() < text.size()) {
          const ssize_t n = recv(all[i].server.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
          there[i].append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
          (void)send(all[i].server.get(), buffer, n > 0 ? static_cast<std::size_t>(n) : 0,
                     MSG_NOSIGNAL);
        }
        if (back[i].size() < text.size()) {
          const ssize_t n = recv(all[i].client.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
          back[i].append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
        }
        good += there[i] == text && back[i] == text;
      }
      RunOnce();
    }
    return good;
  }
  std::vector<Traffic> OpenMany(std::size_t count) {
    Listen(80);
    UntilReady(Side::kMinion);
    std::vector<Traffic> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(Open("203.0.113.1", 80));
    }
    REQUIRE(EchoAll(all, "before") == count);
    Until("rows at B", [&] { return RowsAt(b) == count; });
    return all;
  }
  void PrimaryIsDown() {
    b.engine->Report(
        {.box = Side::kPrimary, .health = Health::kDown, .at = loop->now(), .reason = "test"});
    Until("the move", [&] { return b.engine->status().view.traffic == Side::kMinion; });
  }

  MakeDriver make_driver;
  NetNamespace client, server;
  TemporaryDirectory directory;
  std::unique_ptr<Loop> loop = *NewEpollLoop();
  std::shared_ptr<MemoryRepository> repository = NewMemoryRepository({}, *loop);
  std::unique_ptr<FailoverPolicy> policy = NewImmediatePolicy();
  RouteSteering steering{[this](Side to) { MoveRoutes(to); }, *loop};
  Box a, b;
  std::vector<UniqueFd> listeners;
  std::string events;
};

// Counted bytes from one socket to another, as fast as they go, each with the value that its place
// says.
class Bulk {
 public:
  Bulk(int from, int to) : from_(from), to_(to) {}
  void Step() {
    std::array<char, 16384> buffer;
    for (std::size_t i = 0; i < buffer.size(); ++i) {
      buffer[i] = Value(sent_ + i);
    }
    ssize_t n = send(from_, buffer.data(), buffer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    sent_ += n > 0 ? static_cast<std::size_t>(n) : 0;
    n = recv(to_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; ++i, ++received_) {
      wrong_ += buffer[static_cast<std::size_t>(i)] != Value(received_);
    }
  }
  std::size_t received() const { return received_; }
  std::size_t wrong() const { return wrong_; }

 private:
  static char Value(std::size_t place) { return static_cast<char>(place * 2654435761U >> 13); }
  int from_;
  int to_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  std::size_t wrong_ = 0;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_DRIVER_TWO_BOXES_H_
