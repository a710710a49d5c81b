#ifndef MIMI_SRC_LIVENESS_HEARTBEAT_SESSION_H_
#define MIMI_SRC_LIVENESS_HEARTBEAT_SESSION_H_

/// \file
/// Both ends of a heartbeat, without descriptors and timers: HeartbeatListener, who hears one node,
/// and BeaconSender, who speaks for one.
///
/// What makes a beat count: its HMAC (wire/heartbeat.h), the nonce that this listener gave to this
/// session, and a sequence number that was not there before. The nonce of a session is a hash of
/// the session under a secret of this life of the listener and the number of sessions so far. So a
/// recording of an earlier life of either end has the wrong nonce and earns a challenge, which only
/// the living beacon can answer; and challenges keep no state that a flood could push out.
///
/// Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mimi/types.h"

#include "src/base/sha256.h"
#include "src/wire/heartbeat.h"

namespace mimi::internal {

/// Which sequence numbers were seen: the highest, and 63 below it.
class ReplayWindow {
 public:
  /// False when it was seen before, or is too old to tell.
  bool Take(std::uint64_t sequence);

 private:
  std::uint64_t highest_ = 0;
  std::uint64_t seen_ = 0;  // bit i: highest_ - i
};

struct HeartbeatActions {
  HeartbeatRefusal refusal = HeartbeatRefusal::kNone;
  std::optional<HeartbeatPacket> challenge;  ///< to where the beat came from
  struct Change {
    bool up = false;
    std::string reason;
  };
  std::optional<Change> change;
};

class HeartbeatListener {
 public:
  /// `secret`: 32 random bytes of this life.
  HeartbeatListener(std::uint64_t node, const Sha256Digest& secret)
      : node_(node), secret_(secret) {}

  /// A packet that ParseHeartbeat() took.
  HeartbeatActions OnPacket(const HeartbeatPacket& packet, MonotonicTime now);
  HeartbeatActions Tick(MonotonicTime now);
  /// max(): nothing is waited for.
  MonotonicTime NextDeadline() const;

 private:
  HeartbeatNonce NonceOf(std::uint64_t session) const;

  const std::uint64_t node_;
  const Sha256Digest secret_;
  std::uint64_t sessions_ = 0;
  std::optional<std::uint64_t> session_;
  HeartbeatNonce nonce_{};
  ReplayWindow window_;
  std::optional<bool> told_up_;  // the last change
  bool silent_ = true;           // nothing is waited for
  MonotonicTime heard_;
  Duration patience_{};
};

class BeaconSender {
 public:
  struct Config {
    std::uint64_t node = 0;
    std::uint64_t session = 0;  ///< random
    Duration interval{};
    std::uint8_t multiplier = 3;
    std::size_t targets = 1;
  };
  BeaconSender(const Config& config, MonotonicTime now);

  struct Beat {
    std::size_t target = 0;
    HeartbeatPacket packet;
  };
  /// The beats that are due. `well`: what to say of the node.
  std::vector<Beat> Tick(bool well, MonotonicTime now);
  MonotonicTime NextDeadline() const { return next_; }
  /// A challenge from a target; the answer goes there at once. None: it is not for us, or a replay.
  std::optional<Beat> OnChallenge(std::size_t target, const HeartbeatPacket& packet, bool well);

 private:
  struct Target {
    HeartbeatNonce nonce{};
    std::uint64_t answered = 0;  // the sequence that the newest challenge named
  };
  Beat Compose(std::size_t target, bool well);

  const Config config_;
  std::vector<Target> targets_;
  std::uint64_t sequence_ = 0;
  MonotonicTime next_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_HEARTBEAT_SESSION_H_
