#ifndef MIMI_SRC_DRIVER_SYSLOG_PREPARE_H_
#define MIMI_SRC_DRIVER_SYSLOG_PREPARE_H_

// What a syslog driver is made of, out of its options: everything that can be wrong with them shows
// here.
//
// Threads: any.

#include <memory>

#include "absl/status/statusor.h"

#include "mimi/builtin/syslog_driver.h"

#include "src/driver/syslog/senders.h"
#include "src/rules/rule_set.h"

namespace mimi::internal {

struct SyslogParts {
  AllowList allow;
  std::shared_ptr<const rules::RuleSet> rules;
};

absl::StatusOr<std::shared_ptr<const rules::RuleSet>> LoadLogRules(
    const SyslogDriverOptions& options);
absl::StatusOr<SyslogParts> PrepareSyslog(const SyslogDriverOptions& options);

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_SYSLOG_PREPARE_H_
