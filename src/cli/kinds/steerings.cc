// [steering] kind = "route", "address", "command", "passive".

#include <charconv>

#include <fmt/core.h>

#include "mimi/builtin/steering.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

namespace {

// "192.0.2.0/24"; without a length a single address.
std::optional<IpPrefix> ParsePrefix(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::optional<Ip> address = Ip::Parse(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  const int most = address->is_v4() ? 32 : 128;
  IpPrefix prefix{.address = *address, .length = most};
  if (slash < text.size()) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), prefix.length);
    if (error != std::errc() || end != digits.data() + digits.size() || prefix.length < 0 ||
        prefix.length > most) {
      return std::nullopt;
    }
  }
  return prefix;
}

void ReadPrefixes(Section& section, std::string_view key, std::vector<IpPrefix>* prefixes) {
  std::vector<std::string> texts;
  section.Read(key, &texts);
  for (const std::string& text : texts) {
    const std::optional<IpPrefix> prefix = ParsePrefix(text);
    if (!prefix) {
      section.Refuse(key, fmt::format("expected prefixes such as \"192.0.2.0/24\", got \"{}\"",
                                      text.substr(0, 60)));
      continue;
    }
    prefixes->push_back(*prefix);
  }
}

void ReadNextHop(Section& section, std::string_view key, NextHop* hop) {
  Section* const child = section.Child(key);
  if (child == nullptr) {
    section.Require(key, "{ gateway = …, interface = … }");
    return;
  }
  child->Read("gateway", &hop->gateway);
  child->Read("interface", &hop->interface);
}

// A program with its arguments; or with `shell` one line.
void ReadProgram(Section& section, std::string_view key, std::vector<std::string>* program) {
  section.Read(key, program);
}

template <class Options, class Make>
Build<Steering> Builder(const Options& options, Make make) {
  return [options, make](BuildContext& build) {
    Options made = options;
    made.log = build.log;
    return MadeFrom(make(made, build.loop));
  };
}

}  // namespace

Build<Steering> ReadRouteSteering(Section& section, ReadContext& context) {
  RouteSteeringOptions options;
  ReadPrefixes(section, "prefixes", &options.prefixes);
  section.Read("nexthop_id", &options.nexthop_id, 1U);
  ReadNextHop(section, "primary", &options.primary);
  ReadNextHop(section, "minion", &options.minion);
  section.Read("table", &options.table, 1U);
  section.Read("metric", &options.metric);
  section.Read("namespace", &options.network_namespace);
  if (options.prefixes.empty() == (options.nexthop_id == 0)) {
    section.Refuse("", "expected either prefixes or nexthop_id");
  }
  context.Needs("CAP_NET_ADMIN", "to replace routes");
  if (!options.network_namespace.empty()) {
    context.Needs("CAP_SYS_ADMIN", "to enter its network namespace");
  }
  return Builder(options, NewRouteSteering);
}

Build<Steering> ReadAddressSteering(Section& section, ReadContext& context) {
  AddressSteeringOptions options;
  section.Require("addresses", "what moves, such as [\"192.0.2.10/24\"]");
  ReadPrefixes(section, "addresses", &options.addresses);
  section.Require("interface", "of this host, where the minion has them");
  section.Read("interface", &options.minion_interface);
  section.Read("primary_interface", &options.primary_interface);
  std::string mac;
  if (section.Read("primary_mac", &mac)) {
    options.primary_mac = Mac::Parse(mac);
    if (!options.primary_mac) {
      section.Refuse("primary_mac", "expected an Ethernet address such as \"02:00:00:00:00:01\"");
    }
  }
  section.Read("announcements", &options.announcements, 1, 100);
  section.Read("announce_every", &options.announce_every);
  section.Read("namespace", &options.network_namespace);
  context.Needs("CAP_NET_ADMIN", "to add and remove addresses");
  context.Needs("CAP_NET_RAW", "to announce them");
  if (!options.network_namespace.empty()) {
    context.Needs("CAP_SYS_ADMIN", "to enter its network namespace");
  }
  return Builder(options, NewAddressSteering);
}

Build<Steering> ReadCommandSteering(Section& section, ReadContext& /*context*/) {
  CommandSteeringOptions options;
  section.Require("divert", "a program with its arguments, as a list");
  section.Require("restore", "a program with its arguments, as a list");
  section.Require("observe", "a program that prints \"primary\" or \"minion\", as a list");
  ReadProgram(section, "divert", &options.divert);
  ReadProgram(section, "restore", &options.restore);
  ReadProgram(section, "observe", &options.observe);
  section.Read("shell", &options.shell);
  section.Read("deadline", &options.deadline);
  return Builder(options, NewCommandSteering);
}

Build<Steering> ReadPassiveSteering(Section& section, ReadContext& /*context*/) {
  PassiveSteeringOptions options;
  ReadProgram(section, "observe", &options.observe);
  section.Read("shell", &options.shell);
  section.Read("deadline", &options.deadline);
  return Builder(options, NewPassiveSteering);
}

}  // namespace mimi::cli
