// Logged packets from hostile bytes: as netlink datagrams, and as what a datagram carries.
#include <cstdint>
#include <span>

#include "fuzz/fuzz.h"
#include "src/wire/ip_packet.h"
#include "src/wire/nflog.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  mimi::IpPacket packet;
  (void)mimi::ParseIpPacket(bytes, &packet);
  mimi::NetlinkReader reader(bytes);
  for (mimi::NetlinkMessage message; reader.Next(&message);) {
    mimi::NflogPacket logged;
    if (mimi::ParseNflogPacket(message, &logged) == mimi::NflogRefusal::kNone) {
      (void)mimi::ParseIpPacket(logged.payload, &packet);
    }
  }
  return 0;
}
