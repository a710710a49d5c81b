#ifndef MIMI_SRC_CONFIG_CONFIG_H_
#define MIMI_SRC_CONFIG_CONFIG_H_

// Config: what one TOML file says of a pair, checked and ready to be built.
//
//   absl::StatusOr<Config> config = ReadConfig(text, "edge1.toml", AllKinds(), {});
//
// One file may be the same on every host of the pair: `roles` says which parts a process runs.
// Everything has a default but the names of things; docs/configuration.md is the manual.
//
// Threads: values; any.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/engine.h"

#include "src/config/kinds.h"

namespace mimi::config {

enum class Role : std::uint8_t {
  kDriver = 1,   ///< what stands below [primary]
  kMinion = 2,   ///< what stands below [minion]
  kManager = 4,  ///< [manager], [[liveness]], [steering]
};
using Roles = std::uint8_t;
inline bool Has(Roles roles, Role role) {
  return (roles & static_cast<Roles>(role)) != 0;
}
/// "driver", "minion", "manager".
std::string_view RoleName(Role role);
std::optional<Role> RoleNamed(std::string_view name);
/// "driver+manager".
std::string RolesText(Roles roles);
inline constexpr Role kAllRoles[] = {Role::kDriver, Role::kMinion, Role::kManager};

struct BoxConfig {
  std::string node;
  std::vector<Part<Driver>> drivers;
  std::vector<Part<Minion>> minions;
  std::vector<Part<Liveness>> beacons;  ///< they speak for this box, and report nothing
};

struct ManagerConfig {
  /// Policy, steering and liveness are not set: they are parts.
  ManagerOptions options;
  Part<FailoverPolicy> policy;
  std::optional<Part<Steering>> steering;
  std::vector<Part<Liveness>> liveness;
  /// How many of those that watch one box have to say down; 0: all.
  int down_when = 1;
};

struct ControlConfig {
  std::string socket;  ///< empty: the default for pair and roles
  std::string group;   ///< may use the socket too (0660); empty: the owner only (0600)
};

struct HttpConfig {
  std::optional<Endpoint> listen;
  std::string token_file;  ///< without one, HTTP only reads
};

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  std::string events;  ///< file of JSON lines; empty: none
};

struct Config {
  std::string file;
  std::string pair;
  Roles configured = 0;  ///< every role that the file describes
  Roles roles = 0;       ///< those that this process runs
  std::vector<StateSchema> schemas;
  Part<StateStore> store;
  std::string store_url;  ///< without a password
  BoxConfig primary;
  BoxConfig minion;
  std::optional<ManagerConfig> manager;
  /// Numbers only; store, boxes and manager are not set.
  EngineOptions engine;
  ControlConfig control;
  HttpConfig http;
  LogConfig log;
  Duration stop_timeout = std::chrono::seconds(5);
  int liveness_priority = 20;  ///< SCHED_FIFO; 0: none asked for
};

/// `roles` of the command line win over those of the file; 0: none given.
/// Errors: InvalidArgument, "file:line:column: path: what" for each mistake on a line of its own.
absl::StatusOr<Config> ReadConfig(std::string_view text, std::string_view file, const Kinds& kinds,
                                  Roles roles = 0);

/// The store of a URL alone, with every option at its default but these flags; those that its kind
/// does not have are left out.
absl::StatusOr<Part<StateStore>> ReadStoreUrl(
    std::string_view url, std::string_view pair, const Kinds& kinds,
    const std::vector<std::pair<std::string, bool>>& flags = {});

/// The URL with what stands between user and host replaced by "…".
std::string WithoutPassword(std::string_view url);

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_CONFIG_H_
