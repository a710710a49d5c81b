#include "src/wire/arp_nd.h"

#include <cstring>
#include <span>

#include "src/base/bytes.h"
#include "src/wire/icmp_echo.h"

namespace mimi::internal {
namespace {

constexpr Mac kBroadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr Mac kAllNodesMac = {{0x33, 0x33, 0, 0, 0, 1}};  // RFC 2464 section 7
constexpr Ipv6 kAllNodes = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr std::uint16_t kArp = 0x0806, kIpv6 = 0x86dd;
constexpr std::size_t kEthernet = 14, kIpv6Header = 40;
constexpr std::uint8_t kIcmpv6 = 58, kAdvertisement = 136, kTargetLinkLayer = 2;
constexpr std::uint8_t kRouter = 0x80, kOverride = 0x20;  // of the flags R, S, O of a byte

template <class Octets>
void Put(std::byte* at, const Octets& octets) {
  std::memcpy(at, octets.data(), octets.size());
}

void PutEthernet(std::byte* at, const Mac& to, const Mac& from, std::uint16_t type) {
  Put(at, to.octets);
  Put(at + 6, from.octets);
  StoreBe(at + 12, type);
}

}  // namespace

std::array<std::byte, kGratuitousArpSize> GratuitousArp(const Mac& source, const Mac& owner,
                                                        const Ipv4& address, ArpForm form) {
  std::array<std::byte, kGratuitousArpSize> frame{};
  PutEthernet(frame.data(), kBroadcast, source, kArp);
  std::byte* arp = frame.data() + kEthernet;
  StoreBe(arp, std::uint16_t{1});           // hardware: Ethernet
  StoreBe(arp + 2, std::uint16_t{0x0800});  // protocol: IPv4
  arp[4] = std::byte{6};
  arp[5] = std::byte{4};
  StoreBe(arp + 6, static_cast<std::uint16_t>(form));
  Put(arp + 8, owner.octets);
  Put(arp + 14, address.octets);
  // The target's hardware address means nothing in a request, and is the owner's again in a reply.
  if (form == ArpForm::kReply) {
    Put(arp + 18, owner.octets);
  }
  Put(arp + 24, address.octets);
  return frame;
}

std::array<std::byte, kUnsolicitedAdvertisementSize> UnsolicitedAdvertisement(const Mac& source,
                                                                              const Mac& owner,
                                                                              const Ipv6& address,
                                                                              bool router) {
  constexpr std::uint16_t kPayload = kUnsolicitedAdvertisementSize - kEthernet - kIpv6Header;
  std::array<std::byte, kUnsolicitedAdvertisementSize> frame{};
  PutEthernet(frame.data(), kAllNodesMac, source, kIpv6);

  std::byte* ip = frame.data() + kEthernet;
  ip[0] = std::byte{0x60};
  StoreBe(ip + 4, kPayload);
  ip[6] = std::byte{kIcmpv6};
  ip[7] = std::byte{255};  // RFC 4861 section 7.1.2: anything less is dropped
  Put(ip + 8, address.octets);
  Put(ip + 24, kAllNodes.octets);

  std::byte* icmp = ip + kIpv6Header;
  icmp[0] = std::byte{kAdvertisement};
  icmp[4] = std::byte{kOverride} | (router ? std::byte{kRouter} : std::byte{0});
  Put(icmp + 8, address.octets);
  icmp[24] = std::byte{kTargetLinkLayer};
  icmp[25] = std::byte{1};  // in units of eight bytes
  Put(icmp + 26, owner.octets);

  // RFC 8200 section 8.1: the pseudo header's addresses, length and next header come first.
  std::uint32_t sum = kPayload + std::uint32_t{kIcmpv6};
  for (std::size_t i = 8; i < kIpv6Header; i += 2) {
    sum += LoadBe<std::uint16_t>(ip + i);
  }
  StoreBe(icmp + 2, InternetChecksum(std::span(icmp, kPayload), sum));
  return frame;
}

}  // namespace mimi::internal
