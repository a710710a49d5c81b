// [[liveness]] kind = "bfd", "heartbeat", "tcp", "http", "icmp", "traffic"; [minion.beacon].

#include <fmt/core.h>

#include "mimi/builtin/bfd.h"
#include "mimi/builtin/heartbeat.h"
#include "mimi/builtin/probes.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::Endpoint;
using config::Made;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

using MadeLiveness = absl::StatusOr<Made<Liveness>>;

namespace {

UdpAddress UdpOf(const Endpoint& endpoint) {
  return {.ip = endpoint.address, .port = endpoint.port};
}

// Sessions at one address and port share its socket (bfd.h).
absl::StatusOr<std::shared_ptr<BfdPort>> SharedPort(const BfdPortOptions& options,
                                                    BuildContext& build) {
  const std::string key =
      fmt::format("bfd {} {} {}", options.local.ToString(), options.interface, options.port);
  std::shared_ptr<void>& known = (*build.shared)[key];
  if (known == nullptr) {
    absl::StatusOr<std::shared_ptr<BfdPort>> port = NewBfdPort(options, build.loop);
    if (!port.ok()) {
      return port.status();
    }
    known = *std::move(port);
  }
  return std::static_pointer_cast<BfdPort>(known);
}

void ReadPath(Section& section, ReadContext& context, ProbePath* path) {
  path->box = context.side;
  section.Require("target", "the address of a service behind the box");
  section.Read("target", &path->target);
  section.Read("interface", &path->interface);
  section.Read("source", &path->source);
  section.Read("mark", &path->mark);
  section.Read("interval", &path->interval);
  path->timeout = std::min(path->timeout, path->interval);
  section.Read("timeout", &path->timeout);
  section.Read("fall", &path->fall, 1, 255);
  section.Read("rise", &path->rise, 1, 255);
  if (path->timeout > path->interval) {
    section.Refuse("timeout", "must not be longer than the interval");
  }
  if (!path->interface.empty()) {
    context.Needs("CAP_NET_RAW", "to bind a probe to an interface (older kernels)");
  }
  if (path->mark != 0) {
    context.Needs("CAP_NET_ADMIN", "to mark a probe's packets");
  }
}

// "eth0:rx", "eth0:tx".
void ReadCounters(Section& section, std::string_view key, std::vector<PacketCounter>* counters) {
  std::vector<std::string> texts;
  section.Require(key, "counters of interfaces, such as [\"eth0:rx\"]");
  section.Read(key, &texts);
  for (const std::string& text : texts) {
    const std::size_t colon = text.rfind(':');
    const std::string_view way =
        colon == std::string::npos ? "" : std::string_view(text).substr(colon + 1);
    if (colon == 0 || (way != "rx" && way != "tx")) {
      section.Refuse(key,
                     fmt::format("expected an interface and \":rx\" or \":tx\", got \"{}\"", text));
      continue;
    }
    counters->push_back({.interface = text.substr(0, colon), .received = way == "rx"});
  }
}

}  // namespace

Build<Liveness> ReadBfd(Section& section, ReadContext& context) {
  BfdOptions options;
  options.box = context.side;
  section.Require("peer", "the box's address");
  section.Read("peer", &options.peer);
  if (!options.peer.is_v4()) {
    options.port_options.local = Ip();  // of the peer's family
  }
  section.Read("local", &options.port_options.local);
  section.Read("interface", &options.port_options.interface);
  section.Read("port", &options.port_options.port, std::uint16_t{1});
  section.Read("interval", &options.desired_min_tx);
  options.required_min_rx = options.desired_min_tx;
  section.Read("receive_interval", &options.required_min_rx);
  section.Read("multiplier", &options.detect_multiplier, 1, 255);
  section.Read("passive", &options.passive);
  section.Read("first_evidence", &options.first_evidence, Duration::zero());
  return [options](BuildContext& build) -> MadeLiveness {
    BfdOptions made = options;
    absl::StatusOr<std::shared_ptr<BfdPort>> port = SharedPort(options.port_options, build);
    if (!port.ok()) {
      return port.status();
    }
    made.port = *std::move(port);
    made.log = build.log;
    return MadeFrom(NewBfd(made, build.loop));
  };
}

