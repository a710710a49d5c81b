#include "src/minion/netfilter/standby.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "src/base/status.h"
#include "src/minion/netfilter/originals.h"
#include "src/wire/nft_table_name.h"

namespace mimi::internal {
namespace {

struct Wanted {
  std::string_view sysctl;
  std::string_view value;
  std::string_view why;
};
constexpr Wanted kWanted[] = {
    {"nf_conntrack_tcp_loose", "0",
     "an unknown packet from the middle of a connection would be picked up as a new flow and sent "
     "to "
     "a backend that does not know it, whose RST kills the client's connection"},
    {"nf_conntrack_tcp_be_liberal", "1",
     "windows were tracked on the other box meanwhile: packets would count as out of window, and "
     "connections would stall after a move"},
};

std::string InterfaceMatch(const std::vector<std::string>& interfaces) {
  if (interfaces.empty()) {
    return "iifname != \"lo\"";
  }
  std::string set;
  for (const std::string& interface : interfaces) {
    set += fmt::format("{}\"{}\"", set.empty() ? "" : ", ", interface);
  }
  return fmt::format("iifname {{ {} }}", set);
}

// Sees that `originals` knows what to put back for each sysctl. What stands there and is not what
// we want is an original, whatever was saved before: somebody has changed it since.
absl::Status Remember(const Wanted& wanted, Originals* originals) {
  const std::string name(wanted.sysctl);
  const absl::StatusOr<std::string> seen = ReadSysctl(name);
  if (!seen.ok()) {
    return seen.status();
  }
  if (*seen != wanted.value || !originals->values().contains(name)) {
    originals->Set(name, *seen);
  }
  return absl::OkStatus();
}

absl::Status ChangeSysctls(Originals* originals) {
  for (const Wanted& wanted : kWanted) {
    if (absl::Status status = Remember(wanted, originals); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = originals->Save(); !status.ok()) {
    return status;
  }
  for (const Wanted& wanted : kWanted) {
    const absl::StatusOr<std::string> seen = ReadSysctl(std::string(wanted.sysctl));
    if (seen.ok() && *seen == wanted.value) {
      continue;
    }
    if (absl::Status status = WriteSysctl(std::string(wanted.sysctl), std::string(wanted.value));
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckStandbyOptions(const NetfilterMinionOptions& options) {
  if (absl::Status status = CheckNftTableName(options.pair); !status.ok()) {
    return status;
  }
  for (const std::string& interface : options.interfaces) {
    if (interface.empty() || interface.size() > 15 ||
        !std::all_of(interface.begin(), interface.end(), [](char c) {
          return IsNftNameCharacter(c) || c == ':' || c == '@' || c == '+';
        })) {
      return Error(absl::StatusCode::kInvalidArgument, "interface '{}': not a device's name",
                   interface);
    }
  }
  if (options.reserve_percent > 90) {
    return Error(absl::StatusCode::kInvalidArgument, "reserve_percent {}: expected 0 to 90",
                 options.reserve_percent);
  }
  if (options.state_directory.empty() || options.state_directory.front() != '/') {
    return Error(absl::StatusCode::kInvalidArgument, "state_directory '{}': expected a whole path",
                 options.state_directory);
  }
  return absl::OkStatus();
}

std::string StandbyTable(const NetfilterMinionOptions& options) {
  return "mimi_minion_" + options.pair;
}

std::string StandbyRules(const NetfilterMinionOptions& options) {
  // Conntrack looks at a packet at priority -200; -140 is after it and after what drivers hang in
  // at mangle (-150), and before any translation.
  return fmt::format(
      "table inet {0} {{}}\n"
      "delete table inet {0}\n"
      "table inet {0} {{\n"
      "  chain dstnat {{ type nat hook prerouting priority -100; }}\n"
      "  chain srcnat {{ type nat hook postrouting priority 100; }}\n"
      "  chain unknown {{\n"
      "    type filter hook prerouting priority -140;\n"
      "    {1} ct state invalid counter drop\n"
      "  }}\n"
      "}}\n",
      StandbyTable(options), InterfaceMatch(options.interfaces));
}

absl::Status MakeStandby(const NetfilterMinionOptions& options, const NetworkNamespace& inside) {
  absl::StatusOr<Originals> originals =
      Originals::Load(options.state_directory, options.pair, inside.id());
  if (!originals.ok()) {
    return originals.status();
  }
  // A file must be there before the first change, so that what was begun can be undone.
  if (!originals->exists()) {
    if (absl::Status status = originals->Save(); !status.ok()) {
      return status;
    }
  }
  // The rules first: they load the kernel's modules, without which the sysctls are not there.
  const absl::StatusOr<std::string> ruled =
      inside.RunProgram({options.nft_program, "-f", "-"}, StandbyRules(options));
  if (!ruled.ok()) {
    return Prepend("cannot set the standby rules", ruled.status());
  }
  absl::Status changed;
  absl::Status entered = inside.Do([&] { changed = ChangeSysctls(&*originals); });
  return entered.ok() ? changed : entered;
}

absl::StatusOr<std::vector<NetfilterCheck>> CheckStandby(const NetfilterMinionOptions& options,
                                                         const NetworkNamespace& inside) {
  std::vector<NetfilterCheck> checks;
  const absl::StatusOr<std::string> table =
      inside.RunProgram({options.nft_program, "list", "table", "inet", StandbyTable(options)}, "");
  const auto has = [&table](std::string_view words) {
    return table.ok() && table->find(words) != std::string::npos;
  };
  const std::string name = fmt::format("nft table inet {}", StandbyTable(options));
  const bool nat = has("nat hook prerouting") && has("nat hook postrouting");
  checks.push_back(
      {.what = name + ", nat chains",
       .good = nat,
       .seen = nat ? "there" : "not there",
       .expected = "there",
       .why = "without them the kernel keeps no translation for the flows it is given"});
  const bool drops = has("ct state invalid") && has("drop");
  checks.push_back({.what = name + ", rule that drops invalid packets",
                    .good = drops,
                    .seen = drops ? "there" : "not there",
                    .expected = "there",
                    .why = "it switches conntrack on, and keeps the box from answering connections "
                           "that it does not know yet with a RST"});
  const absl::Status entered = inside.Do([&] {
    for (const Wanted& wanted : kWanted) {
      const absl::StatusOr<std::string> seen = ReadSysctl(std::string(wanted.sysctl));
      checks.push_back({.what = fmt::format("sysctl net.netfilter.{}", wanted.sysctl),
                        .good = seen.ok() && *seen == wanted.value,
                        .seen = seen.ok() ? *seen : std::string(Message(seen.status())),
                        .expected = std::string(wanted.value),
                        .why = std::string(wanted.why)});
    }
  });
  if (!entered.ok()) {
    return entered;
  }
  return checks;
}

absl::Status UndoStandby(const NetfilterMinionOptions& options, const NetworkNamespace& inside) {
  absl::StatusOr<Originals> originals =
      Originals::Load(options.state_directory, options.pair, inside.id());
  if (!originals.ok()) {
    return originals.status();
  }
  if (!originals->exists()) {
    return Error(absl::StatusCode::kNotFound,
                 "{}: no such file: never warmed here, or removed already", originals->path());
  }
  absl::Status changed;
  const absl::Status entered = inside.Do([&] {
    for (const Wanted& wanted : kWanted) {
      const auto saved = originals->values().find(std::string(wanted.sysctl));
      if (saved != originals->values().end()) {
        changed.Update(WriteSysctl(saved->first, saved->second));
      }
    }
  });
  if (!entered.ok() || !changed.ok()) {
    return entered.ok() ? changed : entered;
  }
  const std::string table = StandbyTable(options);
  const absl::StatusOr<std::string> ruled =
      inside.RunProgram({options.nft_program, "-f", "-"},
                        fmt::format("table inet {0} {{}}\ndelete table inet {0}\n", table));
  return ruled.ok() ? originals->Remove() : Prepend("cannot remove the rules", ruled.status());
}

}  // namespace mimi::internal
