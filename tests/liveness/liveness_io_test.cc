// The thin shells on real sockets, over loopback.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/bfd.h"
#include "mimi/builtin/heartbeat.h"
#include "mimi/builtin/liveness_thread.h"
#include "mimi/builtin/probes.h"

#include "src/io/socket.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Ip kHere = *Ip::Parse("127.0.0.1");

std::uint16_t PortOf(int fd) {
  internal::SocketAddress address;
  REQUIRE(getsockname(fd, address.get(), &address.size) == 0);
  return address.port();
}

// A port that was free a moment ago.
std::uint16_t FreeUdpPort() {
  const auto fd = internal::OpenSocket(AF_INET, SOCK_DGRAM, 0, {.local = kHere});
  REQUIRE(fd.ok());
  return PortOf(fd->get());
}

bool RunUntil(Loop& loop, const std::function<bool()>& done) {
  const MonotonicTime deadline = loop.now() + seconds(20);
  while (!done() && loop.now() < deadline) {
    pollfd fd{.fd = loop.PollFd(), .events = POLLIN, .revents = 0};
    poll(&fd, 1, 100);
    loop.RunOnce();
  }
  return done();
}

struct KeyFile {
  explicit KeyFile(std::string_view key, mode_t mode = 0600) {
    const int fd = mkstemp(path.data());
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size()));
    REQUIRE(fchmod(fd, mode) == 0);
    close(fd);
  }
  ~KeyFile() { unlink(path.c_str()); }
  std::string path = "/tmp/mimi-key-XXXXXX";
};

TEST_CASE("bfd: two of us come up over sockets, and one that ends says so") {
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const Ip there = *Ip::Parse("127.0.0.2");
  const std::uint16_t port = FreeUdpPort();
  std::vector<LivenessEvent> events;
  const auto make = [&](const Ip& local, const Ip& peer) {
    return *NewBfd({.peer = peer, .port_options = {.local = local, .interface = {}, .port = port}},
                   *loop);
  };
  const std::unique_ptr<Liveness> a = make(kHere, there);
  const std::unique_ptr<Liveness> b = make(there, kHere);
  REQUIRE(a->Start([&](const LivenessEvent& e) { events.push_back(e); }).ok());
  REQUIRE(b->Start([](const LivenessEvent&) {}).ok());
  REQUIRE(RunUntil(*loop, [&] { return !events.empty(); }));
  CHECK(events[0].health == Health::kUp);
  CHECK(events[0].reason == "bfd: session up");
  b->Stop();
  REQUIRE(RunUntil(*loop, [&] { return events.size() >= 2; }));
  CHECK(events[1].health == Health::kUnknown);
  CHECK(events[1].reason == "bfd: bfd was switched off at the peer");
}

TEST_CASE("heartbeat: a beacon is heard through sockets, and its end is noticed") {
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const KeyFile key("0123456789abcdef0123\n");
  const std::uint16_t port = FreeUdpPort();
  std::vector<LivenessEvent> events;
  const std::unique_ptr<Liveness> heartbeat = *NewHeartbeat(
      {.box = Side::kMinion, .node = "m", .key_file = key.path, .listen = {kHere, port}}, *loop);
  std::unique_ptr<Liveness> beacon = *NewBeacon(
      {.node = "m", .key_file = key.path, .targets = {{kHere, port}}, .interval = milliseconds(20)},
      *loop);
  REQUIRE(heartbeat->Start([&](const LivenessEvent& e) { events.push_back(e); }).ok());
  REQUIRE(beacon->Start(nullptr).ok());
  REQUIRE(RunUntil(*loop, [&] { return !events.empty(); }));
  CHECK(events[0].health == Health::kUp);
  CHECK(events[0].box == Side::kMinion);
  beacon.reset();
  REQUIRE(RunUntil(*loop, [&] { return events.size() == 2; }));
  CHECK(events[1].health == Health::kDown);
}

TEST_CASE("heartbeat: another key is not heard") {
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const KeyFile ours("0123456789abcdef0123"), theirs("another key, long enough");
  const std::uint16_t port = FreeUdpPort();
  int events = 0;
  const std::unique_ptr<Liveness> heartbeat =
      *NewHeartbeat({.node = "m", .key_file = ours.path, .listen = {kHere, port}}, *loop);
  const std::unique_ptr<Liveness> beacon =
      *NewBeacon({.node = "m", .key_file = theirs.path, .targets = {{kHere, port}}}, *loop);
  REQUIRE(heartbeat->Start([&](const LivenessEvent&) { ++events; }).ok());
  REQUIRE(beacon->Start(nullptr).ok());
  REQUIRE(RunUntil(*loop, [&] {
    for (const Metric& metric : heartbeat->metrics()) {
      if (metric.value > 0 && metric.labels.back().value == "unauthentic") {
        return true;
      }
    }
    return false;
  }));
  CHECK(events == 0);
}

TEST_CASE("heartbeat: a key that others can read, is short or not there is refused") {
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const KeyFile open("0123456789abcdef0123", 0640), brief("short");
  const auto code = [&](const std::string& path) {
    return NewHeartbeat({.node = "m", .key_file = path, .listen = {kHere, 1}}, *loop)
        .status()
        .code();
  };
  CHECK(code(open.path) == absl::StatusCode::kFailedPrecondition);
  CHECK(code(brief.path) == absl::StatusCode::kInvalidArgument);
  CHECK(code("/tmp/mimi-no-such-key") == absl::StatusCode::kNotFound);
}

TEST_CASE("tcp probe: on its thread, up while somebody listens and down when nobody does") {
  auto listening = internal::OpenSocket(AF_INET, SOCK_STREAM, 0, {.local = kHere});
  REQUIRE(listening.ok());
  REQUIRE(listen(listening->get(), 16) == 0);
  TcpProbeOptions options;
  options.path.target = kHere;
  options.path.interval = options.path.timeout = milliseconds(20);
  options.port = PortOf(listening->get());
  const std::unique_ptr<LivenessThread> thread = *NewLivenessThread();
  thread->Add(*NewTcpProbe(options, thread->loop()));
  const std::unique_ptr<Loop> here = *NewEpollLoop();
  std::vector<LivenessEvent> events;
  REQUIRE(thread
              ->Start([&](const LivenessEvent& event) {
                here->Post([&events, event] { events.push_back(event); });
              })
              .ok());
  CHECK_FALSE(thread->scheduling().empty());
  REQUIRE(RunUntil(*here, [&] { return !events.empty(); }));
  CHECK(events[0].health == Health::kUp);
  { const UniqueFd closed = *std::move(listening); }
  REQUIRE(RunUntil(*here, [&] { return events.size() == 2; }));
  CHECK(events[1].health == Health::kDown);
  thread->Stop();
}

TEST_CASE("liveness thread: what cannot start is said by name, and nothing runs") {
  const std::unique_ptr<LivenessThread> thread = *NewLivenessThread({.priority = 0});
  const auto port =
      *NewBfdPort({.local = kHere, .interface = {}, .port = FreeUdpPort()}, thread->loop());
  const BfdOptions twice{.peer = *Ip::Parse("127.0.0.9"), .port = port};
  thread->Add(*NewBfd(twice, thread->loop()));
  thread->Add(*NewBfd(twice, thread->loop()));
  const absl::Status started = thread->Start([](const LivenessEvent&) {});
  CHECK(started.code() == absl::StatusCode::kInvalidArgument);
  CHECK(started.message() == "bfd: bfd: two sessions with 127.0.0.9");
  CHECK(thread->scheduling() == "normal priority");
}

}  // namespace
}  // namespace mimi
