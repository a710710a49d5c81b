#ifndef MIMI_SRC_WIRE_IP_PACKET_H_
#define MIMI_SRC_WIRE_IP_PACKET_H_

// The first bytes of an IP packet: whose it is, and what of it translation leaves alone.
//
//   IpPacket packet;
//   if (ParseIpPacket(bytes, &packet) == IpRefusal::kNone) { … packet.src, packet.fingerprint … }
//
// Formats: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 9260, RFC 792, RFC 4443.
//
// Threads: functions without state.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mimi/types.h"

namespace mimi {

struct IpPacket {
  Ip src;
  Ip dst;
  /// Of ICMP and ICMPv6 the identifier and type << 8 | code, as in CtTuple.
  std::uint16_t sport = 0;
  std::uint16_t dport = 0;
  std::uint8_t protocol = 0;
  std::uint8_t tcp_flags = 0;
  /// A hash of what stays the same when addresses and ports are translated and hops are counted:
  /// sequence numbers, IP identification, length, the first bytes of the payload. The same packet
  /// seen at two places has the same.
  std::uint64_t fingerprint = 0;
};

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpAck = 0x10;

enum class IpRefusal : std::uint8_t {
  kNone,
  kNotIp,      ///< neither version 4 nor 6
  kTruncated,  ///< ends before its ports
  kFragment,   ///< not the first: it has no ports
  kUnknown,    ///< a protocol without ports or identifiers
};
inline constexpr std::size_t kIpRefusals = 5;
std::string_view IpRefusalName(IpRefusal refusal);

/// `bytes` may end anywhere after the ports; more of them make the fingerprint surer.
IpRefusal ParseIpPacket(std::span<const std::byte> bytes, IpPacket* packet);

}  // namespace mimi

#endif  // MIMI_SRC_WIRE_IP_PACKET_H_
