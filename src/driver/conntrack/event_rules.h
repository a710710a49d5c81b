#ifndef MIMI_SRC_DRIVER_CONNTRACK_EVENT_RULES_H_
#define MIMI_SRC_DRIVER_CONNTRACK_EVENT_RULES_H_

// What a conntrack driver tells the kernel: rules that choose the events of each connection, and a
// filter in front of the socket that they come to.
//
// Threads: any; what takes a namespace blocks for a child `nft`.

#include <linux/filter.h>

#include <span>
#include <string>

#include "absl/status/status.h"

#include "mimi/builtin/conntrack_driver.h"

#include "src/io/network_namespace.h"

namespace mimi::internal {

absl::Status CheckConntrackOptions(const ConntrackDriverOptions& options);

/// `nft -f -` of the whole table.
std::string EventRules(const ConntrackDriverOptions& options);

absl::Status SetEventRules(const ConntrackDriverOptions& options, const NetworkNamespace& inside);
/// Errors: FailedPrecondition, NotFound (there is no such table).
absl::Status RemoveEventRules(const ConntrackDriverOptions& options,
                              const NetworkNamespace& inside);

/// Lets through what traffic and timers cause, and every end; what programs put into the table or
/// change there never reaches the socket.
std::span<const sock_filter> EventFilter();

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_CONNTRACK_EVENT_RULES_H_
