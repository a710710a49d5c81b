#include "src/wire/ip_packet.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "src/base/bytes.h"

namespace mimi {
namespace {

using View = std::span<const std::byte>;

constexpr std::size_t kPayload = 32;  // of its bytes count

std::uint8_t U8(View bytes, std::size_t at) {
  return std::to_integer<std::uint8_t>(bytes[at]);
}
std::uint16_t U16(View bytes, std::size_t at) {
  return LoadBe<std::uint16_t>(bytes.data() + at);
}
std::uint32_t U32(View bytes, std::size_t at) {
  return LoadBe<std::uint32_t>(bytes.data() + at);
}

// Not keyed: who can choose packets gains nothing but a refused join of his own.
class Fingerprint {
 public:
  void Add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 29;
  }
  void AddBytes(View bytes) {
    bytes = bytes.first(std::min(bytes.size(), kPayload));
    Add(bytes.size());
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
      Add(LoadBe<std::uint64_t>(bytes.data()));
    }
    for (const std::byte byte : bytes) {
      Add(std::to_integer<std::uint64_t>(byte));
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325U;
};

IpRefusal ParseTransport(View bytes, IpPacket* packet, Fingerprint print) {
  print.Add(packet->protocol);
  switch (packet->protocol) {
    case 6:
      if (bytes.size() < 14) {
        return IpRefusal::kTruncated;
      }
      packet->sport = U16(bytes, 0);
      packet->dport = U16(bytes, 2);
      packet->tcp_flags = U8(bytes, 13);
      print.Add(std::uint64_t{U32(bytes, 4)} << 32 | U32(bytes, 8));
      print.Add(packet->tcp_flags);
      break;
    case 17:
    case 136:  // UDP-Lite
      if (bytes.size() < 8) {
        return IpRefusal::kTruncated;
      }
      packet->sport = U16(bytes, 0);
      packet->dport = U16(bytes, 2);
      print.AddBytes(bytes.subspan(8));
      break;
    case 132:
      if (bytes.size() < 8) {
        return IpRefusal::kTruncated;
      }
      packet->sport = U16(bytes, 0);
      packet->dport = U16(bytes, 2);
      print.Add(U32(bytes, 4));
      print.AddBytes(bytes.subspan(std::min<std::size_t>(bytes.size(), 12)));
      break;
    case 1:
    case 58:
      if (bytes.size() < 8) {
        return IpRefusal::kTruncated;
      }
      packet->dport = U16(bytes, 0);
      packet->sport = U16(bytes, 4);
      print.Add(packet->dport);
      print.Add(U16(bytes, 6));
      print.AddBytes(bytes.subspan(8));
      break;
    default:
      return IpRefusal::kUnknown;
  }
  packet->fingerprint = print.value();
  return IpRefusal::kNone;
}

IpRefusal ParseV4(View bytes, IpPacket* packet) {
  if (bytes.size() < 20) {
    return IpRefusal::kTruncated;
  }
  const std::size_t header = std::size_t{U8(bytes, 0)} % 16 * 4;
  if (header < 20 || bytes.size() < header) {
    return IpRefusal::kTruncated;
  }
  if ((U16(bytes, 6) & 0x1fff) != 0) {
    return IpRefusal::kFragment;
  }
  Ipv4 address;
  std::memcpy(address.octets.data(), bytes.data() + 12, 4);
  packet->src = address;
  std::memcpy(address.octets.data(), bytes.data() + 16, 4);
  packet->dst = address;
  packet->protocol = U8(bytes, 9);
  Fingerprint print;
  print.Add(std::uint64_t{U16(bytes, 2)} << 16 | U16(bytes, 4));  // length, identification
  return ParseTransport(bytes.subspan(header), packet, print);
}

IpRefusal ParseV6(View bytes, IpPacket* packet) {
  if (bytes.size() < 40) {
    return IpRefusal::kTruncated;
  }
  std::memcpy(packet->src.octets.data(), bytes.data() + 8, 16);
  std::memcpy(packet->dst.octets.data(), bytes.data() + 24, 16);
  Fingerprint print;
  print.Add(std::uint64_t{U16(bytes, 4)} << 32 | (U32(bytes, 0) & 0xfffff));  // length, flow label
  std::uint8_t next = U8(bytes, 6);
  bytes = bytes.subspan(40);
  // Hop-by-hop, routing, destination options; a first fragment. All say how long they are.
  for (int headers = 0; headers < 8; ++headers) {
    if (next != 0 && next != 43 && next != 44 && next != 60) {
      packet->protocol = next;
      return ParseTransport(bytes, packet, print);
    }
    if (bytes.size() < 8) {
      return IpRefusal::kTruncated;
    }
    if (next == 44 && (U16(bytes, 2) & 0xfff8) != 0) {
      return IpRefusal::kFragment;
    }
    const std::size_t size = next == 44 ? 8 : (std::size_t{U8(bytes, 1)} + 1) * 8;
    if (bytes.size() < size) {
      return IpRefusal::kTruncated;
    }
    next = U8(bytes, 0);
    bytes = bytes.subspan(size);
  }
  return IpRefusal::kUnknown;
}

}  // namespace

std::string_view IpRefusalName(IpRefusal refusal) {
  constexpr std::array<std::string_view, kIpRefusals> kNames = {"none", "not_ip", "truncated",
                                                                "fragment", "unknown_protocol"};
  return kNames[std::min<std::size_t>(static_cast<std::size_t>(refusal), kIpRefusals - 1)];
}

IpRefusal ParseIpPacket(std::span<const std::byte> bytes, IpPacket* packet) {
  *packet = IpPacket();
  if (bytes.empty()) {
    return IpRefusal::kTruncated;
  }
  switch (U8(bytes, 0) >> 4) {
    case 4:
      return ParseV4(bytes, packet);
    case 6:
      return ParseV6(bytes, packet);
    default:
      return IpRefusal::kNotIp;
  }
}

}  // namespace mimi
