#include "src/liveness/heartbeat_session.h"

#include <algorithm>

#include <fmt/core.h>

#include "src/base/bytes.h"
#include "src/base/duration_text.h"

namespace mimi::internal {

bool ReplayWindow::Take(std::uint64_t sequence) {
  constexpr std::uint64_t kSize = 64;
  if (sequence > highest_) {
    const std::uint64_t ahead = sequence - highest_;
    seen_ = ahead >= kSize ? 1 : seen_ << ahead | 1;
    highest_ = sequence;
    return true;
  }
  const std::uint64_t behind = highest_ - sequence;
  if (behind >= kSize || (seen_ >> behind & 1) != 0) {
    return false;
  }
  seen_ |= std::uint64_t{1} << behind;
  return true;
}

HeartbeatNonce HeartbeatListener::NonceOf(std::uint64_t session) const {
  std::array<std::byte, 16> message;
  StoreBe(&message[0], session);
  StoreBe(&message[8], sessions_);
  const Sha256Digest digest = HmacSha256(secret_, message);
  HeartbeatNonce nonce;
  std::copy_n(digest.begin(), nonce.size(), nonce.begin());
  return nonce;
}

HeartbeatActions HeartbeatListener::OnPacket(const HeartbeatPacket& packet, MonotonicTime now) {
  HeartbeatActions actions;
  if (packet.node != node_ || packet.kind != HeartbeatKind::kBeat) {
    actions.refusal = HeartbeatRefusal::kOtherNode;
    return actions;
  }
  if (session_ != packet.session || nonce_ != packet.nonce) {
    const HeartbeatNonce nonce = NonceOf(packet.session);
    if (packet.nonce != nonce) {
      actions.refusal = HeartbeatRefusal::kUnknownSession;
      actions.challenge = HeartbeatPacket{.kind = HeartbeatKind::kChallenge,
                                          .node = node_,
                                          .session = packet.session,
                                          .sequence = packet.sequence,
                                          .nonce = nonce};
      return actions;
    }
    // The beacon lives in a new session: what the old one recorded is void from here on.
    session_ = packet.session;
    nonce_ = nonce;
    ++sessions_;
    window_ = {};
  }
  if (!window_.Take(packet.sequence)) {
    actions.refusal = HeartbeatRefusal::kReplayed;
    return actions;
  }
  heard_ = now;
  silent_ = false;
  patience_ = packet.interval * packet.multiplier;
  if (told_up_ != packet.well) {
    told_up_ = packet.well;
    actions.change = HeartbeatActions::Change{
        packet.well, packet.well ? "the node beats" : "the node says that it is not well"};
  }
  return actions;
}

HeartbeatActions HeartbeatListener::Tick(MonotonicTime now) {
  HeartbeatActions actions;
  if (silent_ || now < heard_ + patience_) {
    return actions;
  }
  silent_ = true;
  if (told_up_ != false) {
    told_up_ = false;
    actions.change =
        HeartbeatActions::Change{false, fmt::format("no beat for {}", DurationText(now - heard_))};
  }
  return actions;
}

MonotonicTime HeartbeatListener::NextDeadline() const {
  return silent_ ? MonotonicTime::max() : heard_ + patience_;
}

BeaconSender::BeaconSender(const Config& config, MonotonicTime now)
    : config_(config), targets_(config.targets), next_(now) {
}

BeaconSender::Beat BeaconSender::Compose(std::size_t target, bool well) {
  return {target,
          {.kind = HeartbeatKind::kBeat,
           .well = well,
           .multiplier = config_.multiplier,
           .node = config_.node,
           .session = config_.session,
           .sequence = ++sequence_,
           .nonce = targets_[target].nonce,
           .interval = std::chrono::duration_cast<std::chrono::microseconds>(config_.interval)}};
}

std::vector<BeaconSender::Beat> BeaconSender::Tick(bool well, MonotonicTime now) {
  std::vector<Beat> beats;
  if (now < next_) {
    return beats;
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    beats.push_back(Compose(i, well));
  }
  // From when it was due, so that late timers do not add up; after a stall, from now.
  next_ = now - next_ > config_.interval / 2 ? now + config_.interval : next_ + config_.interval;
  return beats;
}

std::optional<BeaconSender::Beat> BeaconSender::OnChallenge(std::size_t target,
                                                            const HeartbeatPacket& packet,
                                                            bool well) {
  // A recorded challenge names a beat that was answered already.
  if (packet.kind != HeartbeatKind::kChallenge || packet.node != config_.node ||
      packet.session != config_.session || packet.sequence > sequence_ ||
      packet.sequence <= targets_[target].answered) {
    return std::nullopt;
  }
  targets_[target] = {.nonce = packet.nonce, .answered = packet.sequence};
  return Compose(target, well);
}

}  // namespace mimi::internal
