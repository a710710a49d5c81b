#include "src/cli/kinds.h"

namespace mimi::cli {
namespace {

using config::Kind;

constexpr Kind<StateStore> kStores[] = {
    {"memory", "in this process; nothing outlives it", ReadMemoryStore},
    {"file", "a directory of this host, for any number of processes", ReadFileStore},
#if MIMI_CLI_REDIS
    {"redis", "a Redis server, by TCP", ReadRedisStore},
    {"rediss", "a Redis server, by TLS", ReadRedisStore},
    {"unix", "a Redis server of this host, by its socket", ReadRedisStore},
    {"redis-sentinel", "Redis servers that Sentinel watches", ReadRedisStore},
    {"rediss-sentinel", "the same by TLS", ReadRedisStore},
    {"redis-cluster", "a Redis Cluster", ReadRedisStore},
    {"rediss-cluster", "the same by TLS", ReadRedisStore},
#else
    {"redis", "built without MIMI_WITH_REDIS", nullptr},
    {"rediss", "built without MIMI_WITH_REDIS", nullptr},
    {"unix", "built without MIMI_WITH_REDIS", nullptr},
    {"redis-sentinel", "built without MIMI_WITH_REDIS", nullptr},
    {"rediss-sentinel", "built without MIMI_WITH_REDIS", nullptr},
    {"redis-cluster", "built without MIMI_WITH_REDIS", nullptr},
    {"rediss-cluster", "built without MIMI_WITH_REDIS", nullptr},
#endif
};

constexpr Kind<Driver> kDrivers[] = {
#if MIMI_CLI_NETFILTER
    {"conntrack", "the Linux kernel's connection tracking", ReadConntrackDriver},
    {"nflog", "packets that a Linux box's rules log", ReadNflogDriver},
#else
    {"conntrack", "built without MIMI_WITH_NETFILTER", nullptr},
    {"nflog", "built without MIMI_WITH_NETFILTER", nullptr},
#endif
    {"rows_file", "rows that stand in a file, as JSON", ReadRowsFileDriver},
    {"syslog", "what the box logs, read by rules", ReadSyslogDriver},
};

constexpr Kind<Minion> kMinions[] = {
#if MIMI_CLI_NETFILTER
    {"netfilter", "the Linux kernel's connection tracking", ReadNetfilterMinion},
#else
    {"netfilter", "built without MIMI_WITH_NETFILTER", nullptr},
#endif
    {"table", "holds rows in memory and forwards nothing: to try things", ReadTableMinion},
};

constexpr Kind<FailoverPolicy> kPolicies[] = {
    {"immediate", "diverts as soon as the primary is down", ReadImmediatePolicy},
    {"damped", "with hysteresis and a flap limit", ReadDampedPolicy},
    {"manual", "never moves by itself", ReadManualPolicy},
};

constexpr Kind<Liveness> kLiveness[] = {
    {"bfd", "RFC 5880/5881, single hop", ReadBfd},
    {"heartbeat", "authenticated beats of a beacon beside the box", ReadHeartbeat},
    {"tcp", "connects to a service through the box", ReadTcpProbe},
    {"http", "asks a service through the box", ReadHttpProbe},
    {"icmp", "pings through the box", ReadIcmpProbe},
    {"traffic", "packets go into the box: do any come out?", ReadTraffic},
};

constexpr Kind<Liveness> kBeacons[] = {
    {"heartbeat", "says that this box is alive", ReadBeacon},
};

#if MIMI_CLI_STEERING
constexpr Kind<Steering> kSteerings[] = {
    {"route", "replaces routes or a next hop of this host", ReadRouteSteering},
    {"address", "moves addresses to this host and announces them", ReadAddressSteering},
    {"command", "programs of yours", ReadCommandSteering},
    {"passive", "the network moves traffic by itself", ReadPassiveSteering},
};
#else  // src/steering is not in this build
constexpr std::span<const Kind<Steering>> kSteerings;
#endif

}  // namespace

const config::Kinds& AllKinds() {
  static constexpr config::Kinds kKinds = {
      .stores = kStores,
      .drivers = kDrivers,
      .minions = kMinions,
      .policies = kPolicies,
      .liveness = kLiveness,
      .beacons = kBeacons,
      .steerings = kSteerings,
  };
  return kKinds;
}

}  // namespace mimi::cli
