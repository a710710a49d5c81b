#include "src/wire/bfd.h"

#include "src/base/bytes.h"

namespace mimi::internal {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kPoll = 0x20, kFinal = 0x10, kIndependent = 0x08, kAuthentication = 0x04,
                       kDemand = 0x02, kMultipoint = 0x01;

BfdRefusal Refuse(std::uint8_t first, std::uint8_t flags, std::uint8_t length, std::size_t size,
                  const BfdPacket& packet) {
  if (first >> 5 != kVersion) {
    return BfdRefusal::kVersion;
  }
  if (length < kBfdPacketSize) {
    return BfdRefusal::kLength;
  }
  if (length > size) {
    return BfdRefusal::kTruncated;
  }
  if (packet.multiplier == 0) {
    return BfdRefusal::kMultiplier;
  }
  if ((flags & kMultipoint) != 0) {
    return BfdRefusal::kMultipoint;
  }
  if (packet.my_discriminator == 0) {
    return BfdRefusal::kMyDiscriminator;
  }
  if (packet.your_discriminator == 0 &&
      (packet.state == BfdState::kInit || packet.state == BfdState::kUp)) {
    return BfdRefusal::kYourDiscriminator;
  }
  if ((flags & kAuthentication) != 0) {
    return BfdRefusal::kAuthenticated;
  }
  return (flags & kDemand) != 0 ? BfdRefusal::kDemand : BfdRefusal::kNone;
}

std::uint32_t Microseconds(std::chrono::microseconds interval) {
  return static_cast<std::uint32_t>(interval.count());
}

}  // namespace

BfdRefusal ParseBfd(std::span<const std::byte> bytes, BfdPacket* packet) {
  Puller in(bytes);
  std::uint8_t first, flags, length;
  std::uint32_t tx, rx, echo;
  BfdPacket read;
  if (!in.Be(&first) || !in.Be(&flags) || !in.Be(&read.multiplier) || !in.Be(&length) ||
      !in.Be(&read.my_discriminator) || !in.Be(&read.your_discriminator) || !in.Be(&tx) ||
      !in.Be(&rx) || !in.Be(&echo)) {
    return BfdRefusal::kTruncated;
  }
  read.diagnostic = static_cast<BfdDiagnostic>(first & 0x1f);
  read.state = static_cast<BfdState>(flags >> 6);
  read.poll = (flags & kPoll) != 0;
  read.final = (flags & kFinal) != 0;
  read.control_plane_independent = (flags & kIndependent) != 0;
  read.desired_min_tx = std::chrono::microseconds(tx);
  read.required_min_rx = std::chrono::microseconds(rx);
  read.required_min_echo_rx = std::chrono::microseconds(echo);
  const BfdRefusal refusal = Refuse(first, flags, length, bytes.size(), read);
  if (refusal == BfdRefusal::kNone) {
    *packet = read;
  }
  return refusal;
}

std::array<std::byte, kBfdPacketSize> EncodeBfd(const BfdPacket& packet) {
  std::array<std::byte, kBfdPacketSize> bytes;
  const auto diagnostic = static_cast<unsigned>(packet.diagnostic);
  const auto state = static_cast<unsigned>(packet.state);
  const unsigned flags = state << 6 | (packet.poll ? kPoll : 0U) | (packet.final ? kFinal : 0U) |
                         (packet.control_plane_independent ? kIndependent : 0U);
  bytes[0] = static_cast<std::byte>(kVersion << 5 | (diagnostic & 0x1f));
  bytes[1] = static_cast<std::byte>(flags);
  bytes[2] = static_cast<std::byte>(packet.multiplier);
  bytes[3] = static_cast<std::byte>(kBfdPacketSize);
  StoreBe(&bytes[4], packet.my_discriminator);
  StoreBe(&bytes[8], packet.your_discriminator);
  StoreBe(&bytes[12], Microseconds(packet.desired_min_tx));
  StoreBe(&bytes[16], Microseconds(packet.required_min_rx));
  StoreBe(&bytes[20], Microseconds(packet.required_min_echo_rx));
  return bytes;
}

std::string_view BfdStateName(BfdState state) {
  constexpr std::string_view kNames[] = {"AdminDown", "Down", "Init", "Up"};
  return kNames[static_cast<std::uint8_t>(state) & 3];
}

std::string_view BfdDiagnosticName(BfdDiagnostic diagnostic) {
  constexpr std::string_view kNames[] = {"no diagnostic",
                                         "control detection time expired",
                                         "echo function failed",
                                         "neighbour signalled session down",
                                         "forwarding plane reset",
                                         "path down",
                                         "concatenated path down",
                                         "administratively down",
                                         "reverse concatenated path down"};
  const auto at = static_cast<std::size_t>(diagnostic);
  return at < std::size(kNames) ? kNames[at] : "unknown diagnostic";
}

std::string_view BfdRefusalName(BfdRefusal refusal) {
  constexpr std::string_view kNames[kBfdRefusals] = {
      "none",          "truncated",  "version",          "length",
      "multiplier",    "multipoint", "my_discriminator", "your_discriminator",
      "authenticated", "demand"};
  return kNames[static_cast<std::size_t>(refusal)];
}

}  // namespace mimi::internal
