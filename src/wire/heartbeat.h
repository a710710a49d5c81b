#ifndef MIMI_SRC_WIRE_HEARTBEAT_H_
#define MIMI_SRC_WIRE_HEARTBEAT_H_

/// \file
/// The packets between a beacon and a heartbeat (mimi/builtin/heartbeat.h): one UDP datagram of 88
/// bytes each, big-endian.
///
///     offset size
///          0    4  magic "MiHB"
///          4    1  version 1
///          5    1  kind: 1 beat, 2 challenge
///          6    1  flags: 1 the node finds itself well (beats)
///          7    1  multiplier: lost beats that mean death, not 0 (beats)
///          8    8  node: the hash of the beacon's node name (record.h: OriginOf)
///         16    8  session: random, one for each life of the beacon
///         24    8  sequence: of beats, from 1; a challenge repeats that of the beat it answers
///         32   16  nonce: given by a challenge, repeated by beats; 0 before the first challenge
///         48    4  interval between beats, µs, not 0 (beats)
///         52    4  reserved, 0
///         56   32  HMAC-SHA-256 of everything before it
///
/// Threads: any.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mimi::internal {

enum class HeartbeatKind : std::uint8_t { kBeat = 1, kChallenge = 2 };
using HeartbeatNonce = std::array<std::byte, 16>;

struct HeartbeatPacket {
  HeartbeatKind kind = HeartbeatKind::kBeat;
  bool well = false;
  std::uint8_t multiplier = 0;
  std::uint64_t node = 0;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  HeartbeatNonce nonce{};
  std::chrono::microseconds interval{};

  friend bool operator==(const HeartbeatPacket&, const HeartbeatPacket&) = default;
};

enum class HeartbeatRefusal : std::uint8_t {
  kNone,
  kFormat,          ///< size, magic, version or kind
  kUnauthentic,     ///< the HMAC is not ours: another key, or somebody else
  kValues,          ///< authentic, but with a multiplier or interval of 0
  kOtherNode,       ///< of a node that is not listened to
  kUnknownSession,  ///< not yet challenged, or of a session that is over: answered by a challenge
  kReplayed,        ///< seen before, or too old to tell
};
inline constexpr std::size_t kHeartbeatRefusals = 7;
std::string_view HeartbeatRefusalName(HeartbeatRefusal refusal);

inline constexpr std::size_t kHeartbeatPacketSize = 88;

HeartbeatRefusal ParseHeartbeat(std::span<const std::byte> bytes, std::span<const std::byte> key,
                                HeartbeatPacket* packet);
std::array<std::byte, kHeartbeatPacketSize> EncodeHeartbeat(const HeartbeatPacket& packet,
                                                            std::span<const std::byte> key);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_HEARTBEAT_H_
