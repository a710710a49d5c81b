#include "src/cli/watchers.h"

#include "src/base/status.h"

namespace mimi::cli {

absl::StatusOr<std::unique_ptr<Watchers>> MakeWatchers(const config::Config& config, Loop& /*loop*/,
                                                       const Parts& /*parts*/, Engine& /*engine*/,
                                                       const LogCallback& /*log*/) {
  const bool none = (!config.manager || config.manager->liveness.empty()) &&
                    config.primary.beacons.empty() && config.minion.beacons.empty();
  if (!none) {
    return Error(absl::StatusCode::kUnimplemented, "built without liveness");
  }
  return std::unique_ptr<Watchers>();
}

}  // namespace mimi::cli
