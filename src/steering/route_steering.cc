// Routes, or a next-hop object, of this host's kernel.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "mimi/builtin/steering.h"

#include "src/base/log.h"
#include "src/base/status.h"
#include "src/steering/rtnetlink_port.h"
#include "src/wire/rtnetlink.h"

namespace mimi {
namespace {

using internal::AppendDumpRoutes;
using internal::AppendGetNextHop;
using internal::AppendNextHop;
using internal::AppendRoute;
using internal::Link;
using internal::RtAnswer;
using internal::RtnetlinkPort;
using internal::RtNextHop;
using internal::RtRoute;

constexpr auto kWrong = absl::StatusCode::kInvalidArgument;
constexpr std::uint32_t kIpv6Metric = 1024;  // IP6_RT_PRIO_USER, what the kernel makes of 0
// How often a table is read again that changes while it is read.
constexpr int kDumpTries = 5;

// A next hop with the interface as the kernel numbers it now.
struct Hop {
  Ip gateway{};
  std::uint32_t interface = 0;  // 0: any
};

bool Leads(const Ip& gateway, std::uint32_t interface, const Hop& hop) {
  return gateway == hop.gateway && (hop.interface == 0 || interface == hop.interface);
}

std::string ToText(const IpPrefix& prefix) {
  return fmt::format("{}/{}", prefix.address.ToString(), prefix.length);
}

// The prefix without the bits of hosts, which the kernel refuses or drops.
IpPrefix Masked(IpPrefix prefix) {
  const int kept = prefix.length + (prefix.address.is_v4() ? 96 : 0);
  for (int bit = kept; bit < 128; ++bit) {
    auto& octet = prefix.address.octets[static_cast<std::size_t>(bit / 8)];
    octet = static_cast<std::uint8_t>(octet & ~(0x80 >> (bit % 8)));
  }
  return prefix;
}

class RouteSteering final : public Steering {
 public:
  RouteSteering(const RouteSteeringOptions& options, Loop& loop,
                std::unique_ptr<RtnetlinkPort> port)
      : options_(options), loop_(loop), log_(options.log), port_(std::move(port)) {
    for (IpPrefix& prefix : options_.prefixes) {
      prefix = Masked(prefix);
    }
  }

  std::string_view name() const override { return "route"; }
  void Divert(Guard guard, StatusCallback done) override {
    Answer(Move(Side::kMinion, guard), std::move(done));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Answer(Move(Side::kPrimary, guard), std::move(done));
  }
  void Observe(ObserveCallback done) override {
    if (options_.nexthop_id != 0) {
      Answer(ObserveNextHop(), std::move(done));
    } else {
      ReadRoutes(kDumpTries, std::move(done));
    }
  }

 private:
  // What has been seen of each prefix; nullopt: no route.
  using Seen = std::vector<std::optional<RtRoute>>;

  // Never inside the call.
  template <class Result, class Callback>
  void Answer(Result result, Callback done) {
    loop_.Post(
        [alive = std::weak_ptr<bool>(alive_), result = std::move(result), done = std::move(done)] {
          if (!alive.expired()) {
            done(result);
          }
        });
  }

  const NextHop& OptionsOf(Side side) const {
    return side == Side::kPrimary ? options_.primary : options_.minion;
  }
  absl::StatusOr<Hop> HopOf(Side side) const {
    const NextHop& hop = OptionsOf(side);
    Hop found{.gateway = hop.gateway};
    if (!hop.interface.empty()) {
      const absl::StatusOr<Link> link = port_->FindLink(hop.interface);
      if (!link.ok()) {
        return link.status();
      }
      found.interface = link->index;
    }
    return found;
  }
  std::uint32_t MetricOf(const IpPrefix& prefix) const {
    return options_.metric == 0 && !prefix.address.is_v4() ? kIpv6Metric : options_.metric;
  }

  absl::Status Move(Side to, const Guard& guard);
  void AppendMove(const Hop& hop);
  absl::StatusOr<Side> ObserveNextHop();
  void ReadRoutes(int tries, ObserveCallback done);
  void Note(const RtRoute& route, Seen& seen) const;
  absl::StatusOr<Side> SideOf(const Seen& seen) const;
  std::optional<Side> SideOf(const Ip& gateway, std::uint32_t interface) const;

