// [primary.driver] kind = "syslog".

#include <string>
#include <string_view>
#include <vector>

#include "mimi/builtin/syslog_driver.h"

#include "src/base/status.h"
#include "src/cli/kinds.h"

namespace mimi::cli {
namespace {

// "udp:*:514", "tcp:[2001:db8::1]:601"
bool ReadListener(std::string_view text, SyslogListener* listener) {
  if (text.starts_with("tcp:")) {
    listener->transport = SyslogTransport::kTcp;
  } else if (!text.starts_with("udp:")) {
    return false;
  }
  const std::optional<config::Endpoint> endpoint = config::ParseEndpoint(text.substr(4));
  if (endpoint) {
    listener->address = endpoint->address.ToString();
    listener->port = endpoint->port;
  }
  return endpoint.has_value();
}

}  // namespace

config::Build<Driver> ReadSyslogDriver(config::Section& section, config::ReadContext& context) {
  SyslogDriverOptions options;
  options.schema = context.ReadTable(section);
  std::vector<std::string> listen;
  if (section.Read("listen", &listen)) {
    options.listen.clear();
    for (const std::string& text : listen) {
      if (!ReadListener(text, &options.listen.emplace_back())) {
        section.Refuse("listen", "expected \"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\", got \"" +
                                     text + "\"");
      }
    }
  }
  for (const SyslogListener& listener : options.listen) {
    if (listener.port != 0 && listener.port < 1024) {
      context.Needs("CAP_NET_BIND_SERVICE", "to listen on a port below 1024");
      break;
    }
  }
  section.Require("allow", "who may send");
  section.Read("allow", &options.allow);
  section.Read("packs", &options.packs);
  section.Read("rules", &options.rule_files);
  for (std::string& path : options.rule_files) {
    path = context.Path(path);
  }
  section.Read("pack_directory", &options.pack_directory);
  options.pack_directory = context.Path(options.pack_directory);
  section.Read("idle_timeout", &options.idle_timeout);
  section.ReadSize("receive_buffer", &options.receive_buffer, 4096);
  section.ReadSize("max_line", &options.max_line, 480);
  section.Read("max_connections", &options.max_connections, std::size_t{1}, std::size_t{65536});
  if (const absl::Status right = CheckSyslogOptions(options); !right.ok()) {
    section.Refuse(
        absl::IsInvalidArgument(right) && Message(right).starts_with("allow") ? "allow" : "packs",
        Message(right));
  }
  return [options](config::BuildContext& build) -> absl::StatusOr<config::Made<Driver>> {
    absl::StatusOr<std::unique_ptr<SyslogDriver>> driver = NewSyslogDriver(options, build.loop);
    if (!driver.ok()) {
      return driver.status();
    }
    SyslogDriver& made = **driver;
    config::Made<Driver> answer(*std::move(driver));
    answer.reload = [&made] {
      return made.ReloadRules();
    };
    return answer;
  };
}

}  // namespace mimi::cli
