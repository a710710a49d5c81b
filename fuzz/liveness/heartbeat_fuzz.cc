// Heartbeats from hostile bytes. The HMAC is set right first, or nothing but it would ever be
// tried. What is accepted is the same when it is written and read again, no listener believes it
// without a challenge, and nobody beats because of it but the beacon that it is for.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "fuzz/fuzz.h"
#include "src/liveness/heartbeat_session.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mimi::internal;
  using std::chrono::milliseconds;
  const std::vector<std::byte> key(32, std::byte{7});
  const auto input = std::as_bytes(std::span(data, size));
  std::vector<std::byte> bytes(input.begin(), input.end());
  if (size == kHeartbeatPacketSize) {
    const std::size_t covered = size - sizeof(mimi::Sha256Digest);
    const mimi::Sha256Digest digest = mimi::HmacSha256(key, std::span(bytes).first(covered));
    std::ranges::copy(digest, bytes.begin() + static_cast<std::ptrdiff_t>(covered));
  }
  HeartbeatPacket packet, again;
  const HeartbeatRefusal refusal = ParseHeartbeat(bytes, key, &packet);
  if (refusal == HeartbeatRefusal::kUnauthentic) {
    std::abort();
  }
  if (refusal != HeartbeatRefusal::kNone) {
    return 0;
  }
  if (ParseHeartbeat(EncodeHeartbeat(packet, key), key, &again) != HeartbeatRefusal::kNone ||
      again != packet) {
    std::abort();
  }
  HeartbeatListener listener(packet.node, {});
  const HeartbeatActions actions = listener.OnPacket(packet, {});
  if (actions.change.has_value() ||
      actions.challenge.has_value() != (packet.kind == HeartbeatKind::kBeat)) {
    std::abort();
  }
  BeaconSender beacon({.node = 1, .session = 2, .interval = milliseconds(50)}, {});
  (void)beacon.Tick(true, {});
  const bool ours =
      packet.kind == HeartbeatKind::kChallenge && packet.node == 1 && packet.session == 2;
  if (beacon.OnChallenge(0, packet, true).has_value() && !ours) {
    std::abort();
  }
  return 0;
}
