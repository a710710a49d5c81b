#ifndef MIMI_BUILTIN_NETFILTER_MINION_H_
#define MIMI_BUILTIN_NETFILTER_MINION_H_

/// \file
/// The Linux kernel as a minion: flows are put into its connection tracking table, and its own
/// netfilter hooks go on with connections that began on another box.
///
///     auto minion = NewNetfilterMinion({.pair = "edge1", .interfaces = {"eth0", "eth1"}}, *loop);
///     options.minion.minions = {minion->get()};      // EngineOptions: rows of FlowSchema()
///     // a driver on the same box is told (*minion)->port_id(): events that carry it are echoes
///
/// A row becomes a conntrack entry as it arrives: original tuple, translation (destination, source,
/// both or none), TCP window scales, mark, zone. A packet of that flow is then translated and
/// passed on as the box before would have, whatever the minion's own rules say about new flows:
/// they may name other backends. So a take-over costs nothing here.
///
/// **Warm = standby.** What is made sure of, and why (CheckNetfilterMinion explains each):
/// - conntrack and NAT are switched on in the namespace: a table of ours, `inet
///   mimi_minion_<pair>`, has empty nat chains and a rule with a `ct` expression. Empty chains
///   alone do nothing.
/// - `net.netfilter.nf_conntrack_tcp_loose = 0`: an unknown packet from the middle of a connection
///   is not picked up as a new flow, to be sent to a backend that never heard of it.
/// - what is then *invalid* is dropped before the local stack can answer it with a RST.
/// - `net.netfilter.nf_conntrack_tcp_be_liberal = 1`: windows were tracked elsewhere meanwhile.
/// What stood there before is saved in `state_directory` before the first change.
///
/// **Nothing is removed** by stopping, crashing or upgrading the program: entries, hooks and
/// sysctls stay. RemoveNetfilterMinion() undoes all of it. Nothing outside the table, those sysctls
/// and the namespace given here is touched.
///
/// **Time-outs.** On standby nothing refreshes an entry, so it gets `standby_timeout`, longer than
/// any protocol's own, and is refreshed before that runs out. The first packet that passes here
/// gives it back to the kernel's own time-outs; Retire starts a round that takes them over again.
/// What is the box's own, and only rests here, gets 24 days, by which a driver beside it knows it.
/// So the time-out also tells whether an entry has seen traffic here. One that has is not ended by
/// what the other box says while this one is active: an end that comes late must not cut the
/// successor of its tuple (`mimi_netfilter_ends_kept_total`).
///
/// **Ends.** A TCP flow that ends is not deleted but demoted to TIME_WAIT for `closing_timeout`:
/// data still passes both ways, and a new SYN opens the tuple anew. Everything else is deleted, by
/// tuple and by the id of the very entry that was looked at.
///
/// **Capacity.** `nf_conntrack_max` less a reserve for what the box tracks itself. When a row more
/// does not fit, the one that was put longest ago is given up (counted in MinionState::refused, and
/// `reason` says so) so that the newest state is what survives.
///
/// Audit shows the entries of the namespace that can be rows: not those of the box's own sockets
/// (whose initiator or responder is an address of the box), no TCP before it is assured or while it
/// closes, nothing tied to a helper, an expectation or an adjusted sequence. Findings:
/// `tuple_taken` (a row refused because its translated tuple is another flow's here, such as a port
/// that both boxes allocated), `table_near_full`.
///
/// Rights: CAP_NET_ADMIN in the namespace, CAP_SYS_ADMIN to enter another one. Sources of the
/// formats: linux/netfilter/nfnetlink_conntrack.h; docs/netfilter.md tells what was tried.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives the minion. Destroying it changes nothing in the kernel.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/minion.h"
#include "mimi/types.h"

namespace mimi {

struct NetfilterMinionOptions {
  /// Names the nft table and the file of saved originals: letters, digits, '_', '-', '.'.
  std::string pair = "pair";
  /// The box's node (BoxOptions::node): rows that it wrote itself, and that come back to it when it
  /// starts again, are told from the other box's. Needed where a conntrack driver runs beside it.
  std::string node{};
  /// Where the data plane is: a name under /run/netns, an absolute path (/proc/PID/ns/net), or
  /// empty for the process's own.
  std::string network_namespace{};
  /// Where the originals are saved (mode 0700, files 0600). Must outlive reboots of the program,
  /// not of the machine: sysctls and nft tables do not either.
  std::string state_directory = "/var/lib/mimi";
  /// On which interfaces unknown mid-stream packets are dropped: those that the pair's traffic
  /// enters by. Empty: all but `lo`; then also connections to the box itself that are older than
  /// conntrack here are cut, such as the ssh session of who first starts it.
  std::vector<std::string> interfaces{};
  /// The bit of the mark by which the driver's rules tell that a TCP flow closes; never compared.
  std::uint32_t closing_mark = 0x10000000;
  /// Of entries without traffic here. Raised to two days more than the longest protocol time-out;
  /// less than 22 days.
  Duration standby_timeout = std::chrono::hours(24 * 7);
  /// Of TCP entries that were closed on the other box.
  Duration closing_timeout = std::chrono::seconds(30);
  /// Rows held at most; 0: what nf_conntrack_max allows, less `reserve_percent`.
  std::size_t max_rows = 0;
  unsigned reserve_percent = 5;
  /// Bytes of requests that may wait for the kernel; beyond it Apply says ResourceExhausted.
  std::size_t max_waiting_bytes = std::size_t{8} << 20;
  /// The program that takes rules on standard input.
  std::string nft_program = "nft";
  LogCallback log{};
};

class NetfilterMinion : public Minion {
 public:
  /// The netlink port id of all that this object changes, from the beginning to the end. An event
  /// that carries it is an echo of ours, not traffic: tell it to a driver of the same namespace.
  virtual std::uint32_t port_id() const = 0;
};

/// Errors: InvalidArgument (an option), FailedPrecondition (rights, kernel features: said by name),
/// NotFound (no such namespace).
absl::StatusOr<std::unique_ptr<NetfilterMinion>> NewNetfilterMinion(NetfilterMinionOptions options,
                                                                    Loop& loop);

/// One thing that standby needs, for `mimi check` and for who wonders why a pair is not ready.
struct NetfilterCheck {
  std::string what;      ///< "sysctl net.netfilter.nf_conntrack_tcp_loose"
  bool good = false;     ///< as standby wants it
  std::string seen;      ///< "1"
  std::string expected;  ///< "0"
  std::string why;       ///< what goes wrong otherwise
};

/// Looks, changes nothing. Blocks for a child `nft` (some 10 ms).
/// Errors: as NewNetfilterMinion.
absl::StatusOr<std::vector<NetfilterCheck>> CheckNetfilterMinion(
    const NetfilterMinionOptions& options);

/// `mimi minion remove PAIR`: puts back every saved original, removes our table and the saved file.
/// Entries are the kernel's own from then on; those that never saw traffic here are deleted, since
/// nobody would refresh or end them any more. Blocks. No minion of this pair may run.
/// Errors: FailedPrecondition (entries of ours carry traffic: their flows would lose
/// tcp_be_liberal, and NAT if our hooks are the only ones; says how many; `force` does it all the
/// same), NotFound (nothing is saved: never warmed, or removed already).
absl::Status RemoveNetfilterMinion(const NetfilterMinionOptions& options, bool force = false);

}  // namespace mimi

#endif  // MIMI_BUILTIN_NETFILTER_MINION_H_
