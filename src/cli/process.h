#ifndef MIMI_SRC_CLI_PROCESS_H_
#define MIMI_SRC_CLI_PROCESS_H_

// Process: `mimi run`: the parts that a configuration asks for, put together on one loop, with
// liveness on a loop and thread of its own.
//
// Threads: the thread that makes it. REQUIRES: the signals of BlockSignals() are blocked before any
// thread is started.

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/log.h"

#include "src/config/config.h"

namespace mimi::cli {

/// SIGTERM, SIGINT and SIGHUP come through a descriptor from now on; SIGPIPE is ignored.
void BlockSignals();

class Process {
 public:
  virtual ~Process() = default;
  /// Until SIGTERM or SIGINT; a second one does not wait for the drain. OK: everything accepted was
  /// confirmed.
  virtual absl::Status Run() = 0;

  /// Errors: those of the parts, in front of them file, line and section.
  static absl::StatusOr<std::unique_ptr<Process>> New(const config::Config& config,
                                                      LogCallback log);
};

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_PROCESS_H_