Build<Liveness> ReadHeartbeat(Section& section, ReadContext& context) {
  HeartbeatOptions options;
  options.box = context.side;
  options.node = context.node;
  section.Read("node", &options.node);
  section.Require("key_file", "a secret that all nodes of the pair share");
  section.Read("key_file", &options.key_file);
  options.key_file = context.Path(options.key_file);
  Endpoint listen;
  section.Require("listen", "where the beacon's beats come in");
  section.Read("listen", &listen);
  options.listen = UdpOf(listen);
  section.Read("first_evidence", &options.first_evidence, Duration::zero());
  return [options](BuildContext& build) {
    HeartbeatOptions made = options;
    made.log = build.log;
    return MadeFrom(NewHeartbeat(made, build.loop));
  };
}

Build<Liveness> ReadTcpProbe(Section& section, ReadContext& context) {
  TcpProbeOptions options;
  ReadPath(section, context, &options.path);
  section.Require("port");
  section.Read("port", &options.port, std::uint16_t{1});
  return [options](BuildContext& build) {
    return MadeFrom(NewTcpProbe(options, build.loop));
  };
}

Build<Liveness> ReadHttpProbe(Section& section, ReadContext& context) {
  HttpProbeOptions options;
  ReadPath(section, context, &options.path);
  section.Read("port", &options.port, std::uint16_t{1});
  section.Read("host", &options.host);
  section.Read("uri", &options.uri);
  section.Read("status_from", &options.status_from, 100, 599);
  section.Read("status_to", &options.status_to, 100, 599);
  return [options](BuildContext& build) {
    return MadeFrom(NewHttpProbe(options, build.loop));
  };
}

Build<Liveness> ReadIcmpProbe(Section& section, ReadContext& context) {
  IcmpProbeOptions options;
  ReadPath(section, context, &options.path);
  return [options](BuildContext& build) {
    return MadeFrom(NewIcmpProbe(options, build.loop));
  };
}

Build<Liveness> ReadTraffic(Section& section, ReadContext& context) {
  TrafficOptions options;
  options.box = context.side;
  ReadCounters(section, "in", &options.in);
  ReadCounters(section, "out", &options.out);
  section.Read("min_packets", &options.min_packets, std::uint64_t{1});
  section.Read("ignored_out", &options.ignored_out);
  section.Read("window", &options.window);
  section.Read("interval", &options.interval, std::chrono::milliseconds(1));
  if (options.window < options.interval) {
    section.Refuse("window", "must not be shorter than the interval");
  }
  return [options](BuildContext& build) {
    return MadeFrom(NewTrafficLiveness(options, build.loop));
  };
}

Build<Liveness> ReadBeacon(Section& section, ReadContext& context) {
  BeaconOptions options;
  options.node = context.node;
  section.Read("node", &options.node);
  section.Require("key_file", "a secret that all nodes of the pair share");
  section.Read("key_file", &options.key_file);
  options.key_file = context.Path(options.key_file);
  std::vector<std::string> targets;
  section.Require("targets", "where the managers listen");
  section.Read("targets", &targets);
  for (const std::string& target : targets) {
    const std::optional<Endpoint> endpoint = config::ParseEndpoint(target);
    if (!endpoint || endpoint->address == Ip()) {
      section.Refuse("targets", fmt::format("expected addresses and ports, got \"{}\"", target));
      continue;
    }
    options.targets.push_back(UdpOf(*endpoint));
  }
  Endpoint bind;
  if (section.Read("bind", &bind)) {
    options.bind = UdpOf(bind);
  }
  section.Read("interval", &options.interval);
  section.Read("multiplier", &options.multiplier, 1, 255);
  return [options](BuildContext& build) {
    BeaconOptions made = options;
    made.well = build.well;
    return MadeFrom(NewBeacon(made, build.loop));
  };
}

}  // namespace mimi::cli
