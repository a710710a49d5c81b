#ifndef MIMI_SRC_WIRE_RTNETLINK_H_
#define MIMI_SRC_WIRE_RTNETLINK_H_

// Routes, next hops and addresses of the kernel as rtnetlink speaks of them (linux/rtnetlink.h,
// linux/nexthop.h, linux/if_addr.h; rtnetlink(7)): requests, and what dumps answer.
//
//   AppendRoute(writer, {.destination = …, .gateway = …}, sequence);  // RTM_NEWROUTE
//   AppendDumpRoutes(writer, true, 254, sequence);
//   if (RtRoute route; ParseRoute(message, &route)) { … }
//
// Threads: any.

#include <cstdint>

#include "mimi/types.h"

#include "src/wire/netlink.h"

namespace mimi::internal {

struct RtRoute {
  Ip destination{};  ///< its first address
  int length = 0;    ///< of the prefix, in the destination's own family
  std::uint32_t table = 254;
  std::uint32_t metric = 0;  ///< IPv6: the kernel makes 1024 of 0
  Ip gateway{};              ///< `::`: on the link. Of another family than the destination: RTA_VIA
  std::uint32_t interface = 0;
  /// Parsed only: an ordinary route by one next hop, of which the above says all.
  bool plain = true;

  friend bool operator==(const RtRoute&, const RtRoute&) = default;
};

struct RtNextHop {
  std::uint32_t id = 0;
  Ip gateway{};
  std::uint32_t interface = 0;

  friend bool operator==(const RtNextHop&, const RtNextHop&) = default;
};

struct RtAddress {
  Ip address{};
  int length = 0;
  std::uint32_t interface = 0;

  friend bool operator==(const RtAddress&, const RtAddress&) = default;
};

/// Replaces the route to that destination with that metric, or adds it.
void AppendRoute(NetlinkWriter& writer, const RtRoute& route, std::uint32_t sequence);
/// Replaces the next hop of that id, or adds it. REQUIRES: a gateway.
void AppendNextHop(NetlinkWriter& writer, const RtNextHop& hop, std::uint32_t sequence);
/// Asks for the next hop of that id.
void AppendGetNextHop(NetlinkWriter& writer, std::uint32_t id, std::uint32_t sequence);
/// Usable at once: IPv6 without duplicate address detection (RFC 4862 section 5.4), which would
/// find the box that had it before. An address that is there stays.
void AppendNewAddress(NetlinkWriter& writer, const RtAddress& address, std::uint32_t sequence);
/// IPv4: whatever the length of its prefix is.
void AppendDeleteAddress(NetlinkWriter& writer, const RtAddress& address, std::uint32_t sequence);

/// The dump of one table, with strict checking (NETLINK_GET_STRICT_CHK) of nothing else.
void AppendDumpRoutes(NetlinkWriter& writer, bool v4, std::uint32_t table, std::uint32_t sequence);
/// Both families.
void AppendDumpAddresses(NetlinkWriter& writer, std::uint32_t interface, std::uint32_t sequence);

/// False: another message, another family, or a damaged one.
bool ParseRoute(const NetlinkMessage& message, RtRoute* route);
bool ParseNextHop(const NetlinkMessage& message, RtNextHop* hop);
bool ParseAddress(const NetlinkMessage& message, RtAddress* address);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_RTNETLINK_H_
