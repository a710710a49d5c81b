#include "src/wire/heartbeat.h"

#include <algorithm>
#include <cstring>

#include "src/base/bytes.h"
#include "src/base/sha256.h"

namespace mimi::internal {
namespace {

constexpr std::uint32_t kMagic = 0x4d694842;  // "MiHB"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kWell = 1;
constexpr std::size_t kSigned = kHeartbeatPacketSize - sizeof(Sha256Digest);

}  // namespace

HeartbeatRefusal ParseHeartbeat(std::span<const std::byte> bytes, std::span<const std::byte> key,
                                HeartbeatPacket* packet) {
  Puller in(bytes);
  HeartbeatPacket read;
  std::uint32_t magic = 0, interval = 0;
  std::uint8_t version = 0, kind = 0, flags = 0;
  std::span<const std::byte> nonce;
  if (bytes.size() != kHeartbeatPacketSize || !in.Be(&magic) || !in.Be(&version) || !in.Be(&kind) ||
      !in.Be(&flags) || !in.Be(&read.multiplier) || !in.Be(&read.node) || !in.Be(&read.session) ||
      !in.Be(&read.sequence) || !in.Take(read.nonce.size(), &nonce) || !in.Be(&interval) ||
      magic != kMagic || version != kVersion || kind < 1 || kind > 2) {
    return HeartbeatRefusal::kFormat;
  }
  if (!EqualInConstantTime(bytes.subspan(kSigned), HmacSha256(key, bytes.first(kSigned)))) {
    return HeartbeatRefusal::kUnauthentic;
  }
  read.kind = static_cast<HeartbeatKind>(kind);
  read.well = (flags & kWell) != 0;
  std::copy(nonce.begin(), nonce.end(), read.nonce.begin());
  read.interval = std::chrono::microseconds(interval);
  if (read.kind == HeartbeatKind::kBeat && (read.multiplier == 0 || interval == 0)) {
    return HeartbeatRefusal::kValues;
  }
  *packet = read;
  return HeartbeatRefusal::kNone;
}

std::array<std::byte, kHeartbeatPacketSize> EncodeHeartbeat(const HeartbeatPacket& packet,
                                                            std::span<const std::byte> key) {
  std::array<std::byte, kHeartbeatPacketSize> bytes{};
  StoreBe(&bytes[0], kMagic);
  bytes[4] = static_cast<std::byte>(kVersion);
  bytes[5] = static_cast<std::byte>(packet.kind);
  bytes[6] = static_cast<std::byte>(packet.well ? kWell : 0);
  bytes[7] = static_cast<std::byte>(packet.multiplier);
  StoreBe(&bytes[8], packet.node);
  StoreBe(&bytes[16], packet.session);
  StoreBe(&bytes[24], packet.sequence);
  std::copy(packet.nonce.begin(), packet.nonce.end(), bytes.begin() + 32);
  StoreBe(&bytes[48], static_cast<std::uint32_t>(packet.interval.count()));
  const Sha256Digest digest = HmacSha256(key, std::span(bytes).first(kSigned));
  std::copy(digest.begin(), digest.end(), bytes.begin() + kSigned);
  return bytes;
}

std::string_view HeartbeatRefusalName(HeartbeatRefusal refusal) {
  constexpr std::string_view kNames[kHeartbeatRefusals] = {
      "none", "format", "unauthentic", "values", "other_node", "unknown_session", "replayed"};
  return kNames[static_cast<std::size_t>(refusal)];
}

}  // namespace mimi::internal
