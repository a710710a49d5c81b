#include "mimi/builtin/syslog_driver.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"
#include "mimi/record.h"

#include "src/base/unique_fd.h"
#include "src/io/socket.h"

namespace mimi {
namespace {

using internal::SocketAddress;

constexpr std::string_view kRules = R"toml(
[pack]
name = "test"
begins = true
ends = true
[[rule]]
name = "begin"
match = "flow begins {protocol:protocol} {orig_src:ip}/{orig_sport:port} > {orig_dst:ip}/{orig_dport:port}{$}"
op = "put"
[[rule]]
name = "end"
match = "flow ends {protocol:protocol} {orig_src:ip}/{orig_sport:port} > {orig_dst:ip}/{orig_dport:port} {reason}"
op = "erase"
abrupt = { of = "reason", unless = ["FIN"] }
)toml";

class CountingSink final : public StateSink {
 public:
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    if (full) {
      return absl::ResourceExhaustedError("full");
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const RecordView record = batch[i];
      ops.push_back(record.op);
      Flow flow;
      if (record.op == Op::kPut && DecodeRow(record.row, &flow)) {
        flows.push_back(flow);
      }
    }
    return Position{};
  }
  Position confirmed() const override { return {}; }

  bool full = false;
  std::vector<Op> ops;
  std::vector<Flow> flows;
};

std::string Begin(int port) {
  return "flow begins tcp 192.0.2.1/" + std::to_string(port) + " > 192.0.2.9/443";
}

// A driver on the loopback, a sink, and sockets that send to it.
struct LogHost {
  std::unique_ptr<Loop> loop = *NewEpollLoop();
  CountingSink sink;
  std::unique_ptr<SyslogDriver> driver;

  explicit LogHost(SyslogDriverOptions options = {}) {
    if (options.allow.empty()) {
      options.allow = {"127.0.0.0/8", "::1"};
    }
    options.listen = {{SyslogTransport::kUdp, "::", 0}, {SyslogTransport::kTcp, "::", 0}};
    options.rule_texts = {{std::string(kRules), "test.toml"}};
    auto made = NewSyslogDriver(options, *loop);
    REQUIRE_MESSAGE(made.ok(), std::string(made.status().message()));
    driver = *std::move(made);
    REQUIRE(driver->Start(sink).ok());
  }
  ~LogHost() { driver->Stop(); }

  UniqueFd Connect(int type, std::string_view address = "127.0.0.1") {
    const Ip ip = *Ip::Parse(address);
    const SocketAddress to(ip, driver->port(type == SOCK_STREAM ? 1 : 0));
    UniqueFd fd(socket(to.family(), type | SOCK_CLOEXEC, 0));
    REQUIRE(fd.valid());
    REQUIRE(connect(fd.get(), to.get(), to.size) == 0);
    return fd;
  }
  static bool Send(const UniqueFd& fd, std::string_view bytes) {
    return send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  template <class Condition>
  bool RunUntil(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) {
        return false;
      }
      loop->RunOnce();
    }
    return true;
  }
  double Counted(std::string_view name, std::string_view label = {}) const {
    MetricList metrics;
    driver->Collect(metrics);
    double sum = 0;
    for (const Metric& metric : metrics) {
      const bool wanted =
          metric.name == name &&
          (label.empty() || (!metric.labels.empty() && metric.labels[0].value == label));
      sum += wanted ? metric.value : 0;
    }
    return sum;
  }
};

TEST_CASE("syslog: lines on UDP become rows, over both families") {
  LogHost host;
  const UniqueFd v4 = host.Connect(SOCK_DGRAM);
  const UniqueFd v6 = host.Connect(SOCK_DGRAM, "::1");
  CHECK(LogHost::Send(v4, "<14>Oct 10 10:00:00 fw " + Begin(1)));
  CHECK(LogHost::Send(v6, "<14>1 2024-10-10T10:00:00Z fw app - - - " + Begin(2) + "\n"));
  CHECK(LogHost::Send(v4, "flow ends tcp 192.0.2.1/1 > 192.0.2.9/443 FIN"));
  CHECK(LogHost::Send(v4, "flow ends tcp 192.0.2.1/2 > 192.0.2.9/443 idle"));
  CHECK(LogHost::Send(v4, "something else"));
  CHECK(host.RunUntil([&] { return host.Counted("mimi_syslog_lines_total") == 5; }));
  REQUIRE(host.sink.flows.size() == 2);
  CHECK(host.sink.flows[0].orig_sport.value == 1);
  CHECK(host.sink.flows[0].source == FlowSource::kSyslog);
  CHECK(host.sink.flows[0].idle_timeout == std::chrono::hours(1));
  CHECK(host.sink.ops == std::vector<Op>{Op::kPut, Op::kPut, Op::kErase, Op::kEraseAbrupt});
  CHECK(host.driver->state().lost == 0);
}

TEST_CASE("syslog: on TCP counted and line framing are told apart for each connection") {
  LogHost host;
  const UniqueFd counted = host.Connect(SOCK_STREAM);
  const UniqueFd lines = host.Connect(SOCK_STREAM, "::1");
  const std::string one = "<14>" + Begin(10);
  const std::string frame = std::to_string(one.size()) + " " + one;
  CHECK(LogHost::Send(counted, frame + frame.substr(0, 9)));
  CHECK(LogHost::Send(lines, "<14>" + Begin(11) + "\r\n<14>flow beg"));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 2; }));
  CHECK(LogHost::Send(counted, frame.substr(9)));
  CHECK(LogHost::Send(lines, "ins tcp 192.0.2.1/12 > 192.0.2.9/443\n"));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 4; }));
  CHECK(host.driver->state().lost == 0);
}

