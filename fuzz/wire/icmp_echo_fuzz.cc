// Echo replies from hostile bytes, of both families, with and without an IPv4 header; what is
// accepted comes back the same from a reply that was made of it.
//
// Input: a byte whose bit 0 says IPv6 and bit 1 an IPv4 header, then what a socket received.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "fuzz/fuzz.h"
#include "src/wire/icmp_echo.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mimi::internal::IcmpEcho;
  using mimi::internal::IcmpFamily;
  const auto input = std::as_bytes(std::span(data, size));
  if (input.empty()) {
    return 0;
  }
  const IcmpFamily family = (data[0] & 1) != 0 ? IcmpFamily::kV6 : IcmpFamily::kV4;
  const auto packet = input.subspan(1);
  const std::optional<IcmpEcho> echo =
      mimi::internal::ParseEchoReply(family, (data[0] & 2) != 0, packet);
  if (!echo.has_value()) {
    return 0;
  }
  auto reply = mimi::internal::EncodeEchoRequest(family, *echo);
  if (mimi::internal::ParseEchoReply(family, false, reply).has_value()) {
    std::abort();  // our own request, as a loopback shows it, is no answer
  }
  reply[0] = family == IcmpFamily::kV4 ? std::byte{0} : std::byte{129};
  if (packet.size() < reply.size() ||
      mimi::internal::ParseEchoReply(family, false, reply) != echo) {
    std::abort();
  }
  return 0;
}
