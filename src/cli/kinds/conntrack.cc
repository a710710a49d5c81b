// [primary.driver] kind = "conntrack".

#include "mimi/builtin/conntrack_driver.h"
#include "mimi/builtin/netfilter_minion.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

config::Build<Driver> ReadConntrackDriver(config::Section& section, config::ReadContext& context) {
  ConntrackDriverOptions options;
  options.pair = context.pair;
  constexpr config::Choice<ConntrackLatency> kLatencies[] = {{"normal", ConntrackLatency::kNormal},
                                                             {"low", ConntrackLatency::kLow}};
  section.Read("namespace", &options.network_namespace);
  section.Read("latency", &options.latency,
               std::span<const config::Choice<ConntrackLatency>>(kLatencies));
  section.ReadSize("receive_buffer", &options.receive_buffer, 1);
  section.Read("closing_mark", &options.closing_mark);
  section.Read("unanswered", &options.unanswered);
  section.Read("check_every", &options.check_every);
  section.Read("nft", &options.nft_program);
  context.Needs("CAP_NET_ADMIN", "to read conntrack events and to choose which are made");
  if (!options.network_namespace.empty()) {
    context.Needs("CAP_SYS_ADMIN", "to enter another network namespace");
  }
  return [options](config::BuildContext& build) {
    ConntrackDriverOptions made = options;
    made.log = build.log;
    for (const Minion* minion : build.minions) {
      if (const auto* netfilter = dynamic_cast<const NetfilterMinion*>(minion)) {
        made.echo_ports.push_back(netfilter->port_id());
      }
    }
    return config::MadeFrom(NewConntrackDriver(made, build.loop));
  };
}

}  // namespace mimi::cli