TEST_CASE("syslog: who is not allowed makes no flow") {
  LogHost host({.allow = {"192.0.2.0/24"}});
  const UniqueFd udp = host.Connect(SOCK_DGRAM);
  const UniqueFd tcp = host.Connect(SOCK_STREAM);
  CHECK(LogHost::Send(udp, Begin(1)));
  CHECK(host.RunUntil([&] { return host.Counted("mimi_syslog_forbidden_total") == 2; }));
  CHECK(host.sink.ops.empty());
  CHECK(!NewSyslogDriver({.rule_texts = {{std::string(kRules), "x"}}}, *host.loop).ok());
}

TEST_CASE("syslog: gaps in the numbers of a sender are losses") {
  LogHost host;
  const UniqueFd udp = host.Connect(SOCK_DGRAM);
  const auto numbered = [](int n) {
    return "<14>1 2024-10-10T10:00:00Z fw app - - [meta sequenceId=\"" + std::to_string(n) +
           "\"] " + Begin(n);
  };
  for (const int n : {7, 8, 12, 13, 1, 2}) {  // 1: it began anew
    CHECK(LogHost::Send(udp, numbered(n)));
  }
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 6; }));
  CHECK(host.driver->state().lost == 3);
  CHECK(host.Counted("mimi_syslog_lost_total", "gap") == 3);
}

TEST_CASE("syslog: what the kernel drops, and what the sink does not take, is lost") {
  LogHost host({.receive_buffer = 4096});
  const UniqueFd udp = host.Connect(SOCK_DGRAM);
  for (int i = 1; i < 2000; ++i) {
    LogHost::Send(udp, Begin(i));
  }
  host.RunUntil([&] { return host.sink.flows.size() >= 1; });
  CHECK(LogHost::Send(udp, Begin(3000)));  // tells what was dropped before
  CHECK(host.RunUntil([&] { return host.driver->state().lost != 0; }));
  CHECK(static_cast<double>(host.sink.flows.size()) +
            host.Counted("mimi_syslog_lost_total", "socket") >=
        1999);
  const std::uint64_t before = host.driver->state().lost;
  host.sink.full = true;
  CHECK(LogHost::Send(udp, Begin(4000)));
  CHECK(host.RunUntil([&] { return host.driver->state().lost == before + 1; }));
}

TEST_CASE("syslog: a line cut off by the end of a connection is a loss, one too long is cut") {
  LogHost host({.max_line = 480});
  {
    const UniqueFd tcp = host.Connect(SOCK_STREAM);
    CHECK(LogHost::Send(tcp, Begin(1) + "\nflow begins tcp 192.0.2.1/2 > 19"));
    CHECK(host.RunUntil([&] { return host.sink.flows.size() == 1; }));
  }
  CHECK(host.RunUntil([&] { return host.driver->state().lost == 1; }));
  const UniqueFd tcp = host.Connect(SOCK_STREAM);
  CHECK(LogHost::Send(tcp, std::string(5000, 'x') + Begin(8) + "\n" + Begin(9) + "\n"));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 2; }));
  CHECK(host.sink.flows[1].orig_sport.value == 9);
  CHECK(host.driver->state().lost == 2);
}

TEST_CASE("syslog: garbage and floods close what they must, and nothing else") {
  LogHost host({.max_connections = 2});
  std::mt19937 random(20241010);
  const auto garbage = [&random](std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    return bytes;
  };
  const UniqueFd good = host.Connect(SOCK_STREAM);
  CHECK(LogHost::Send(good, Begin(1) + "\n"));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 1; }));
  const UniqueFd bad = host.Connect(SOCK_STREAM);
  CHECK(LogHost::Send(bad, "12 hello world!x"));  // behind the message no count comes
  CHECK(host.RunUntil([&] { return host.Counted("mimi_syslog_lost_total", "framing") == 1; }));
  CHECK(host.RunUntil([&] { return host.Counted("mimi_syslog_connections") == 1; }));
  const UniqueFd udp = host.Connect(SOCK_DGRAM);
  for (int i = 0; i < 300; ++i) {
    LogHost::Send(udp, garbage(random() % 2000));
    host.loop->RunOnce();
  }
  std::vector<UniqueFd> flood;
  for (int i = 0; i < 20; ++i) {
    flood.push_back(host.Connect(SOCK_STREAM));
    LogHost::Send(flood.back(), garbage(3000));
  }
  CHECK(host.RunUntil([&] { return host.Counted("mimi_syslog_connections_refused_total") >= 18; }));
  CHECK(LogHost::Send(good, Begin(2) + "\n"));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 2; }));
}

TEST_CASE("syslog: coverage is what the packs say, and a log cannot be walked") {
  LogHost host;
  CHECK(host.driver->coverage().begins);
  CHECK(!host.driver->coverage().walkable);
  CHECK(host.driver->Resync().code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("syslog: rules are read again, and stay as they are when one is wrong") {
  LogHost host;
  CHECK(host.driver->ReloadRules().ok());
  const UniqueFd udp = host.Connect(SOCK_DGRAM);
  CHECK(LogHost::Send(udp, Begin(1)));
  CHECK(host.RunUntil([&] { return host.sink.flows.size() == 1; }));
}

}  // namespace
}  // namespace mimi
