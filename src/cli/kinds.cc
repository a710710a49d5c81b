#include "src/cli/kinds.h"

namespace mimi::cli {
namespace {

using config::Kind;

constexpr Kind<StateStore> kStores[] = {
    {"memory", "in this process; nothing outlives it", ReadMemoryStore},
    {"file", "a directory of this host, for any number of processes", ReadFileStore},
};

constexpr Kind<Driver> kDrivers[] = {
    {"rows_file", "rows that stand in a file, as JSON", ReadRowsFileDriver},
};

constexpr Kind<Minion> kMinions[] = {
    {"table", "holds rows in memory and forwards nothing: to try things", ReadTableMinion},
};

constexpr Kind<FailoverPolicy> kPolicies[] = {
    {"immediate", "diverts as soon as the primary is down", ReadImmediatePolicy},
    {"damped", "with hysteresis and a flap limit", ReadDampedPolicy},
    {"manual", "never moves by itself", ReadManualPolicy},
};

}  // namespace

const config::Kinds& AllKinds() {
  static constexpr config::Kinds kKinds = {
      .stores = kStores,
      .drivers = kDrivers,
      .minions = kMinions,
      .policies = kPolicies,
      .liveness = {},
      .beacons = {},
      .steerings = {},
  };
  return kKinds;
}

}  // namespace mimi::cli
