// What a failover takes on a real kernel, with real connections (needs root).
//
// The pair of tests/failover/one_armed_pair.h: route steering, BFD of 10 ms x 3, conntrack driver
// and netfilter minion, all of mimi in this process; 500 TCP connections through it, 2,500
// questions a second.
//
// failover.total_ms.<flows>       the primary forwards and sends nothing any more, its links stay up:
//                                 from then to the first answer through the minion, with so many flows
//                                 in the tables. 20 times each.
// failover.total_ms.slope         of the medians, per 100,000 flows
// failover.redirect_ms.route      in the runs with 1k flows: from the decision to that answer
// failover.redirect_ms.address    from the call of the steering to the first packet at the minion
// failover.planned_failed         connections lost in 20 planned diverts and 20 returns
// failover.false_alarms.bulk      while the process loads and audits 250,000 flows, and its file
//                                 store syncs each batch
// (failover.detect_ms, failover.false_alarms: bench/liveness.)

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "tests/failover/echo_load.h"
#include "tests/failover/one_armed_pair.h"

namespace mimi::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Connect;
using testing::EchoLoad;
using testing::NetNamespace;
using testing::OneArmedPair;

constexpr std::size_t kConnections = 500;

double MillisecondsBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Connections that were closed, or have no answer to any question from now on.
std::size_t Failed(OneArmedPair& pair, const EchoLoad& load) {
  const TimePoint from = Now();
  const TimePoint end = from + seconds(5);
  while (load.SilentSince(from) > 0 && Now() < end) {
    pair.RunOnce();
  }
  return load.broken() + load.SilentSince(from);
}

struct Times {
  std::vector<double> total, redirect;
};

Times BlackHoles(Bench& bench, std::size_t flows) {
  Times times;
  OneArmedPair pair({.flows = flows});
  EchoLoad load(pair.client(), pair.server(), kConnections);
  for (int round = 0; round < (bench.smoke() ? 1 : 20); ++round) {
    pair.Until("BFD and a ready minion", [&] {
      return pair.PrimaryIsUp() && pair.Ready(Side::kMinion) &&
             pair.rows(Side::kMinion) >= flows + kConnections;
    });
    pair.RunFor(milliseconds(300));
    const TimePoint fault = Now();
    pair.BlackHole(true);
    load.WaitAfter(Now());
    pair.Until("an answer through the minion", [&] { return load.answered(); });
    times.total.push_back(MillisecondsBetween(fault, load.first()));
    times.redirect.push_back(MillisecondsBetween(pair.decided(), load.first()));
    if (Failed(pair, load) != 0) {
      bench.Fail("failover: connections were lost with the primary");
    }
    pair.BlackHole(false);
    pair.Until("BFD", [&] { return pair.PrimaryIsUp(); });
    testing::Must(pair.Move(Side::kPrimary));
  }
  std::fprintf(stderr, "# %zu flows, liveness at %s\n", flows, pair.scheduling().c_str());
  return times;
}

void Total(Bench& bench) {
  std::vector<std::pair<double, double>> medians;  // flows, ms
  for (const std::size_t thousands : {1U, 10U, 100U, 250U}) {
    const std::string metric = "failover.total_ms." + std::to_string(thousands) + "k";
    const bool redirect = thousands == 1 && bench.Wants("failover.redirect_ms.route");
    if ((!bench.Wants(metric) && !redirect) || (bench.smoke() && thousands > 1)) {
      continue;
    }
    const Times times = BlackHoles(bench, thousands * 1000);
    medians.emplace_back(static_cast<double>(thousands) * 1000, MedianOf(times.total));
    bench.Report(metric, "ms", times.total);
    if (thousands == 1) {
      bench.Report("failover.redirect_ms.route", "ms", times.redirect);
    }
  }
  if (medians.size() == 4) {
    double x = 0, y = 0, xx = 0, xy = 0;
    for (const auto& [flows, ms] : medians) {
      x += flows / 4;
      y += ms / 4;
      xx += flows * flows / 4;
      xy += flows * ms / 4;
    }
    bench.Report("failover.total_ms.slope", "ms/100k flows", {1e5 * (xy - x * y) / (xx - x * x)});
  }
}

