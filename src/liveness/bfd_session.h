#ifndef MIMI_SRC_LIVENESS_BFD_SESSION_H_
#define MIMI_SRC_LIVENESS_BFD_SESSION_H_

/// \file
/// BfdSession: the state machine of RFC 5880 section 6.8, asynchronous mode. It holds no descriptor
/// and no timer: it is given packets and times, and says what to send and when to ask it again.
///
///     Actions(session.OnPacket(packet, now));   // send what it says, tell the change
///     Actions(session.Tick(now));               // at NextDeadline(), after the socket was emptied
///
/// Names in comments (bfd.X) are the RFC's state variables.
///
/// Threads: one at a time.

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "mimi/types.h"

#include "src/wire/bfd.h"

namespace mimi::internal {

struct BfdConfig {
  std::chrono::microseconds desired_min_tx{10'000};
  std::chrono::microseconds required_min_rx{10'000};
  std::uint8_t multiplier = 3;
  bool passive = false;
  std::uint32_t discriminator = 1;  ///< bfd.LocalDiscr: not 0, unique among the sessions of a port
  std::uint32_t seed = 1;           ///< of the jitter
};

/// The session came to be in another state.
struct BfdChange {
  BfdState state = BfdState::kDown;
  /// The peer is administratively down: no statement about the box.
  bool administrative = false;
  std::string reason;
};

struct BfdActions {
  std::vector<BfdPacket> send;  ///< at once, in order
  std::optional<BfdChange> change;
};

class BfdSession {
 public:
  BfdSession(const BfdConfig& config, MonotonicTime now);

  /// A packet that ParseBfd() took, from our peer, with your_discriminator 0 or ours.
  BfdActions OnPacket(const BfdPacket& packet, MonotonicTime now);
  BfdActions Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const;

  /// New timers, also while the session is up (6.8.3).
  BfdActions SetTimers(std::chrono::microseconds desired_min_tx,
                       std::chrono::microseconds required_min_rx, MonotonicTime now);
  /// What to say last, so that the peer does not take our end for a fault (6.8.16).
  BfdPacket AdminDown() const;

  BfdState state() const { return state_; }
  /// How long silence lasts until the session is down; as negotiated now.
  std::chrono::microseconds detection_time() const;
  /// Between two packets of ours, before jitter; 0: the peer wants none.
  std::chrono::microseconds transmit_interval() const;

 private:
  void Enter(BfdState state, BfdDiagnostic diagnostic, std::string reason, BfdActions* actions);
  void Transition(const BfdPacket& packet, BfdActions* actions);
  void UpdateTimers(std::chrono::microseconds tx, std::chrono::microseconds rx);
  void EndPoll();
  BfdPacket Compose(bool poll, bool final) const;
  void Schedule(MonotonicTime from);
  bool Silent() const;
  void SendIfDue(MonotonicTime now, BfdActions* actions);

  const BfdConfig config_;
  std::chrono::microseconds wished_tx_, wished_rx_;  // while up
  std::minstd_rand random_;

  BfdState state_ = BfdState::kDown;
  BfdDiagnostic diagnostic_ = BfdDiagnostic::kNone;
  std::chrono::microseconds desired_min_tx_{};   // bfd.DesiredMinTxInterval, as sent
  std::chrono::microseconds required_min_rx_{};  // bfd.RequiredMinRxInterval, as sent
  // What is in use while a Poll Sequence has not told the peer of a slower sender or a faster
  // receiver (6.8.3).
  std::chrono::microseconds used_tx_{}, used_rx_{};
  bool polling_ = false;

  std::uint32_t remote_discriminator_ = 0;
  std::chrono::microseconds remote_min_rx_{1};  // 6.8.1: initially 1
  std::chrono::microseconds remote_desired_tx_{};
  std::uint8_t remote_multiplier_ = 0;
  MonotonicTime heard_;    // the newest packet, if remote_discriminator_ is not 0
  MonotonicTime send_at_;  // the next periodic packet
  MonotonicTime sent_;     // the newest periodic packet: what jitter counts from
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_BFD_SESSION_H_