  RouteSteeringOptions options_;
  Loop& loop_;
  const Logger log_;
  std::unique_ptr<RtnetlinkPort> port_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

absl::Status RouteSteering::Move(Side to, const Guard& guard) {
  const absl::StatusOr<Hop> hop = HopOf(to);
  if (!hop.ok()) {
    return hop.status();
  }
  AppendMove(*hop);
  if (!guard()) {
    return Error(absl::StatusCode::kAborted, "route: this manager may not act any more");
  }
  const absl::StatusOr<std::vector<RtAnswer>> answers = port_->Change();
  if (!answers.ok()) {
    return answers.status();
  }
  absl::Status status = absl::OkStatus();
  for (std::size_t i = 0; i < answers->size(); ++i) {
    status.Update((*answers)[i].ToStatus(options_.nexthop_id != 0
                                             ? fmt::format("next hop {}", options_.nexthop_id)
                                             : "route to " + ToText(options_.prefixes[i])));
  }
  return status;
}

void RouteSteering::AppendMove(const Hop& hop) {
  NetlinkWriter& changes = port_->NewRequest();
  if (options_.nexthop_id != 0) {
    AppendNextHop(changes,
                  {.id = options_.nexthop_id, .gateway = hop.gateway, .interface = hop.interface},
                  port_->NextSequence());
    return;
  }
  for (const IpPrefix& prefix : options_.prefixes) {
    AppendRoute(changes,
                {.destination = prefix.address,
                 .length = prefix.length,
                 .table = options_.table,
                 .metric = options_.metric,
                 .gateway = hop.gateway,
                 .interface = hop.interface},
                port_->NextSequence());
  }
}

std::optional<Side> RouteSteering::SideOf(const Ip& gateway, std::uint32_t interface) const {
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    const absl::StatusOr<Hop> hop = HopOf(side);
    if (hop.ok() && Leads(gateway, interface, *hop)) {
      return side;
    }
  }
  return std::nullopt;
}

absl::StatusOr<Side> RouteSteering::ObserveNextHop() {
  constexpr auto kUnseen = absl::StatusCode::kUnavailable;
  NetlinkWriter& request = port_->NewRequest();
  AppendGetNextHop(request, options_.nexthop_id, port_->NextSequence());
  RtNextHop hop;
  bool read = false;
  const absl::StatusOr<RtAnswer> answer =
      port_->Get([&](const NetlinkMessage& message) { read = ParseNextHop(message, &hop); });
  if (!answer.ok()) {
    return answer.status();
  }
  if (answer->error != 0) {
    return Error(kUnseen, "next hop {}: {}", options_.nexthop_id,
                 Message(answer->ToStatus("cannot be read")));
  }
  const std::optional<Side> side =
      read && hop.id == options_.nexthop_id ? SideOf(hop.gateway, hop.interface) : std::nullopt;
  if (!side.has_value()) {
    return Error(kUnseen, "next hop {} leads to {}, which is neither box", options_.nexthop_id,
                 hop.gateway.ToString());
  }
  return *side;
}

void RouteSteering::ReadRoutes(int tries, ObserveCallback done) {
  const auto v4 = [](const IpPrefix& prefix) {
    return prefix.address.is_v4();
  };
  const auto count = std::ranges::count_if(options_.prefixes, v4);
  const bool has_v4 = count != 0;
  const bool has_v6 = count != std::ssize(options_.prefixes);
  auto seen = std::make_shared<Seen>(options_.prefixes.size());
  const auto dump = [this, seen](bool family_v4, RtnetlinkPort::StatusCallback end) {
    port_->Dump(
        [this, family_v4](NetlinkWriter& writer, std::uint32_t sequence) {
          AppendDumpRoutes(writer, family_v4, options_.table, sequence);
        },
        [this, seen](const NetlinkMessage& message) {
          RtRoute route;
          if (ParseRoute(message, &route)) {
            Note(route, *seen);
          }
        },
        std::move(end));
  };
  const auto finish = [this, seen, tries, done](const absl::Status& end) {
    if (end.code() == absl::StatusCode::kAborted && tries > 1) {
      ReadRoutes(tries - 1, done);
    } else if (!end.ok()) {
      done(Error(absl::StatusCode::kUnavailable, "routes: {}", Message(end)));
    } else {
      done(SideOf(*seen));
    }
  };
  if (has_v4 && has_v6) {
    dump(true, [dump, finish](const absl::Status& end) {
      if (end.ok()) {
        dump(false, finish);
      } else {
        finish(end);
      }
    });
  } else {
    dump(has_v4, finish);
  }
}

void RouteSteering::Note(const RtRoute& route, Seen& seen) const {
  if (route.table != options_.table) {
    return;  // a kernel that does not pick for us
  }
  for (std::size_t i = 0; i < options_.prefixes.size(); ++i) {
    const IpPrefix& prefix = options_.prefixes[i];
    const bool same = route.destination == prefix.address && route.length == prefix.length &&
                      route.metric == MetricOf(prefix);
    if (same && !seen[i].has_value()) {
      seen[i] = route;  // of several the kernel takes the first
    }
  }
}

absl::StatusOr<Side> RouteSteering::SideOf(const Seen& seen) const {
  constexpr auto kUnseen = absl::StatusCode::kUnavailable;
  std::optional<Side> all;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const std::string prefix = ToText(options_.prefixes[i]);
    if (!seen[i].has_value()) {
      return Error(kUnseen, "no route to {} in table {}{}", prefix, options_.table,
                   options_.metric == 0 ? "" : fmt::format(" with metric {}", options_.metric));
    }
    const std::optional<Side> side =
        seen[i]->plain ? SideOf(seen[i]->gateway, seen[i]->interface) : std::nullopt;
    if (!side.has_value()) {
      return Error(kUnseen, "the route to {} leads to neither box{}", prefix,
                   seen[i]->gateway == Ip() ? "" : ", but to " + seen[i]->gateway.ToString());
    }
    if (all.has_value() && *all != *side) {
      return Error(kUnseen, "the route to {} leads to the {}, the one to {} to the {}", prefix,
                   SideName(*side), ToText(options_.prefixes[0]), SideName(*all));
    }
    all = side;
  }
  return *all;
}

absl::Status CheckHop(const RouteSteeringOptions& options, std::string_view name,
                      const NextHop& hop) {
  const bool on_link = hop.gateway == Ip();
  if (on_link && hop.interface.empty()) {
    return Error(kWrong, "{}: needs a gateway or an interface", name);
  }
  if (options.nexthop_id != 0 && (on_link || hop.interface.empty())) {
    return Error(kWrong, "{}: a next-hop object needs gateway and interface", name);
  }
  const bool link_local = hop.gateway.octets[0] == 0xfe && (hop.gateway.octets[1] & 0xc0) == 0x80;
  if (link_local && hop.interface.empty()) {
    return Error(kWrong, "{}: the link-local gateway {} needs an interface", name,
                 hop.gateway.ToString());
  }
  for (const IpPrefix& prefix : options.prefixes) {
    if (!on_link && hop.gateway.is_v4() && !prefix.address.is_v4()) {
      return Error(kWrong, "{}: {} cannot be reached by the IPv4 gateway {}", name, ToText(prefix),
                   hop.gateway.ToString());
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const RouteSteeringOptions& options) {
  if (options.prefixes.empty() == (options.nexthop_id == 0)) {
    return Error(kWrong, "expected either prefixes or nexthop_id");
  }
  for (const IpPrefix& prefix : options.prefixes) {
    if (prefix.length < 0 || prefix.length > (prefix.address.is_v4() ? 32 : 128)) {
      return Error(kWrong, "prefixes: {} is none", ToText(prefix));
    }
  }
  absl::Status status = CheckHop(options, "primary", options.primary);
  status.Update(CheckHop(options, "minion", options.minion));
  if (status.ok() && options.primary.gateway == options.minion.gateway &&
      (options.primary.interface == options.minion.interface || options.primary.interface.empty() ||
       options.minion.interface.empty())) {
    return Error(kWrong, "primary and minion: both are {}", options.primary.gateway.ToString());
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Steering>> NewRouteSteering(const RouteSteeringOptions& options,
                                                           Loop& loop) {
  if (const absl::Status wrong = Check(options); !wrong.ok()) {
    return Prepend("route steering", wrong);
  }
  absl::StatusOr<std::unique_ptr<RtnetlinkPort>> port =
      RtnetlinkPort::Open(options.network_namespace, loop);
  if (!port.ok()) {
    return Prepend("route steering", port.status());
  }
  for (const NextHop* const hop : {&options.primary, &options.minion}) {
    if (hop->interface.empty()) {
      continue;
    }
    if (const absl::StatusOr<Link> link = (*port)->FindLink(hop->interface); !link.ok()) {
      return Prepend("route steering", link.status());
    }
  }
  return std::make_unique<RouteSteering>(options, loop, *std::move(port));
}

}  // namespace mimi
