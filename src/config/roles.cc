// Roles: their names, and which of them a process has.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "src/base/suggest.h"
#include "src/config/chapters.h"
#include "src/config/values.h"

namespace mimi::config {
namespace {

std::string_view Missing(Role role) {
  switch (role) {
    case Role::kDriver:
      return "[primary.driver]";
    case Role::kMinion:
      return "[minion] with a kind";
    case Role::kManager:
      return "[manager]";
  }
  return "";
}

Roles ParseRoles(Section& root, const std::vector<std::string>& words, Roles all) {
  Roles roles = 0;
  constexpr std::string_view kNames[] = {"driver", "minion", "manager"};
  for (const std::string& word : words) {
    const std::optional<Role> role = RoleNamed(word);
    if (!role) {
      root.Refuse("roles", fmt::format("unknown role \"{}\"{}; expected {}", Shortened(word),
                                       DidYouMean(word, kNames), Listed(kNames)));
      continue;
    }
    roles = static_cast<Roles>(roles | static_cast<Roles>(*role));
  }
  return roles == 0 ? all : roles;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kDriver:
      return "driver";
    case Role::kMinion:
      return "minion";
    case Role::kManager:
      return "manager";
  }
  return "?";
}

std::optional<Role> RoleNamed(std::string_view name) {
  for (const Role role : kAllRoles) {
    if (RoleName(role) == name) {
      return role;
    }
  }
  return std::nullopt;
}

std::string RolesText(Roles roles) {
  std::string text;
  for (const Role role : kAllRoles) {
    if (Has(roles, role)) {
      text += text.empty() ? "" : "+";
      text += RoleName(role);
    }
  }
  return text;
}

void ReadRoles(Section& root, Roles chosen, Config* config) {
  const auto configured = [config](const BoxConfig& box, Role role) {
    if (!box.drivers.empty() || !box.minions.empty()) {
      config->configured = static_cast<Roles>(config->configured | static_cast<Roles>(role));
    }
  };
  configured(config->primary, Role::kDriver);
  configured(config->minion, Role::kMinion);
  if (config->manager) {
    config->configured =
        static_cast<Roles>(config->configured | static_cast<Roles>(Role::kManager));
  }
  config->roles = config->configured;
  std::vector<std::string> words;
  if (root.Read("roles", &words)) {
    config->roles = ParseRoles(root, words, config->configured);
  }
  if (chosen != 0) {
    config->roles = chosen;
  }
  if (!root.problems().empty()) {
    return;  // a section with a mistake may be the one that is missing
  }
  if (config->configured == 0) {
    root.problems().Add(internal::Place{}, "",
                        "nothing to run: needs [primary.driver], [minion] or [manager]");
  }
  for (const Role role : kAllRoles) {
    if (Has(config->roles, role) && !Has(config->configured, role)) {
      root.problems().Add(root.PlaceOf("roles"), "roles",
                          fmt::format("\"{}\" is to run here, but the file has nothing for it: {}",
                                      RoleName(role), Missing(role)));
    }
  }
}

}  // namespace mimi::config
