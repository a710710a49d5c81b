// mimi run, mimi check.

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/cli/commands.h"
#include "src/cli/kinds.h"
#include "src/cli/process.h"
#include "src/cli/runtime_directory.h"
#include "src/cli/terminal.h"
#include "src/config/config.h"
#include "src/service/json_writer.h"

namespace mimi::cli {
namespace {

using config::Config;
using config::Part;
using config::Role;

absl::StatusOr<Config> Load(const RunOptions& options) {
  std::string text;
  if (const absl::Status read = ReadWholeFile(options.config, &text); !read.ok()) {
    return read;
  }
  config::Roles roles = 0;
  for (const std::string& word : options.roles) {
    const std::optional<Role> role = config::RoleNamed(word);
    if (!role) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "--role {}: expected driver, minion or manager", word);
    }
    roles = static_cast<config::Roles>(roles | static_cast<config::Roles>(*role));
  }
  return ReadConfig(text, options.config, AllKinds(), roles);
}

/// A right that a line of the configuration needs.
struct NeededRight {
  std::size_t line = 0;
  std::string path;
  std::string kind;
  config::Need need;
  bool here = false;  ///< a role of this process needs it
};

class Rights {
 public:
  explicit Rights(const Config& config) {
    const auto box = [&](const config::BoxConfig& parts, Role role) {
      const bool here = Has(config.roles, role);
      Add(parts.drivers, here);
      Add(parts.minions, here);
      Add(parts.beacons, here);
    };
    box(config.primary, Role::kDriver);
    box(config.minion, Role::kMinion);
    if (config.manager) {
      const bool here = Has(config.roles, Role::kManager);
      Add(config.manager->liveness, here);
      if (config.manager->steering) {
        AddOne(*config.manager->steering, here);
      }
      if (!config.manager->liveness.empty() && config.liveness_priority > 0) {
        needed_.push_back({config.manager->liveness.front().place.line,
                           "manager",
                           "liveness_priority",
                           {"CAP_SYS_NICE",
                            "real-time priority for liveness; without it detection "
                            "is late under load (not required)"},
                           here});
      }
    }
    std::ranges::stable_sort(needed_, {}, &NeededRight::line);
  }
  const std::vector<NeededRight>& needed() const { return needed_; }
  std::string Here() const {
    std::set<std::string> rights;
    for (const NeededRight& right : needed_) {
      if (right.here) {
        rights.insert(right.need.right);
      }
    }
    std::string text;
    for (const std::string& right : rights) {
      text += (text.empty() ? "" : " ") + right;
    }
    return text;
  }

 private:
  template <class T>
  void AddOne(const Part<T>& part, bool here) {
    for (const config::Need& need : part.needs) {
      needed_.push_back({part.place.line, part.path, part.kind, need, here});
    }
  }
  template <class T>
  void Add(const std::vector<Part<T>>& parts, bool here) {
    for (const Part<T>& part : parts) {
      AddOne(part, here);
    }
  }
  std::vector<NeededRight> needed_;
};

void PrintCheck(const Config& config) {
  Print(fmt::format("{}: good. Pair \"{}\"; this process runs {} of {}\n", config.file, config.pair,
                    config::RolesText(config.roles), config::RolesText(config.configured)));
  Print(fmt::format("  store           {}\n", config.store_url));
  Print(fmt::format("  control socket  {}\n", SocketPath(config)));
  if (config.http.listen) {
    Print(fmt::format("  http            {}{}\n", config::FormatEndpoint(*config.http.listen),
                      config.http.token_file.empty() ? " (read-only)" : " (moves with a token)"));
  }
  const Rights rights(config);
  if (rights.needed().empty()) {
    Print("  rights          none\n");
    return;
  }
  for (const NeededRight& right : rights.needed()) {
    Print(fmt::format("  line {:<4} [{}] {}: {} {}{}\n", right.line, right.path, right.kind,
                      right.need.right, right.need.why, right.here ? "" : "; not in this process"));
  }
  Print(fmt::format("  systemd         AmbientCapabilities={}\n", rights.Here()));
}

void PrintCheckJson(const Config& config) {
  service::JsonWriter json;
  json.BeginObject().Key("file").Text(config.file).Key("pair").Text(config.pair);
  json.Key("roles").Text(config::RolesText(config.roles));
  json.Key("store").Text(config.store_url);
  json.Key("socket").Text(SocketPath(config));
  json.Key("needs").BeginList();
  const Rights rights(config);
  for (const NeededRight& right : rights.needed()) {
    json.BeginObject().Key("line").Number(right.line).Key("section").Text(right.path);
    json.Key("kind").Text(right.kind).Key("right").Text(right.need.right);
    json.Key("why").Text(right.need.why).Key("here").Bool(right.here).EndObject();
  }
  Print(json.EndList().EndObject().Take() + "\n");
}

}  // namespace

int RunCommand(const RunOptions& options) {
  absl::StatusOr<Config> config = Load(options);
  if (!config.ok()) {
    PrintError(Message(config.status()));
    return kUsage;
  }
  if (!options.log_level.empty()) {
    for (const LogLevel level :
         {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
      if (LogLevelName(level) == options.log_level) {
        config->log.level = level;
      }
    }
  }
  BlockSignals();
  absl::StatusOr<std::unique_ptr<Process>> process =
      Process::New(*config, StandardErrorLog(config->log.level));
  if (!process.ok()) {
    return Fail(process.status());
  }
  const absl::Status ran = (*process)->Run();
  process->reset();
  return ran.ok() ? kDone : Fail(ran);
}

int CheckCommand(const RunOptions& options, bool json) {
  const absl::StatusOr<Config> config = Load(options);
  if (!config.ok()) {
    PrintError(Message(config.status()));
    return kUsage;
  }
  json ? PrintCheckJson(*config) : PrintCheck(*config);
  return kDone;
}

}  // namespace mimi::cli
