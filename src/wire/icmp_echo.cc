#include "src/wire/icmp_echo.h"

#include "src/base/bytes.h"

namespace mimi::internal {
namespace {

struct Types {
  std::uint8_t request, reply;
};

constexpr Types TypesOf(IcmpFamily family) {
  return family == IcmpFamily::kV4 ? Types{8, 0} : Types{128, 129};
}

// Of the header length in its first byte (RFC 791: units of four bytes, at least five of them).
bool SkipIpHeader(Puller* in) {
  if (in->done()) {
    return false;
  }
  const auto first = static_cast<std::uint8_t>(in->rest().front());
  const std::size_t size = std::size_t{first & 0x0fU} * 4;
  return first >> 4 == 4 && size >= 20 && in->Skip(size);
}

}  // namespace

std::uint16_t InternetChecksum(std::span<const std::byte> bytes, std::uint32_t sum) {
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    sum += LoadBe<std::uint16_t>(&bytes[i]);
  }
  if (i < bytes.size()) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8;
  }
  while (sum >> 16 != 0) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

std::array<std::byte, kIcmpEchoSize> EncodeEchoRequest(IcmpFamily family, const IcmpEcho& echo) {
  std::array<std::byte, kIcmpEchoSize> bytes{};
  bytes[0] = static_cast<std::byte>(TypesOf(family).request);
  StoreBe(&bytes[4], echo.identifier);
  StoreBe(&bytes[6], echo.sequence);
  StoreBe(&bytes[8], echo.token);
  if (family == IcmpFamily::kV4) {
    StoreBe(&bytes[2], InternetChecksum(bytes));
  }
  return bytes;
}

std::optional<IcmpEcho> ParseEchoReply(IcmpFamily family, bool with_ip_header,
                                       std::span<const std::byte> bytes) {
  Puller in(bytes);
  std::uint8_t type = 0, code = 0;
  IcmpEcho echo;
  if ((with_ip_header && !SkipIpHeader(&in)) || !in.Be(&type) || !in.Be(&code) || !in.Skip(2) ||
      !in.Be(&echo.identifier) || !in.Be(&echo.sequence) || !in.Be(&echo.token) ||
      type != TypesOf(family).reply || code != 0) {
    return std::nullopt;
  }
  return echo;
}

}  // namespace mimi::internal
