#ifndef MIMI_SRC_WIRE_ICMP_ECHO_H_
#define MIMI_SRC_WIRE_ICMP_ECHO_H_

/// \file
/// Echo requests and replies: ICMP (RFC 792) and ICMPv6 (RFC 4443 section 4).
///
///     type (8 or 128; reply 0 or 129), code 0, checksum, identifier, sequence number, data
///
/// Our data is a token of 8 bytes that nobody else can guess.
///
/// Threads: any.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mimi::internal {

enum class IcmpFamily : std::uint8_t { kV4, kV6 };

struct IcmpEcho {
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  std::uint64_t token = 0;
  friend bool operator==(const IcmpEcho&, const IcmpEcho&) = default;
};

inline constexpr std::size_t kIcmpEchoSize = 16;

/// A request. The checksum of an ICMPv6 one is the kernel's to fill in.
std::array<std::byte, kIcmpEchoSize> EncodeEchoRequest(IcmpFamily family, const IcmpEcho& echo);

/// nullopt: it is no reply of that family with eight bytes of data or more.
/// `with_ip_header`: the bytes begin with an IPv4 header, as raw sockets hand it out.
std::optional<IcmpEcho> ParseEchoReply(IcmpFamily family, bool with_ip_header,
                                       std::span<const std::byte> bytes);

/// RFC 1071, of an even or odd number of bytes, on top of `sum`.
std::uint16_t InternetChecksum(std::span<const std::byte> bytes, std::uint32_t sum = 0);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_ICMP_ECHO_H_
