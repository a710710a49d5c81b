// Traffic moved by the program itself: `mimi run` in a namespace, with steering of the kinds route
// and address, and packets that follow.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "mimi/types.h"

#include "src/base/unique_fd.h"
#include "tests/cli/table_boxes.h"
#include "tests/store/temporary_directory.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {
namespace {

using namespace std::chrono_literals;

// With both boxes in one process.
constexpr char kManager[] = R"(
[manager]
node = "edge1.manager"
lease_ttl = "1s"
policy = "immediate"
liveness_priority = 0
[[liveness]]
kind = "icmp"
interval = "50ms"
fall = 3
rise = 2
)";

// Asks one address from one place, and answers at each box.
class Service {
 public:
  Service(const NetNamespace& asker, const NetNamespace& primary, const NetNamespace& minion,
          std::uint32_t address)
      : address_(address), asker_(Open(asker)), boxes_{Open(primary), Open(minion)} {
    for (const UniqueFd& box : boxes_) {
      const int on = 1;  // the minion has the address only while it has the traffic
      REQUIRE(setsockopt(box.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0);
      const sockaddr_in at = At();
      REQUIRE(bind(box.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0);
    }
  }
  /// Who answered; '-': nobody, within `most`.
  char Ask(std::chrono::milliseconds most = 1000ms) {
    ++question_;
    const sockaddr_in at = At();
    (void)sendto(asker_.get(), &question_, sizeof(question_), 0,
                 reinterpret_cast<const sockaddr*>(&at), sizeof(at));
    const auto end = std::chrono::steady_clock::now() + most;
    while (std::chrono::steady_clock::now() < end) {
      std::array<pollfd, 3> ready{{{.fd = asker_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = boxes_[0].get(), .events = POLLIN, .revents = 0},
                                   {.fd = boxes_[1].get(), .events = POLLIN, .revents = 0}}};
      poll(ready.data(), ready.size(), 5);
      for (std::size_t box = 0; box < boxes_.size(); ++box) {
        Answer(boxes_[box], box == 0 ? 'p' : 'm');
      }
      Reply reply;
      while (recv(asker_.get(), &reply, sizeof(reply), 0) == sizeof(reply)) {
        if (reply.question == question_) {
          return static_cast<char>(reply.box);
        }
      }
    }
    return '-';
  }

 private:
  struct Reply {
    std::uint32_t question;
    std::uint32_t box;
  };
  static UniqueFd Open(const NetNamespace& where) {
    return UniqueFd(
        where.Inside([] { return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }));
  }
  sockaddr_in At() const {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(53);
    at.sin_addr.s_addr = htonl(address_);
    return at;
  }
  static void Answer(const UniqueFd& box, char name) {
    Reply reply{.question = 0, .box = static_cast<std::uint32_t>(name)};
    sockaddr_in from = {};
    socklen_t size = sizeof(from);
    while (recvfrom(box.get(), &reply.question, sizeof(reply.question), 0,
                    reinterpret_cast<sockaddr*>(&from), &size) > 0) {
      (void)sendto(box.get(), &reply, sizeof(reply), 0, reinterpret_cast<const sockaddr*>(&from),
                   size);
    }
  }

  const std::uint32_t address_;
  UniqueFd asker_;
  std::array<UniqueFd, 2> boxes_;
  std::uint32_t question_ = 0;
};

// The program, in `where`.
class Program {
 public:
  Program(const NetNamespace& where, const std::string& rest) : where_(where) {
    std::ofstream(directory_.Join("rows.jsonl")) << "{\"key\": 1, \"value\": 7}\n";
    std::ofstream(directory_.Join("pair.toml")) << kTwoTableBoxes << kManager << rest;
    setenv("MIMI_RUNTIME_DIR", directory_.path().c_str(), 1);
  }
  void Start() {
    process_ =
        where_.Spawn({"sh", "-c",
                      std::string("exec ") + MIMI_PROGRAM + " run " + directory_.Join("pair.toml") +
                          " >>" + directory_.Join("log") + " 2>&1"});
  }
  void Stop() { process_.Kill(); }
  /// Asks until it is done: right after a start the pair is not ready yet.
  void Do(const std::string& command) const {
    Until("mimi " + command, [&] {
      return where_
                 .Run(std::string(MIMI_PROGRAM) + " " + command +
                      " edge1 2>&1 && echo DONE || true")
                 .find("DONE") != std::string::npos;
    });
  }
  void Until(std::string_view what, const std::function<bool()>& done) const {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!done()) {
      const bool late = std::chrono::steady_clock::now() > end;
      REQUIRE_MESSAGE(!late, "not in time: ", what, "\n", Log());
      poll(nullptr, 0, 10);
    }
  }
  std::string Log() const {
    std::ifstream file(directory_.Join("log"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  const NetNamespace& where_;
  TemporaryDirectory directory_;
  Process process_;
};

// A router before two boxes, each of which has the users' network behind it.
struct RoutedWorld {
  RoutedWorld() {
    Connect(client, "eth0", router, "users");
    Connect(router, "to_a", a, "eth0");
    Connect(router, "to_b", b, "eth0");
    client.Run("ip addr add 10.1.0.2/24 dev eth0; ip route add default via 10.1.0.1");
    router.Run(
        "ip addr add 10.1.0.1/24 dev users; ip addr add 10.9.1.2/24 dev to_a;"
        "ip addr add 10.9.2.2/24 dev to_b; ip route add 203.0.113.0/24 via 10.9.1.1");
    router.Sysctl("net/ipv4/ip_forward", "1");
    a.Run(
        "ip addr add 10.9.1.1/24 dev eth0; ip addr add 203.0.113.1/32 dev lo;"
        "ip route add default via 10.9.1.2");
    b.Run(
        "ip addr add 10.9.2.1/24 dev eth0; ip addr add 203.0.113.1/32 dev lo;"
        "ip route add default via 10.9.2.2");
  }
  NetNamespace client, router, a, b;
  Service service{client, a, b, 0xcb007101};
  Program program{router, R"(target = "10.9.1.1"
[steering]
kind = "route"
prefixes = ["203.0.113.0/24"]
primary = { gateway = "10.9.1.1" }
minion = { gateway = "10.9.2.1" }
)"};
};

}  // namespace

TEST_CASE("route: traffic follows `mimi divert` and `mimi restore`, and nothing is lost") {
  RoutedWorld world;
  CHECK(world.service.Ask() == 'p');
  world.program.Start();
  for (int round = 0; round < 3; ++round) {
    world.program.Do("divert");
    for (int i = 0; i < 50; ++i) {
      REQUIRE_MESSAGE(world.service.Ask() == 'm', world.program.Log());
    }
    world.program.Do("restore");
    for (int i = 0; i < 50; ++i) {
      REQUIRE_MESSAGE(world.service.Ask() == 'p', world.program.Log());
    }
  }
}

TEST_CASE("route: a primary that dies together with the way to it is left, also by a new manager") {
  RoutedWorld world;
  SUBCASE("while a manager runs") {
    world.program.Start();
    world.program.Do("status");
    world.router.Run("ip link del to_a");  // the route goes with it: nobody sees where traffic goes
  }
  SUBCASE("before one starts again") {
    world.program.Start();
    world.program.Do("status");
    world.program.Stop();
    world.router.Run("ip link del to_a");
    CHECK(world.service.Ask(100ms) == '-');
    world.program.Start();
  }
  world.program.Until("an answer of the minion", [&] { return world.service.Ask(50ms) == 'm'; });
  CHECK(world.router.Run("ip route show 203.0.113.0/24").find("via 10.9.2.1") != std::string::npos);
}

TEST_CASE("address: a third host's ARP table and its traffic follow the take-over and the return") {
  constexpr char kPrimaryMac[] = "02:00:00:00:00:01";
  constexpr char kMinionMac[] = "02:00:00:00:00:02";
  NetNamespace network, host, primary, minion;
  network.Run("ip link add br0 type bridge; ip link set br0 up");
  const auto join = [&](const NetNamespace& box, const std::string& port, const std::string& mac,
                        const std::string& address) {
    Connect(network, port, box, "eth0");
    network.Run("ip link set " + port + " master br0");
    box.Run("ip link set eth0 address " + mac + "; ip addr add " + address + " dev eth0");
  };
  join(host, "to_host", "02:00:00:00:00:03", "10.0.0.3/24");
  join(primary, "to_primary", kPrimaryMac, "10.0.0.1/24");
  join(minion, "to_minion", kMinionMac, "10.0.0.2/24");
  primary.Run("ip addr add 10.0.0.100/24 dev eth0");
  Service service(host, primary, minion, 0x0a000064);
  Program program(minion, R"(target = "10.0.0.1"
[steering]
kind = "address"
addresses = ["10.0.0.100/24"]
interface = "eth0"
primary_mac = "02:00:00:00:00:01"
)");
  const auto believed = [&](const std::string& mac) {
    return host.Run("ip neigh show 10.0.0.100 dev eth0").find("lladdr " + mac) != std::string::npos;
  };
  CHECK(service.Ask() == 'p');
  CHECK(believed(kPrimaryMac));
  program.Start();
  program.Do("status");

  network.Run("ip link set to_primary down");
  program.Until("the minion in the host's table", [&] { return believed(kMinionMac); });
  for (int i = 0; i < 20; ++i) {
    REQUIRE_MESSAGE(service.Ask() == 'm', program.Log());
  }

  network.Run("ip link set to_primary up");
  program.Do("restore");
  program.Until("the primary in the host's table", [&] { return believed(kPrimaryMac); });
  for (int i = 0; i < 20; ++i) {
    REQUIRE_MESSAGE(service.Ask() == 'p', program.Log());
  }
  CHECK(minion.Run("ip addr show dev eth0").find("10.0.0.100") == std::string::npos);
}

}  // namespace mimi::testing
