#ifndef MIMI_BUILTIN_HEARTBEAT_H_
#define MIMI_BUILTIN_HEARTBEAT_H_

/// \file
/// Heartbeats between mimi processes: authenticated UDP, for boxes that run one.
///
/// A *beacon* runs beside what it speaks for (on the box, on the minion) and sends a beat each
/// `interval` to every manager. A *heartbeat* is the manager's end: a Liveness that knows one box
/// by its node's name. A beat also says whether the sender finds itself well, so a minion whose
/// data plane is broken says so itself instead of being found out by a probe.
///
///     // on the minion
///     auto beacon = NewBeacon({.node = "edge1.minion",
///                              .key_file = "/etc/mimi/edge1.key",
///                              .targets = {{*Ip::Parse("192.0.2.3"), 7650}},
///                              .well = [&] { return minion_is_well; }}, loop);
///     // on the manager
///     auto heartbeat = NewHeartbeat({.box = Side::kMinion, .node = "edge1.minion",
///                                    .key_file = "/etc/mimi/edge1.key",
///                                    .listen = {*Ip::Parse("192.0.2.3"), 7650}}, loop);
///
/// Who may speak: every packet carries an HMAC-SHA-256 under a key that all nodes of the pair
/// share. Replays count for nothing: within a session beats are numbered (a window of 64 allows for
/// packets that overtake each other), and a session counts only after the beacon has answered a
/// random challenge of this very heartbeat, so recordings of an earlier life of either side are
/// worthless, and no clocks need to agree. Beats are not secret. Formats: src/wire/heartbeat.h.
///
/// The key file holds the key: at least 16 bytes, at most 4096, a newline at its end does not count
/// (`openssl rand -hex 32 > key`). It must be a regular file that only its owner may read. It is
/// read once, at the start; to change the key, restart both ends.
///
/// Threads: the loop thread only, `well` included; metrics() any.
/// Lifetime: the loop outlives them.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/liveness.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

struct UdpAddress {
  Ip ip{};
  std::uint16_t port = 0;
};

struct BeaconOptions {
  /// The name of the node that it speaks for.
  std::string node{};
  std::string key_file{};
  /// The heartbeats of all managers, up to 16.
  std::vector<UdpAddress> targets{};
  /// The address to send from. Default: the system's choice.
  UdpAddress bind{};
  Duration interval = std::chrono::milliseconds(50);
  /// Lost beats after which the manager shall call this node dead, 1 to 255.
  int multiplier = 3;
  /// Asked before each beat: does this node find itself well? Empty: always.
  std::function<bool()> well{};
};

struct HeartbeatOptions {
  Side box = Side::kPrimary;
  /// The name of the node to hear.
  std::string node{};
  std::string key_file{};
  /// Each heartbeat has a port of its own. The address may be 0.0.0.0 or `::`.
  UdpAddress listen{Ipv4{}, 0};
  /// A node never heard since the start counts as dead after this long. 0: it stays unknown.
  Duration first_evidence{};
  LogCallback log{};
};

/// A Liveness that reports nothing of a box, so that it starts, stops and runs on a thread like the
/// others.
/// Errors: InvalidArgument (an option, a key that is too short), NotFound (key file),
/// FailedPrecondition (others may read the key file; address, rights).
absl::StatusOr<std::unique_ptr<Liveness>> NewBeacon(const BeaconOptions& options, Loop& loop);

/// Reports kUp at the first beat of a session that says it is well; kDown when beats stay away for
/// multiplier times interval (as the beacon's beats say), or say that the node is not well.
/// Errors: as NewBeacon, and Unavailable (port taken).
absl::StatusOr<std::unique_ptr<Liveness>> NewHeartbeat(const HeartbeatOptions& options, Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_HEARTBEAT_H_
