#ifndef MIMI_SRC_CLI_PARTS_H_
#define MIMI_SRC_CLI_PARTS_H_

// Parts: what a configuration's roles need, built, and owned in the order in which it must go.
//
// Threads: the loop thread only. Lifetime: the loop outlives it; it outlives the engine.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/engine.h"

#include "src/config/config.h"

namespace mimi::cli {

struct Parts {
  std::vector<std::shared_ptr<void>> bases;  ///< below the parts
  std::unique_ptr<StateStore> store;
  std::vector<std::unique_ptr<Minion>> minions;
  std::vector<std::unique_ptr<Driver>> drivers;
  std::unique_ptr<FailoverPolicy> policy;
  std::unique_ptr<Steering> steering;
  std::vector<std::function<absl::Status()>> reloads;
  std::vector<StateSchema> tables;  ///< each once, in the order of the parts

  /// Of everything that serves a box here.
  bool well() const;
};

/// Fills `parts` and `options` but for what liveness needs. Errors: those of the factories, with
/// "file:line:column: section" in front.
absl::Status BuildParts(const config::Config& config, Loop& loop, const LogCallback& log,
                        Parts* parts, EngineOptions* options);

/// An error of a part with its place in the configuration.
absl::Status AtPlace(const config::Config& config, const internal::Place& place,
                     std::string_view path, const absl::Status& status);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_PARTS_H_
