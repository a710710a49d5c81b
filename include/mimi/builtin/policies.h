#ifndef MIMI_BUILTIN_POLICIES_H_
#define MIMI_BUILTIN_POLICIES_H_

/// \file
/// The policies that come with the library (failover.h says what a policy is).
///
/// All of them leave a dead box for one that is usable: the primary for the minion, and also,
/// whether `restore` is on or not, a dead minion for a primary that is not known to be down.
///
/// Threads: pure; any.

#include <memory>

#include "absl/status/statusor.h"

#include "mimi/failover.h"

namespace mimi {

struct ImmediatePolicyOptions {
  /// Divert only to a `ready` minion, even away from a dead primary: an outage is preferred to a
  /// wrong answer.
  bool require_ready = false;
  /// Restore by itself when the primary is up and has caught up. Off: an operator restores.
  bool restore = false;
};
/// Diverts as soon as the primary is down.
std::unique_ptr<FailoverPolicy> NewImmediatePolicy(const ImmediatePolicyOptions& options = {});

struct DampedPolicyOptions {
  bool require_ready = false;
  bool restore = true;
  Duration down_for =
      std::chrono::milliseconds(0);  ///< the primary must be down this long before a divert
  Duration up_for = std::chrono::seconds(30);         ///< … and up this long before a restore
  Duration between_moves = std::chrono::seconds(10);  ///< the least time between two moves
  int max_moves = 4;  ///< flap limit: this many moves that succeeded, within …
  Duration within = std::chrono::minutes(
      10);  ///< … this time, then it stays until an operator moves, or time passes
};
/// Immediate with hysteresis and a flap limit. Errors: InvalidArgument (a negative time, max_moves
/// outside 1..16).
absl::StatusOr<std::unique_ptr<FailoverPolicy>> NewDampedPolicy(
    const DampedPolicyOptions& options = {});

/// Never moves by itself; its reasons say what it would do.
std::unique_ptr<FailoverPolicy> NewManualPolicy();

}  // namespace mimi

#endif  // MIMI_BUILTIN_POLICIES_H_
