// [primary.driver] kind = "nflog".

#include "mimi/builtin/nflog_driver.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

config::Build<Driver> ReadNflogDriver(config::Section& section, config::ReadContext& context) {
  NflogDriverOptions options;
  section.Read("namespace", &options.network_namespace);
  section.Read("group", &options.group);
  if (std::uint16_t group = 0; section.Read("translated_group", &group)) {
    options.translated_group = group;
  }
  section.Read("join_within", &options.join_within);
  section.Read("max_waiting", &options.max_waiting, std::size_t{1});
  section.Read("tcp_idle_timeout", &options.tcp_idle_timeout);
  section.Read("idle_timeout", &options.idle_timeout);
  section.Read("threshold", &options.threshold, 1U);
  section.Read("flush", &options.flush);
  section.ReadSize("receive_buffer", &options.receive_buffer, 1);
  context.Needs("CAP_NET_ADMIN", "to be sent the packets that rules log");
  if (!options.network_namespace.empty()) {
    context.Needs("CAP_SYS_ADMIN", "to enter another network namespace");
  }
  return [options](config::BuildContext& build) {
    NflogDriverOptions made = options;
    made.log = build.log;
    return config::MadeFrom(NewNflogDriver(made, build.loop));
  };
}

}  // namespace mimi::cli
