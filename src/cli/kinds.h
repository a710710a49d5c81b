#ifndef MIMI_SRC_CLI_KINDS_H_
#define MIMI_SRC_CLI_KINDS_H_

// Every back end that the program knows: the only place that names them all.
//
// To add one:
//   1. write src/cli/kinds/<name>.cc with one function that reads its section of the configuration
//      into the options of its header in include/mimi/builtin/, and answers with how to build it
//      (src/config/kinds.h says what such a function looks like; kinds/rows_file.cc is the shortest
//      example, kinds/steerings.cc has options of every sort);
//   2. declare it below, and give it a line in the table of kinds.cc;
//   3. name the file and the room that it builds in CMakeLists.txt here;
//   4. document its keys in docs/configuration.md.
//
// A back end behind a CMake option keeps its line without the option, with a null reader and a
// summary that says which option brings it.
//
// Threads: any.

#include <optional>

#include "mimi/builtin/translating_minion.h"

#include "src/config/kinds.h"

namespace mimi::cli {

const config::Kinds& AllKinds();

// kinds/stores.cc
config::Build<StateStore> ReadMemoryStore(config::Section& section, config::ReadContext& context);
config::Build<StateStore> ReadFileStore(config::Section& section, config::ReadContext& context);

// kinds/redis.cc
config::Build<StateStore> ReadRedisStore(config::Section& section, config::ReadContext& context);

// kinds/rows_file.cc
config::Build<Driver> ReadRowsFileDriver(config::Section& section, config::ReadContext& context);

// kinds/conntrack.cc
config::Build<Driver> ReadConntrackDriver(config::Section& section, config::ReadContext& context);

// kinds/nflog.cc
config::Build<Driver> ReadNflogDriver(config::Section& section, config::ReadContext& context);

// kinds/syslog.cc
config::Build<Driver> ReadSyslogDriver(config::Section& section, config::ReadContext& context);

// kinds/table.cc
config::Build<Minion> ReadTableMinion(config::Section& section, config::ReadContext& context);

// kinds/translation.cc: [minion.flow], for minions of mimi.flow; nothing when the table is
// mimi.flow and there is no such section.
std::optional<FlowTranslation> ReadFlowTranslation(config::Section& section,
                                                   const StateSchema& table);

// kinds/netfilter.cc
config::Build<Minion> ReadNetfilterMinion(config::Section& section, config::ReadContext& context);

// kinds/policies.cc
config::Build<FailoverPolicy> ReadImmediatePolicy(config::Section& section,
                                                  config::ReadContext& context);
config::Build<FailoverPolicy> ReadDampedPolicy(config::Section& section,
                                               config::ReadContext& context);
config::Build<FailoverPolicy> ReadManualPolicy(config::Section& section,
                                               config::ReadContext& context);

// kinds/liveness.cc
config::Build<Liveness> ReadBfd(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadHeartbeat(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadTcpProbe(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadHttpProbe(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadIcmpProbe(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadTraffic(config::Section& section, config::ReadContext& context);
config::Build<Liveness> ReadBeacon(config::Section& section, config::ReadContext& context);

// kinds/steerings.cc
config::Build<Steering> ReadRouteSteering(config::Section& section, config::ReadContext& context);
config::Build<Steering> ReadAddressSteering(config::Section& section, config::ReadContext& context);
config::Build<Steering> ReadCommandSteering(config::Section& section, config::ReadContext& context);
config::Build<Steering> ReadPassiveSteering(config::Section& section, config::ReadContext& context);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_KINDS_H_
