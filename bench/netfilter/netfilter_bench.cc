// What conntrack as a source and as a data plane cost, on a real kernel (needs root).
//
// A client, a box A that translates, a server, and a box B: each in a network namespace. The load
// is UDP questions and answers (conntrack.*, netfilter.lag_ms) and whole TCP connections
// (tcp_life_us), made by threads that are not counted. What is counted is the CPU time of the
// threads that run the engines: the netlink system calls with the kernel's work in them included,
// the packets' path not.
//
// conntrack.driver_us_per_entry    driver, pipeline, memory store at A; 10,000 new flows a second
// netfilter.lag_ms.p50/.p99        in the same run with the minion of B in the same process: from
//                                  the answer that makes the flow at A to the entry in B's kernel
// conntrack.tcp_life_us            driver and minion together, per TCP connection, at so many a
//                                  second, or as many as one thread gets through (tcp_life_cps)
// minion.idle_cpu, _rss            driver and minion, following 100,000 flows of which none
//                                  changes: % of a core, and the memory of the whole process
// netfilter.inject_kps, update_kps entries from batches into B's kernel, per second of wall time
// `.low`: with latency = low. `.file`: A and B in two processes, over a file store.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/netfilter/boxes.h"

namespace mimi::bench {
namespace {

constexpr double kRate = 10'000;

void DriverCost(Bench& bench, ConntrackLatency latency) {
  const std::string suffix = latency == ConntrackLatency::kLow ? ".low" : "";
  const std::size_t flows = bench.Scale(30'000);
  if (bench.Wants("conntrack.driver_us_per_entry" + suffix)) {
    bench.Run("conntrack.driver_us_per_entry" + suffix, "us", [&] {
      Net net;
      Pair pair(net, Minions::kNone, latency);
      UdpLoad load(net, kRate, flows);
      const double before = ThreadCpu();
      load.Start();
      pair.RunUntil([&] { return load.done.load(); });
      pair.RunFor(std::chrono::milliseconds(50));
      const double cost = (ThreadCpu() - before) / static_cast<double>(flows) * 1e6;
      load.Join();
      if (pair.driver().state().rows < flows * 99 / 100) {
        bench.Fail("conntrack: flows are missing");
      }
      return cost;
    });
  }
}

void Lag(Bench& bench, const std::string& suffix, Minions minion, ConntrackLatency latency) {
  if (!bench.Wants("netfilter.lag_ms" + suffix)) {
    return;
  }
  const std::size_t flows = bench.Scale(30'000);
  std::vector<double> p50;
  std::vector<double> p99;
  std::vector<double> cost;
  for (int run = 0; run < (bench.smoke() ? 1 : 3); ++run) {
    Net net;
    Pair pair(net, minion, latency);
    UdpLoad load(net, kRate, flows);
    const double before = ThreadCpu();
    load.Start();
    pair.RunUntil([&] { return load.done.load(); });
    pair.RunFor(std::chrono::milliseconds(200));
    cost.push_back((ThreadCpu() - before) / static_cast<double>(flows) * 1e6);
    load.Join();
    const std::vector<std::int64_t> made = MadeAt(net, flows);
    std::vector<double> lags;
    for (std::size_t i = 0; i < flows; ++i) {
      if (made[i] != 0 && load.sent[i] != 0) {
        lags.push_back(static_cast<double>(made[i] - load.sent[i]) * 1e-6);
      }
    }
    if (lags.size() < flows * 99 / 100) {
      bench.Fail("netfilter: entries did not arrive");
      return;
    }
    std::sort(lags.begin(), lags.end());
    p50.push_back(lags[lags.size() / 2]);
    p99.push_back(lags[lags.size() * 99 / 100]);
  }
  bench.Report("netfilter.lag_ms" + suffix + ".p50", "ms", p50);
  bench.Report("netfilter.lag_ms" + suffix + ".p99", "ms", p99);
  if (minion == Minions::kHere) {
    bench.Report("netfilter.lag_us_per_entry" + suffix, "us", cost);
  }
}

void TcpLife(Bench& bench) {
  for (const double rate : {1000.0, 4000.0, 10'000.0}) {
    const std::string metric = "conntrack.tcp_life_us." + std::to_string(static_cast<int>(rate));
    if (!bench.Wants(metric)) {
      continue;
    }
    std::vector<double> reached;
    bench.Run(metric, "us", [&] {
      const std::size_t count = bench.Scale(static_cast<std::size_t>(2 * rate));
      Net net;
      Pair pair(net, Minions::kHere, ConntrackLatency::kNormal);
      TcpLoad load(net, rate, count);
      const double before = ThreadCpu();
      const TimePoint begin = Now();
      load.Start();
      pair.RunUntil([&] { return load.done.load(); });
      reached.push_back(static_cast<double>(count) / SecondsSince(begin));
      pair.RunFor(std::chrono::milliseconds(100));
      const double cost = (ThreadCpu() - before) / static_cast<double>(count) * 1e6;
      load.Join();
      if (pair.driver().state().events < 2 * count * 99 / 100) {
        bench.Fail("conntrack: connections are missing");
      }
      return cost;
    });
    bench.Report("conntrack.tcp_life_cps." + std::to_string(static_cast<int>(rate)), "1/s",
                 reached);
  }
}

void Idle(Bench& bench) {
  if (!bench.Wants("minion.idle_cpu") && !bench.Wants("minion.idle_rss")) {
    return;
  }
  const std::size_t flows = bench.Scale(100'000);
  Net net;
  Pair pair(net, Minions::kHere, ConntrackLatency::kNormal);
  UdpLoad load(net, 20'000, flows);
  load.Start();
  pair.RunUntil([&] { return load.done.load(); });
  load.Join();
  // The minion's first round through its table (10 s after it was made, a little at a time) is over
  // then.
  pair.RunFor(std::chrono::seconds(bench.smoke() ? 1 : 30));
  constexpr double kSeconds = 5;
  const double before = ThreadCpu();
  pair.RunFor(std::chrono::seconds(bench.smoke() ? 1 : 5));
  bench.Report("minion.idle_cpu", "%", {(ThreadCpu() - before) / kSeconds * 100});
  bench.Report("minion.idle_rss", "MiB", {ResidentMiB()});
  if (pair.held() < flows * 99 / 100) {
    bench.Fail("netfilter: flows are missing");
  }
}

// Entries from batches into the kernel, as a load does it, and again over those that are there.
void Inject(Bench& bench) {
  if (!bench.Wants("netfilter.inject_kps") && !bench.Wants("netfilter.update_kps")) {
    return;
  }
  std::vector<double> inject;
  std::vector<double> update;
  const std::size_t count = bench.Scale(200'000);
  for (int run = 0; run < (bench.smoke() ? 1 : 3); ++run) {
    Net net;
    std::unique_ptr<Loop> loop = *NewEpollLoop();
    const std::string directory = "/tmp/mimi-bench-" + std::to_string(getpid());
    std::unique_ptr<NetfilterMinion> minion = *NewNetfilterMinion(
        {.network_namespace = net.b.path(), .state_directory = directory, .reserve_percent = 1},
        *loop);
    bool warm = false;
    minion->Warm([&](const absl::Status& status) {
      Check(status);
      warm = true;
    });
    while (!warm) {
      loop->RunOnce();
    }
    for (std::vector<double>* kps : {&inject, &update}) {
      BatchBuilder builder(FlowSchema(), 1);
      Position last = 0;
      const auto apply = [&] {
        for (;;) {
          const absl::StatusOr<Position> taken =
              minion->Apply(builder.Seal(1, 1, UnixTime(Duration(1))));
          if (taken.ok()) {
            last = *taken;
            break;
          }
          loop->RunOnce();
        }
        builder.Clear();
      };
      Flow flow;
      flow.protocol = IpProtocol::kTcp;
      flow.orig_dst = *Ip::Parse("203.0.113.1");
      flow.orig_dport = 443;
      flow.reply_src = *Ip::Parse("10.2.0.2");
      flow.reply_sport = 8443;
      flow.state = FlowState::kEstablished;
      std::vector<std::byte> row(FlowSchema().row_size());
      const TimePoint begin = Now();
      for (std::size_t i = 0; i < count; ++i) {
        flow.orig_src = Ipv4{{10, 9, static_cast<std::uint8_t>(i >> 16 & 0xff),
                              static_cast<std::uint8_t>(i >> 8 & 0xff)}};
        flow.orig_sport = static_cast<std::uint16_t>(1024 + i % 256);
        flow.reply_dst = flow.orig_src;
        flow.reply_dport = flow.orig_sport;
        if (builder.full()) {
          apply();
        }
        (void)(EncodeRow(flow, row) && builder.Put(row));
      }
      apply();
      while (minion->confirmed() < last) {
        loop->RunOnce();
      }
      kps->push_back(static_cast<double>(count) / SecondsSince(begin) * 1e-3);
    }
    if (minion->state().rows != count) {
      bench.Fail("netfilter: entries are missing");
    }
    (void)std::system(("rm -r " + directory).c_str());
  }
  bench.Report("netfilter.inject_kps", "k/s", inject);
  bench.Report("netfilter.update_kps", "k/s", update);
}

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  if (const std::string why = mimi::testing::WhyNoNamespaces(); !why.empty()) {
    std::fprintf(stderr, "skipped: %s\n", why.c_str());
    return;
  }
  using mimi::ConntrackLatency;
  using mimi::bench::Minions;
  mimi::bench::DriverCost(bench, ConntrackLatency::kNormal);
  mimi::bench::DriverCost(bench, ConntrackLatency::kLow);
  mimi::bench::Lag(bench, "", Minions::kHere, ConntrackLatency::kNormal);
  mimi::bench::Lag(bench, ".low", Minions::kHere, ConntrackLatency::kLow);
  mimi::bench::Lag(bench, ".file", Minions::kChild, ConntrackLatency::kNormal);
  mimi::bench::Lag(bench, ".file.low", Minions::kChild, ConntrackLatency::kLow);
  mimi::bench::TcpLife(bench);
  mimi::bench::Idle(bench);
  mimi::bench::Inject(bench);
}
