#ifndef MIMI_SRC_WIRE_NET_DEV_H_
#define MIMI_SRC_WIRE_NET_DEV_H_

/// \file
/// Packet counters as Linux prints them in /proc/net/dev (net/core/net-procfs.c): two lines of
/// headings, then for each interface
///
///     name: rx_bytes rx_packets errs drop fifo frame compressed multicast tx_bytes tx_packets …
///
/// Threads: any.

#include <cstdint>
#include <optional>
#include <string_view>

namespace mimi::internal {

struct NetDevPackets {
  std::uint64_t received = 0, sent = 0;

  friend bool operator==(const NetDevPackets&, const NetDevPackets&) = default;
};

/// nullopt: there is no such interface, or its line is not as above.
std::optional<NetDevPackets> FindNetDev(std::string_view text, std::string_view interface);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_NET_DEV_H_
