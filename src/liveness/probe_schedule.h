#ifndef MIMI_SRC_LIVENESS_PROBE_SCHEDULE_H_
#define MIMI_SRC_LIVENESS_PROBE_SCHEDULE_H_

/// \file
/// ProbeSchedule: when to probe, when to give a probe up, and what its results mean.
///
/// Threads: one at a time.

#include <optional>
#include <string>
#include <string_view>

#include "mimi/liveness.h"
#include "mimi/types.h"

namespace mimi::internal {

struct ProbeActions {
  bool abandon = false;  ///< the probe under way has taken too long: end it
  bool begin = false;    ///< begin a new one, after that
  struct Change {
    bool up = false;
    std::string reason;
  };
  std::optional<Change> change;
};

class ProbeSchedule {
 public:
  struct Config {
    Duration interval{};
    Duration timeout{};  ///< at most the interval
    int fall = 3;
    int rise = 2;
  };
  ProbeSchedule(const Config& config, MonotonicTime now) : config_(config), next_(now) {}

  ProbeActions Tick(MonotonicTime now);
  /// The probe under way ended. `reason`: why it failed, or what it saw. Without a time: an answer
  /// that lay in the socket while we were away came in time, as far as anybody can tell.
  ProbeActions OnResult(bool success, std::string_view reason);
  MonotonicTime NextDeadline() const;

 private:
  void Count(bool success, std::string_view reason, ProbeActions* actions);

  const Config config_;
  MonotonicTime next_;
  std::optional<MonotonicTime> deadline_;  // of the probe under way
  Health health_ = Health::kUnknown;
  bool last_ = false;
  int in_a_row_ = 0;  // results like the last
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_PROBE_SCHEDULE_H_
