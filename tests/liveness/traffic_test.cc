// Liveness by the users' own packets: counters of real interfaces beside a real box.
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "mimi/builtin/probes.h"

#include "tests/liveness/box_path.h"
#include "tests/liveness/watched.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;
using testing::BoxPath;
using testing::Process;
using testing::Watched;

Process Users(const BoxPath& net) {
  return net.manager.Spawn({"python3", "-c",
                            "import socket, time\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            "while True:\n"
                            "    s.sendto(b'x', ('10.9.2.1', 9))\n"
                            "    time.sleep(0.01)\n"});
}

// At the box itself: what comes in at the front has to leave at the back.
Watched Traffic(const BoxPath& net, const std::string& back = "back") {
  TrafficOptions options;
  options.in = {{.interface = "front", .received = true}};
  options.out = {{.interface = back, .received = false}};
  options.min_packets = 10;
  options.ignored_out = 3;  // neighbour discovery
  options.window = milliseconds(500);
  options.interval = milliseconds(50);
  return Watched(net.box, [&](Loop& loop) { return NewTrafficLiveness(options, loop); });
}

TEST_CASE("traffic: a box that forwards no more is down while packets go in") {
  const BoxPath net;
  Watched traffic = Traffic(net);
  const Process users = Users(net);
  CHECK(traffic.Await(Health::kUp).reason == "traffic: packets come out");
  net.BlackHole();
  const LivenessEvent down = traffic.Await(Health::kDown);
  CAPTURE(down.reason);
  CHECK(down.reason.find("packets went in within") != std::string::npos);
  net.Forward();
  traffic.Await(Health::kUp);
}

TEST_CASE("traffic: an interface that is not there, and comes, and goes") {
  const BoxPath net;
  Watched traffic = Traffic(net, "later");
  const Process users = Users(net);
  net.box.Run("ip link set back down; ip link set back name later; ip link set later up");
  CHECK(traffic.Await(Health::kUp).reason == "traffic: packets come out");
  net.box.Run("ip link del later");
  CHECK(traffic.Await(Health::kUnknown).reason == "traffic: there is no interface later");
}

TEST_CASE("traffic: options that mean nothing are refused") {
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  TrafficOptions options;
  options.in = {{.interface = "lo"}};
  CHECK(NewTrafficLiveness(options, *loop).status().message() == "traffic: no interface for `out`");
  options.out = options.in;
  options.window = milliseconds(50);
  CHECK(NewTrafficLiveness(options, *loop).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mimi
