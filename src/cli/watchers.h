#ifndef MIMI_SRC_CLI_WATCHERS_H_
#define MIMI_SRC_CLI_WATCHERS_H_

// Watchers: the liveness of a process, on a loop and thread of its own; and the beacons by which
// it says that it is alive itself.
//
// Threads: the loop thread; metrics() and scheduling() any.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/engine.h"
#include "mimi/metrics.h"

#include "src/cli/parts.h"
#include "src/config/config.h"

namespace mimi::cli {

class Watchers {
 public:
  virtual ~Watchers() = default;
  virtual absl::Status Start() = 0;
  virtual MetricList metrics() const = 0;
  virtual std::string scheduling() const = 0;
};

/// Null when nothing is to be watched. Lifetime: parts, engine and loop outlive it.
absl::StatusOr<std::unique_ptr<Watchers>> MakeWatchers(const config::Config& config, Loop& loop,
                                                       const Parts& parts, Engine& engine,
                                                       const LogCallback& log);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_WATCHERS_H_
