// Packets that a box's rules log to netlink (NFLOG), as flows, on a real kernel (needs root).
//
// nflog.kpps         thousands of packets per second from the rule to the sink, while a second thread
//                    sends as fast as it can, with the driver's default options. What bounds it is
//                    the sender, which pays for the kernel's logging
// nflog.packet_ns    what the driver costs for each: packets are logged first, without the clock
//                    running, into the socket's buffer; then it takes them all
//
// Each packet is of a flow of its own, so a row. One that is missing fails the run.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "mimi/builtin/nflog_driver.h"

#include "bench/bench.h"
#include "bench/netfilter/boxes.h"

namespace mimi::bench {
namespace {

class CountingSink final : public StateSink {
 public:
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    rows += batch.size();
    return Position{1};
  }
  Position confirmed() const override { return 1; }
  std::size_t rows = 0;
};

class LoggingBox {
 public:
  LoggingBox() : loop_(*NewEpollLoop()) {
    box_.Nft(
        "table ip flows {\n chain out {\n  type filter hook output priority 0;\n"
        "  udp dport 53 log group 1 snaplen 64 drop\n }\n}\n");
    driver_ = *NewNflogDriver({.network_namespace = box_.path()}, *loop_);
    Check(driver_->Start(sink_));
    raw_ = Socket(box_, SOCK_RAW, IPPROTO_RAW);
  }
  ~LoggingBox() { driver_->Stop(); }

  /// Seconds from the first packet to the last row.
  double Live(std::size_t packets) {
    const TimePoint start = Now();
    std::thread sender([&] { Send(packets); });
    const bool all = TakeAll(packets);
    sender.join();
    return all ? SecondsSince(start) : 0;
  }

  /// Seconds for packets that wait already. The kernel sends its last, unfilled batch after the
  /// driver's `flush` of 10 ms.
  double Waiting(std::size_t packets) {
    Send(packets);
    SleepUntil(Now() + std::chrono::milliseconds(30));
    const TimePoint start = Now();
    return TakeAll(packets) ? SecondsSince(start) : 0;
  }

 private:
  bool TakeAll(std::size_t packets) {
    taken_ += packets;
    const TimePoint start = Now();
    while (sink_.rows < taken_ && SecondsSince(start) < 5) {
      loop_->RunOnce();
    }
    return sink_.rows == taken_ && driver_->state().lost == 0;
  }

  void Send(std::size_t packets) {
    struct {
      iphdr ip;
      udphdr udp;
    } packet = {};
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.tot_len = htons(sizeof(packet));
    packet.ip.protocol = IPPROTO_UDP;
    const sockaddr_in to = At("127.0.0.1", 53);
    packet.ip.daddr = to.sin_addr.s_addr;
    packet.udp.dest = htons(53);
    packet.udp.len = htons(sizeof(packet.udp));
    for (std::size_t i = 0; i < packets; ++i, ++next_) {
      packet.ip.saddr = htonl(static_cast<std::uint32_t>(0x7f010000U + next_ / kPorts));
      packet.udp.source = htons(static_cast<std::uint16_t>(1024 + next_ % kPorts));
      (void)sendto(raw_.get(), &packet, sizeof(packet), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof(to));  // fails where the rule dropped it
    }
  }

  NetNamespace box_;
  std::unique_ptr<Loop> loop_;
  CountingSink sink_;
  std::unique_ptr<Driver> driver_;
  UniqueFd raw_;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
};

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  if (!bench.Wants("nflog.kpps") && !bench.Wants("nflog.packet_ns")) {
    return;
  }
  if (const std::string why = mimi::testing::WhyNoNamespaces(); !why.empty()) {
    std::fprintf(stderr, "nflog: skipped: %s\n", why.c_str());
    return;
  }
  mimi::bench::LoggingBox box;
  const std::size_t packets = bench.smoke() ? 1000 : 50'000;
  const auto checked = [&bench](double seconds) {
    if (seconds == 0) {
      bench.Fail("packets were lost");
    }
    return seconds;
  };
  checked(box.Waiting(1000));
  bench.Run("nflog.kpps", "k/s", [&] {
    return static_cast<double>(4 * packets) / checked(box.Live(4 * packets)) / 1000;
  });
  bench.Run("nflog.packet_ns", "ns",
            [&] { return checked(box.Waiting(packets)) * 1e9 / static_cast<double>(packets); });
}
