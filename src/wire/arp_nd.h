#ifndef MIMI_SRC_WIRE_ARP_ND_H_
#define MIMI_SRC_WIRE_ARP_ND_H_

/// \file
/// Ethernet frames that tell neighbours where an address has gone.
///
/// Threads: any.

#include <array>
#include <cstddef>
#include <cstdint>

#include "mimi/types.h"

namespace mimi::internal {

inline constexpr std::size_t kGratuitousArpSize = 42;
inline constexpr std::size_t kUnsolicitedAdvertisementSize = 86;

/// As a request it is the ARP Announcement of RFC 5227 section 3; some stacks heed only the reply.
enum class ArpForm : std::uint8_t { kRequest = 1, kReply = 2 };

/// Broadcast from `source`: `address` is at `owner` (RFC 826; sender and target address are the
/// same).
std::array<std::byte, kGratuitousArpSize> GratuitousArp(const Mac& source, const Mac& owner,
                                                        const Ipv4& address, ArpForm form);

/// To all nodes (ff02::1) from `source`: `address` is at `owner`, override what you knew (RFC 4861
/// sections 4.4 and 7.2.6). `router`: it forwards packets. Who uses it as a default router drops it
/// when an advertisement says that it does not (section 7.2.5).
std::array<std::byte, kUnsolicitedAdvertisementSize> UnsolicitedAdvertisement(const Mac& source,
                                                                              const Mac& owner,
                                                                              const Ipv6& address,
                                                                              bool router);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_ARP_ND_H_
