#ifndef MIMI_BUILTIN_PROBES_H_
#define MIMI_BUILTIN_PROBES_H_

/// \file
/// Probes: is the service behind the box reached *through* it?
///
/// A box can answer pings, speak BFD and forward nothing. A probe asks what the users ask: it opens
/// a connection (`tcp`), fetches a page (`http`), or sends an echo request (`icmp`) to something
/// behind the box, on a path that leads through it. Which path that is, is for the operator to say:
/// by a target that is reached through that box only, by `interface`, by `source`, or by `mark` and
/// a routing rule (`ip rule add fwmark 17 table 17`).
///
///     ProbePath path{.box = Side::kPrimary, .target = *Ip::Parse("192.0.2.80"), .mark = 17};
///     auto probe = NewTcpProbe({.path = path, .port = 80}, loop);
///
/// `fall` probes in a row that fail report kDown, `rise` in a row that succeed kUp. A probe that
/// fails from the start is evidence too. Slower than BFD: detection takes up to (fall - 1) *
/// interval + timeout, after the interval in which the fault falls. One probe is under way at a
/// time.
///
/// Rights: icmp needs CAP_NET_RAW, or a group in net.ipv4.ping_group_range; `interface` and `mark`
/// need CAP_NET_RAW or CAP_NET_ADMIN.
///
/// Threads: the loop thread only; metrics() any.
/// Lifetime: the loop outlives them.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/liveness.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

/// What all probes share.
struct ProbePath {
  Side box = Side::kPrimary;
  Ip target{};
  /// SO_BINDTODEVICE, the source address, and SO_MARK. Empty, none, 0: the system's choice.
  std::string interface {};
  Ip source{};
  std::uint32_t mark = 0;

  Duration interval = std::chrono::milliseconds(200);
  /// A probe without an answer after this long has failed. At most the interval.
  Duration timeout = std::chrono::milliseconds(200);
  int fall = 3;
  int rise = 2;
};

struct TcpProbeOptions {
  ProbePath path{};
  std::uint16_t port = 0;
};
/// A connection that is accepted is a success; it is reset at once.
/// Errors: InvalidArgument (an option).
absl::StatusOr<std::unique_ptr<Liveness>> NewTcpProbe(const TcpProbeOptions& options, Loop& loop);

struct HttpProbeOptions {
  ProbePath path{};
  std::uint16_t port = 80;
  /// The Host header; default the target.
  std::string host{};
  /// The request target, "/health?full=1".
  std::string uri = "/";
  /// A status code in this range is a success.
  int status_from = 200;
  int status_to = 399;
};
/// HTTP/1.1, `GET`, `Connection: close`; the body is not read. Errors: InvalidArgument (an option).
absl::StatusOr<std::unique_ptr<Liveness>> NewHttpProbe(const HttpProbeOptions& options, Loop& loop);

struct IcmpProbeOptions {
  ProbePath path{};
};
/// ICMP or ICMPv6 echo (RFC 792, RFC 4443). Errors: InvalidArgument (an option); Start():
/// FailedPrecondition (rights).
absl::StatusOr<std::unique_ptr<Liveness>> NewIcmpProbe(const IcmpProbeOptions& options, Loop& loop);

/// One counter of an interface of the host (and network namespace) that watches.
struct PacketCounter {
  std::string interface {};
  /// Packets that it received, or that it sent.
  bool received = true;
};

/// No probe, but a look at the users' own packets: what goes into the box has to come out of it.
/// For a host that stands beside the box (what it sends towards the box goes in, what it receives
/// from the other side came out), and for the box itself.
///
///     auto traffic = NewTrafficLiveness({.box = Side::kPrimary,
///                                        .in = {{.interface = "to-box", .received = false}},
///                                        .out = {{.interface = "behind-box", .received = true}}},
///                                       loop);
///
/// `min_packets` in and none out within `window`: kDown. One out: kUp. Nothing in: no statement,
/// so after a divert, when no more traffic comes, a box that was down stays down until it forwards
/// again: let a probe say that it is back. An interface that is missing: kUnknown. With fewer
/// packets than a window needs it is slow, and one sided traffic (floods that a box rightly drops)
/// looks like a fault: combine it with another liveness ("all", combined_liveness.h).
struct TrafficOptions {
  Side box = Side::kPrimary;
  /// The sums of these counters.
  std::vector<PacketCounter> in{}, out{};
  std::uint64_t min_packets = 20;
  /// As many packets out within a window count as none: what the box sends by itself (ARP, LLDP,
  /// BFD).
  std::uint64_t ignored_out = 0;
  Duration window = std::chrono::milliseconds(500);
  /// Between two looks. A look reads /proc/net/dev, which takes longer the more interfaces there
  /// are.
  Duration interval = std::chrono::milliseconds(100);
};
/// Errors: InvalidArgument (an option); Start(): FailedPrecondition (no /proc).
absl::StatusOr<std::unique_ptr<Liveness>> NewTrafficLiveness(const TrafficOptions& options,
                                                             Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_PROBES_H_
