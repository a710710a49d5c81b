// Syslog over UDP on the loopback, from the socket to the store: an engine with a syslog driver
// (packs cisco-asa and iptables) and a memory store, on one thread.
//
// syslog.lines_kps: thousands of lines per second. A burst that fits the socket's buffer is sent
// first, without the clock running; then the time is taken until the store has its last row. Each
// line is a 302013 of a flow of its own; connection ids come again, so that the join's memory holds
// them all.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/syslog_driver.h"
#include "mimi/engine.h"

#include "bench/bench.h"
#include "src/base/unique_fd.h"

namespace mimi::bench {
namespace {

class LogHost {
 public:
  LogHost() : loop_(*NewEpollLoop()), store_(*NewMemoryStore({}, *loop_)) {
    SyslogDriverOptions syslog;
    syslog.listen = {{.transport = SyslogTransport::kUdp, .address = "127.0.0.1", .port = 0}};
    syslog.allow = {"127.0.0.1"};
    syslog.packs = {"cisco-asa", "iptables"};
    syslog.pack_directory = MIMI_BENCH_PACKS;
    syslog.receive_buffer = std::size_t{64} << 20;
    driver_ = *NewSyslogDriver(syslog, *loop_);
    EngineOptions options;
    options.pair = "bench";
    options.store = store_.get();
    options.primary.drivers = {driver_.get()};
    engine_ = *NewEngine(std::move(options), *loop_);
    const auto ready = loop_->now() + std::chrono::milliseconds(500);
    while (loop_->now() < ready) {
      engine_->RunOnce();
    }
    socket_ = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(driver_->port(0));
    const void* const address = &to;
    connect(socket_.get(), static_cast<const sockaddr*>(address), sizeof to);
  }

  /// Thousands per second; 0: something was lost.
  double Burst(std::size_t lines) {
    for (std::size_t i = 0; i < lines; ++i, ++next_) {
      const std::string line = fmt::format(
          "<166>Oct 10 2024 10:00:00 fw01 : %ASA-6-302013: Built inbound TCP connection {} for "
          "outside:198.51.{}.{}/{} (198.51.{}.{}/{}) to dmz:10.0.0.5/8443 (203.0.113.1/443)",
          next_ % 100'000, next_ >> 24 & 255, next_ >> 16 & 255, next_ & 65535, next_ >> 24 & 255,
          next_ >> 16 & 255, next_ & 65535);
      send(socket_.get(), line.data(), line.size(), 0);
    }
    const std::uint64_t wanted = store_->state().rows + lines;
    const TimePoint start = Now();
    while (store_->state().rows < wanted && SecondsSince(start) < 5) {
      engine_->RunOnce();
    }
    const double seconds = SecondsSince(start);
    return driver_->state().lost != 0 || seconds >= 5 ? 0
                                                      : static_cast<double>(lines) / seconds / 1000;
  }

 private:
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<SyslogDriver> driver_;
  std::unique_ptr<Engine> engine_;
  UniqueFd socket_;
  std::uint32_t next_ = 1;
};

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  if (!bench.Wants("syslog.lines_kps")) {
    return;
  }
  mimi::bench::LogHost host;
  host.Burst(1000);
  bench.Run("syslog.lines_kps", "k/s", [&] {
    const double kps = host.Burst(bench.smoke() ? 1000 : 40'000);
    if (kps == 0) {
      bench.Fail("lines were lost");
    }
    return kps;
  });
}