void Planned(Bench& bench) {
  if (!bench.Wants("failover.planned_failed")) {
    return;
  }
  OneArmedPair pair({.flows = 1000});
  EchoLoad load(pair.client(), pair.server(), kConnections);
  std::vector<double> took;
  std::size_t failed = 0;
  for (int round = 0; round < (bench.smoke() ? 1 : 20); ++round) {
    for (const Side to : {Side::kMinion, Side::kPrimary}) {
      const TimePoint asked = Now();
      testing::Must(pair.Move(to));
      took.push_back(MillisecondsBetween(asked, Now()));
      failed = std::max(failed, Failed(pair, load));
    }
  }
  bench.Report("failover.planned_failed", "1", {static_cast<double>(failed)});
  bench.Report("failover.planned_ms", "ms", took);
}

// A network of users with the primary, which is black-holed, and the minion.
void AddressRedirect(Bench& bench) {
  bench.Run("failover.redirect_ms.address", "ms", [] {
    NetNamespace network, user, primary, minion;
    network.Run("ip link add br0 type bridge; ip link set br0 up");
    int host = 1;
    for (const auto& [box, port] :
         {std::pair(&primary, "to_primary"), {&minion, "to_minion"}, {&user, "to_user"}}) {
      Connect(network, port, *box, "eth0");
      network.Run(std::string("ip link set ") + port + " master br0");
      box->Run("ip addr add 10.0.0." + std::to_string(host++) + "/24 dev eth0");
    }
    primary.Run("ip addr add 10.0.0.100/24 dev eth0");
    user.Run("ping -c 1 -w 5 -q 10.0.0.100");
    const auto open = [](const NetNamespace& where) {
      return UniqueFd(where.Inside([] { return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); }));
    };
    const UniqueFd sender = open(user);
    const UniqueFd receiver = open(minion);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(53);
    (void)bind(receiver.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at));
    at.sin_addr.s_addr = htonl(0x0a000064);
    std::unique_ptr<Loop> loop = *NewEpollLoop();
    std::unique_ptr<Steering> steering =
        *NewAddressSteering({.addresses = {{*Ip::Parse("10.0.0.100"), 24}},
                             .minion_interface = "eth0",
                             .network_namespace = minion.path()},
                            *loop);
    network.Run("ip link set to_primary down");
    const TimePoint begin = Now();
    steering->Divert([] { return true; }, [](const absl::Status&) {});
    char byte = 0;
    while (recv(receiver.get(), &byte, 1, 0) != 1 && SecondsSince(begin) < 5) {
      (void)sendto(sender.get(), &byte, 1, 0, reinterpret_cast<const sockaddr*>(&at), sizeof(at));
      loop->RunOnce();
    }
    return MillisecondsBetween(begin, Now());
  });
}

void Bulk(Bench& bench) {
  if (!bench.Wants("failover.false_alarms.bulk")) {
    return;
  }
  const std::size_t flows = bench.smoke() ? 1000 : 250'000;
  const TimePoint begin = Now();
  OneArmedPair pair({.flows = flows, .file_store = true});
  pair.Until("all rows", [&] { return pair.rows(Side::kMinion) >= flows; });
  for (int audit = 0; audit < (bench.smoke() ? 1 : 5); ++audit) {
    if (pair.Audit(Side::kMinion).differing() != 0) {
      bench.Fail("failover: the audit found differences");
    }
  }
  bench.Report("failover.false_alarms.bulk", "1", {static_cast<double>(pair.downs())});
  bench.Report("failover.false_alarms.bulk_seconds", "s", {SecondsSince(begin)});
}

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  if (const std::string why = mimi::testing::WhyNoNamespaces(); !why.empty()) {
    std::fprintf(stderr, "skipped: %s\n", why.c_str());
    return;
  }
  mimi::bench::Total(bench);
  mimi::bench::AddressRedirect(bench);
  mimi::bench::Planned(bench);
  mimi::bench::Bulk(bench);
}
