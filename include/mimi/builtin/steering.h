#ifndef MIMI_BUILTIN_STEERING_H_
#define MIMI_BUILTIN_STEERING_H_

/// \file
/// The steerings that come with the library (steering.h says what a steering is).
///
/// | | moves | needs |
/// |---|---|---|
/// | route | routes, or a next-hop object, of this host's kernel: this host is the router in front of the pair | CAP_NET_ADMIN |
/// | address | an address that the users talk to (VIP), to an interface of this host: it runs on the minion | CAP_NET_ADMIN, CAP_NET_RAW |
/// | command | whatever your programs move: a router's API, a cloud's route table | |
/// | passive | nothing: the network moves traffic by itself, mimi watches and follows | |
///
/// Two roles in one sentence: `Divert` makes things as they are for the minion, `Restore` as they
/// are for the primary; both say OK at once when it is so already.
///
/// Threads: the loop thread only. `network_namespace`: a name below /run/netns or an absolute path
/// (CAP_SYS_ADMIN is needed then); empty: the one of the thread that calls the factory.
/// Lifetime: the loop outlives them.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/steering.h"
#include "mimi/types.h"

namespace mimi {

struct IpPrefix {
  Ip address{};
  /// Of the address's own family: 0 to 32, or 0 to 128.
  int length = 0;
};

struct NextHop {
  /// None (`::`): the destination is on the link.
  Ip gateway{};
  /// Empty: the kernel finds it by the gateway.
  std::string interface {};
};

/// Routes through the primary or the minion (rtnetlink, `linux/rtnetlink.h`).
///
/// Either `prefixes`, each of which gets its route replaced, in one system call for all; or
/// `nexthop_id`, a next-hop object (`ip nexthop add id 10 via … dev …`) that any number of routes
/// may use and one replacement moves. A move waits for nothing but the kernel; it is in force for
/// the next packet.
///
/// Observe reads the kernel's table. It answers Unavailable while there is no such route, it leads
/// to neither box, or prefixes disagree; the next Divert or Restore puts that right. It reads the
/// whole table `table`, in slices: on a router with a full Internet table give the pair's prefixes
/// a table of their own (`ip rule add to … lookup 100`), or use a next-hop object.
///
/// The kernel takes routes away with their interface, and next-hop objects with all routes that use
/// them: reach both boxes by one interface (a switch between), or by interfaces that do not go down
/// with a box.
struct RouteSteeringOptions {
  std::vector<IpPrefix> prefixes{};
  std::uint32_t nexthop_id = 0;
  /// An IPv6 gateway serves prefixes of both families (RFC 8950), an IPv4 gateway those of IPv4. A
  /// next-hop object needs gateway and interface.
  NextHop primary{};
  NextHop minion{};
  std::uint32_t table = 254;  ///< main
  /// Of the routes; of several to one prefix the kernel takes the smallest. 0: its default.
  std::uint32_t metric = 0;
  std::string network_namespace{};
  LogCallback log{};
};
/// Errors: InvalidArgument (an option), FailedPrecondition (no such interface, rights), NotFound
/// (no such namespace).
absl::StatusOr<std::unique_ptr<Steering>> NewRouteSteering(const RouteSteeringOptions& options,
                                                           Loop& loop);

/// Addresses that move between the boxes (VRRP's effect, without its protocol).
///
/// Divert adds them to `minion_interface` of this host and announces them: gratuitous ARP (RFC 5227
/// section 3, as request and as reply) for IPv4, unsolicited neighbour advertisement (RFC 4861
/// section 7.2.6) for IPv6, without duplicate address detection; at once, and `announcements` times
/// in all, since they may get lost, as long as the interface still has them. Restore removes them.
/// Where the primary is an interface of this host too (`primary_interface`), they move back there;
/// else, where `primary_mac` is given, they are announced for that address, so that neighbours find
/// a box that cannot announce itself. A box that keeps the address and stays alive answers for it,
/// too: planned moves away from such a box need another steering. All changes of a move are one
/// system call. The addresses stay when this process ends.
///
/// Observe: the minion when all addresses are on `minion_interface`, the primary when none is;
/// Unavailable in between.
struct AddressSteeringOptions {
  /// The length is that of the interface's network: 32 or 128 for an address alone.
  std::vector<IpPrefix> addresses{};
  std::string minion_interface{};
  std::string primary_interface{};
  std::optional<Mac> primary_mac{};
  int announcements = 5;
  Duration announce_every = std::chrono::milliseconds(200);
  std::string network_namespace{};
  LogCallback log{};
};
/// Errors: InvalidArgument (an option), FailedPrecondition (no such interface, rights), NotFound
/// (no such namespace).
absl::StatusOr<std::unique_ptr<Steering>> NewAddressSteering(const AddressSteeringOptions& options,
                                                             Loop& loop);

/// Programs of the operator.
///
/// Each is an argument vector, run without a shell, with this process's environment and, for a
/// move, MIMI_TO=primary or MIMI_TO=minion. It has a process group of its own, and input and output
/// from and to nowhere but the ends that are read here: what it writes to standard error is shown
/// when it fails (the last 512 bytes). Exit code 0 is success. One that runs longer than `deadline`
/// is killed, with its group, and the move has failed; whether it had its effect, `observe` says.
/// Programs must be idempotent. One that still runs when this process is killed is killed with it;
/// what it had started itself runs on: keep them short, against the manager's `lease_ttl`.
///
/// `observe` writes "primary" or "minion" to standard output; it has to look at what really is,
/// since a restarted manager acts on its answer.
struct CommandSteeringOptions {
  std::vector<std::string> divert{};
  std::vector<std::string> restore{};
  std::vector<std::string> observe{};
  /// Each vector is then one string for `/bin/sh -c`.
  bool shell = false;
  Duration deadline = std::chrono::seconds(5);
  LogCallback log{};
};
/// Errors: InvalidArgument (an option).
absl::StatusOr<std::unique_ptr<Steering>> NewCommandSteering(const CommandSteeringOptions& options,
                                                             Loop& loop);

/// The network moves traffic by itself (a fast-failover group, VRRP, a routing protocol). Who holds
/// the traffic is the newest claimant in the store, unless `observe` (as above) can tell.
struct PassiveSteeringOptions {
  std::vector<std::string> observe{};
  bool shell = false;
  Duration deadline = std::chrono::seconds(5);
  LogCallback log{};
};
/// Errors: InvalidArgument (an option).
absl::StatusOr<std::unique_ptr<Steering>> NewPassiveSteering(const PassiveSteeringOptions& options,
                                                             Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_STEERING_H_
