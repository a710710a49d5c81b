// Probes through a box, by real packets. Intervals are long, so that a busy machine fails none.
#include "mimi/builtin/probes.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "tests/liveness/box_path.h"
#include "tests/liveness/watched.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;
using testing::BoxPath;
using testing::Process;
using testing::Watched;

// Answers "/well" with 200, "/busy" with 503, "/silent" not at all, and all else with what is no
// HTTP.
constexpr char kServer[] = R"(
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', 80))
s.listen(64)
answers = {b'/well': b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
           b'/busy': b'HTTP/1.0 503 Busy\r\n\r\n'}
silent = []
while True:
    c, _ = s.accept()
    try:
        uri = c.recv(4096).split(b' ')[1]
        if uri == b'/silent':
            silent.append(c)
            continue
        c.sendall(answers.get(uri, b'220 mail\r\n'))
    except (OSError, IndexError):
        pass
    c.close()
)";
constexpr char kUntilItListens[] =
    "for i in $(seq 300); do ss -ltnH 'sport = :80' | grep -q . && exit 0; sleep 0.05; done; exit "
    "1";

const Ip kService = *Ip::Parse("10.9.2.1");
const Ip kService6 = *Ip::Parse("fd09:2::1");

ProbePath Path(const Ip& target) {
  ProbePath path;
  path.target = target;
  path.interval = path.timeout = milliseconds(250);
  return path;
}

Watched Http(const BoxPath& net, const Ip& target, const std::string& uri) {
  return Watched(net.manager, [&](Loop& loop) {
    return NewHttpProbe({.path = Path(target), .uri = uri}, loop);
  });
}

Watched Icmp(const BoxPath& net, const Ip& target) {
  return Watched(net.manager,
                 [&](Loop& loop) { return NewIcmpProbe({.path = Path(target)}, loop); });
}

bool Says(const LivenessEvent& event, std::string_view what) {
  INFO(event.reason);
  return event.reason.find(what) != std::string::npos;
}

TEST_CASE("probes: icmp through a box, of both families, notices that it forwards no more") {
  const BoxPath net;
  for (const Ip& target : {kService, kService6}) {
    Watched probe = Icmp(net, target);
    CHECK(Says(probe.Await(Health::kUp), "the echo is answered"));
    net.BlackHole();
    CHECK(Says(probe.Await(Health::kDown), "no answer for"));
    net.Forward();
    probe.Await(Health::kUp);
  }
}

TEST_CASE("probes: icmp needs no capability where ping sockets are allowed") {
  const BoxPath net;
  net.manager.Sysctl("net/ipv4/ping_group_range", "0 2147483647");
  for (const Ip& target : {kService, kService6}) {
    Watched probe = Icmp(net, target);
    CHECK(Says(probe.Await(Health::kUp), "the echo is answered"));
  }
}

TEST_CASE("probes: icmp through a box that says that there is no way") {
  const BoxPath net;
  net.box.Run("ip route add unreachable 10.9.2.1/32");
  Watched probe = Icmp(net, kService);
  probe.Await(Health::kDown);
  net.box.Run("ip route del unreachable 10.9.2.1/32");
  probe.Await(Health::kUp);
}

TEST_CASE("probes: http understands what a service says through a box") {
  const BoxPath net;
  const Process server = net.service.Spawn({"python3", "-c", kServer});
  net.service.Run(kUntilItListens);
  {
    Watched well = Http(net, kService, "/well");
    CHECK(Says(well.Await(Health::kUp), "status 200"));
    net.BlackHole();
    CHECK(Says(well.Await(Health::kDown), "no answer for"));
    net.Forward();
    well.Await(Health::kUp);
  }
  CHECK(Says(Http(net, kService6, "/well").Await(Health::kUp), "status 200"));
  CHECK(Says(Http(net, kService, "/busy").Await(Health::kDown), "status 503"));
  CHECK(Says(Http(net, kService, "/silent").Await(Health::kDown), "no answer for"));
  CHECK(Says(Http(net, kService, "/mail").Await(Health::kDown), "the answer is not HTTP"));
}

TEST_CASE("probes: http and tcp say why nobody answers") {
  const BoxPath net;
  CHECK(Says(Http(net, kService, "/").Await(Health::kDown), "Connection refused"));
  CHECK(
      Says(Http(net, *Ip::Parse("10.99.0.1"), "/").Await(Health::kDown), "Network is unreachable"));
}

TEST_CASE("probes: a mark takes another way than the other packets do") {
  const BoxPath net;
  // Without the mark there is no way to the service.
  net.manager.Run(
      "ip route del 10.9.2.0/24; ip route add 10.9.2.0/24 via 10.9.1.2 table 17;"
      "ip rule add fwmark 17 table 17");
  CHECK(Icmp(net, kService).Await(Health::kDown).health == Health::kDown);
  Watched marked(net.manager, [&](Loop& loop) {
    ProbePath path = Path(kService);
    path.mark = 17;
    path.interface = "to-box";
    path.source = *Ip::Parse("10.9.1.1");
    return NewIcmpProbe({.path = path}, loop);
  });
  marked.Await(Health::kUp);
}

}  // namespace
}  // namespace mimi
