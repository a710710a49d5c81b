// [minion] kind = "netfilter".

#include <filesystem>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/cli/kinds.h"
#include "src/cli/netfilter_options.h"

namespace mimi::cli {

NetfilterMinionOptions ReadNetfilterOptions(config::Section& section,
                                            config::ReadContext& context) {
  NetfilterMinionOptions options;
  options.pair = context.pair;
  section.Read("namespace", &options.network_namespace);
  section.Read("state_directory", &options.state_directory);
  options.state_directory =
      std::filesystem::absolute(context.Path(options.state_directory)).lexically_normal();
  section.Read("interfaces", &options.interfaces);
  section.Read("closing_mark", &options.closing_mark);
  section.Read("standby_timeout", &options.standby_timeout);
  section.Read("closing_timeout", &options.closing_timeout);
  section.Read("max_rows", &options.max_rows);
  section.Read("reserve_percent", &options.reserve_percent, 0U, 90U);
  section.ReadSize("max_waiting", &options.max_waiting_bytes, 65536);
  section.Read("nft", &options.nft_program);
  context.Needs("CAP_NET_ADMIN", "to write conntrack entries, rules and sysctls");
  if (!options.network_namespace.empty()) {
    context.Needs("CAP_SYS_ADMIN", "to enter another network namespace");
  }
  return options;
}

config::Build<Minion> ReadNetfilterMinion(config::Section& section, config::ReadContext& context) {
  const NetfilterMinionOptions options = ReadNetfilterOptions(section, context);
  const StateSchema table = context.ReadTable(section);
  const std::optional<FlowTranslation> translation = ReadFlowTranslation(section, table);
  return [options, table,
          translation](config::BuildContext& build) -> absl::StatusOr<config::Made<Minion>> {
    NetfilterMinionOptions made = options;
    made.node = build.node;
    made.log = build.log;
    absl::StatusOr<std::unique_ptr<NetfilterMinion>> minion = NewNetfilterMinion(made, build.loop);
    if (!minion.ok()) {
      return minion.status();
    }
    if (!translation) {
      return config::Made<Minion>(*std::move(minion));
    }
    return config::MadeFrom(NewTranslatingMinion(table, *translation, *std::move(minion)));
  };
}

}  // namespace mimi::cli
