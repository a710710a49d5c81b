#ifndef MIMI_SRC_MINION_NETFILTER_STANDBY_H_
#define MIMI_SRC_MINION_NETFILTER_STANDBY_H_

// Standby: the rules and sysctls that a namespace needs before it can hold another box's flows, and
// the way back. What and why: mimi/builtin/netfilter_minion.h.
//
// Threads: any; everything here blocks for the disc and for a child `nft`.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/netfilter_minion.h"

#include "src/io/network_namespace.h"

namespace mimi::internal {

/// InvalidArgument that names the option, or OK.
absl::Status CheckStandbyOptions(const NetfilterMinionOptions& options);

/// The table's name and the text that makes it, replacing what has its name.
std::string StandbyTable(const NetfilterMinionOptions& options);
std::string StandbyRules(const NetfilterMinionOptions& options);

/// Idempotent. Saves what it is about to change first.
absl::Status MakeStandby(const NetfilterMinionOptions& options, const NetworkNamespace& inside);

absl::StatusOr<std::vector<NetfilterCheck>> CheckStandby(const NetfilterMinionOptions& options,
                                                         const NetworkNamespace& inside);

/// Errors: NotFound (nothing is saved).
absl::Status UndoStandby(const NetfilterMinionOptions& options, const NetworkNamespace& inside);

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_STANDBY_H_
