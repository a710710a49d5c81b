// mimi minion remove PAIR.

#include <filesystem>

#include <fmt/core.h>

#include "src/cli/commands.h"
#include "src/cli/control_client.h"
#include "src/cli/terminal.h"

#if MIMI_CLI_NETFILTER
#include "mimi/builtin/conntrack_driver.h"
#include "mimi/builtin/netfilter_minion.h"
#endif

namespace mimi::cli {

int MinionRemoveCommand(const MinionRemoveOptions& options) {
#if MIMI_CLI_NETFILTER
  // Whoever runs the minion would put back at once what is taken away here.
  if (FindProcess(options.pair, options.socket, Wanted::kSink).ok()) {
    PrintError(
        fmt::format("mimi: a process of pair \"{}\" runs here: stop it first", options.pair));
    return kFailed;
  }
  NetfilterMinionOptions minion;
  minion.pair = options.pair;
  minion.log = StandardErrorLog(LogLevel::kInfo);
  if (!options.network_namespace.empty()) {
    minion.network_namespace = options.network_namespace;
  }
  if (!options.state_directory.empty()) {
    minion.state_directory = std::filesystem::absolute(options.state_directory).lexically_normal();
  }
  const absl::Status removed = RemoveNetfilterMinion(minion, options.force);
  if (!removed.ok() && !absl::IsNotFound(removed)) {
    return Fail(removed);
  }
  // A box may have had a driver alone, or none.
  const absl::Status rules =
      RemoveConntrackDriver({.pair = options.pair, .network_namespace = minion.network_namespace});
  if (!rules.ok() && (!absl::IsNotFound(rules) || !removed.ok())) {
    return Fail(removed.ok() ? rules : removed);
  }
  Print(fmt::format("{}: removed; this host is as it was before\n", options.pair));
  return kDone;
#else
  PrintError(fmt::format("mimi: {}: built without MIMI_WITH_NETFILTER", options.pair));
  return kFailed;
#endif
}

}  // namespace mimi::cli
