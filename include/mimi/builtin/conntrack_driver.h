#ifndef MIMI_BUILTIN_CONNTRACK_DRIVER_H_
#define MIMI_BUILTIN_CONNTRACK_DRIVER_H_

/// \file
/// The Linux kernel's connection tracking as a source of state: what a Linux box (or a minion with
/// traffic) knows of its flows, as rows of FlowSchema().
///
///     auto driver = NewConntrackDriver({.pair = "edge1", .echo_ports = {minion->port_id()}}, *loop);
///     options.primary.drivers = {driver->get()};     // EngineOptions
///
/// **What becomes a row.** TCP and SCTP when the handshake is complete (a flood of SYNs makes no
/// row and no event), everything else when it was answered (or at once: `unanswered`). Not the
/// flows of the box's own sockets; not those that hang on a helper, an expectation or an adjusted
/// sequence: they cannot go on elsewhere, are counted (`not_portable`) and stand in coverage().
///
/// **What ends a row.** TCP: the first FIN or RST, by a *closing event*: rules of ours set a bit of
/// the connection's mark then (`closing_mark`, the minion's too), which the kernel tells at once,
/// while its own end of the entry comes minutes later. What has no such event ends when the kernel
/// forgets it: as an abrupt end (time-out, flush, link down), which the engine holds back for a
/// moment (DESIGN section 6), unless its last state says that the protocol had ended it.
///
/// **What the kernel is told.** A table of ours, `inet mimi_driver_<pair>`, at priority mangle of
/// prerouting, input and output, tells the kernel which events each connection shall make, since
/// making one costs the packet's path 4 us. A whole TCP life makes two: assured, closing. The
/// table stays when the program stops, so that flows born meanwhile tell of their end later;
/// RemoveConntrackDriver() takes it away. Nothing else is changed.
///
/// **Loss.** Events wait in a socket buffer of `receive_buffer` bytes. Overrun, the kernel says so
/// (ENOBUFS): DriverState::lost grows, and the engine's resync walks the table: attached first,
/// then dumped, and what events say wins over what the dump says.
///
/// **Entries that were there before** anybody listened make no events (nf_conntrack_events = 2, the
/// kernel's default). They are rows after the first walk; a walk each `check_every` finds which are
/// gone, until none is left.
///
/// **Both ways.** With a minion in the same namespace: what it puts there carries its port id and
/// is never published (`echo_ports`); entries that it holds on standby, told by their time-out, are
/// left out of walks. What ends on a box that does not hold the traffic is counted by the engine
/// and not published.
///
/// Rights: CAP_NET_ADMIN in the namespace (a receive buffer beyond net.core.rmem_max needs it too),
/// CAP_SYS_ADMIN to enter another one. docs/netfilter.md tells what of the kernel's behaviour this
/// is built on. Sources: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h.
///
/// Threads: the loop thread only. Start() blocks for a child `nft` (some 10 ms).
/// Lifetime: the loop outlives the driver.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

/// When events are read.
enum class ConntrackLatency : std::uint8_t {
  /// At once, and then each millisecond while there are some: in batches, as cheap as it gets.
  kNormal,
  /// Each as it comes: a wake-up per event.
  kLow,
};

struct ConntrackDriverOptions {
  /// Names the nft table: letters, digits, '_', '-', '.'.
  std::string pair = "pair";
  /// Where the box is: a name under /run/netns, an absolute path (/proc/PID/ns/net), or empty for
  /// the process's own.
  std::string network_namespace{};
  ConntrackLatency latency = ConntrackLatency::kNormal;
  /// Bytes; an event takes about 1 KiB of it (the kernel counts its own book-keeping). 32 MiB last
  /// for 0.2 s at 150,000 events/s.
  std::size_t receive_buffer = std::size_t{32} << 20;
  /// The bit of the mark that says that a TCP flow closes. No rule of the box may use it, and the
  /// minions must be told the same.
  std::uint32_t closing_mark = 0x10000000;
  /// Publish also UDP, ICMP and other flows that nobody has answered. Then anybody who sends
  /// packets from forged addresses makes rows.
  bool unanswered = false;
  /// The port ids of minions in the same namespace (NetfilterMinion::port_id).
  std::vector<std::uint32_t> echo_ports{};
  /// How often entries that make no events are looked for; longer when a walk takes more than 1/200
  /// of it. See above.
  Duration check_every = std::chrono::seconds(30);
  /// The program that takes rules on standard input.
  std::string nft_program = "nft";
  LogCallback log{};
};

/// Start() answers FailedPrecondition where rights or kernel features are missing, and where
/// nf_conntrack_events is 0 (what a minion puts into the table would then never tell of its end).
/// Errors: InvalidArgument (an option), NotFound (no such namespace).
absl::StatusOr<std::unique_ptr<Driver>> NewConntrackDriver(ConntrackDriverOptions options,
                                                           Loop& loop);

/// Removes the table of rules. Blocks. No driver of this pair may run.
/// Errors: FailedPrecondition (rights), NotFound (no such namespace, or no table there).
absl::Status RemoveConntrackDriver(const ConntrackDriverOptions& options);

}  // namespace mimi

#endif  // MIMI_BUILTIN_CONNTRACK_DRIVER_H_
