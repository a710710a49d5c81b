#include "src/liveness/bfd_session.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {
namespace {

using std::chrono::microseconds;

// 6.8.3: while the session is not up, nobody sends more often.
constexpr microseconds kSlow{1'000'000};

}  // namespace

BfdSession::BfdSession(const BfdConfig& config, MonotonicTime now)
    : config_(config),
      wished_tx_(config.desired_min_tx),
      wished_rx_(config.required_min_rx),
      random_(config.seed),
      send_at_(now),
      sent_(now) {
  UpdateTimers(std::max(wished_tx_, kSlow), wished_rx_);
}

microseconds BfdSession::detection_time() const {
  return remote_multiplier_ * std::max(used_rx_, remote_desired_tx_);  // 6.8.4
}

microseconds BfdSession::transmit_interval() const {
  return remote_min_rx_.count() == 0 ? microseconds(0) : std::max(used_tx_, remote_min_rx_);
}

// 6.8.7: who must not send periodically.
bool BfdSession::Silent() const {
  return remote_min_rx_.count() == 0 || (config_.passive && remote_discriminator_ == 0);
}

// 6.8.7: each interval is shortened by 0 to 25 %, and with a multiplier of 1 by at least 10 %, so
// that it never outlasts the peer's detection time.
void BfdSession::Schedule(MonotonicTime from) {
  const double least = config_.multiplier == 1 ? 0.10 : 0.0;
  const double cut = std::uniform_real_distribution<double>(least, 0.25)(random_);
  const auto interval = static_cast<double>(transmit_interval().count());
  send_at_ = from + microseconds(static_cast<std::int64_t>(interval * (1.0 - cut)));
}

MonotonicTime BfdSession::NextDeadline() const {
  MonotonicTime next = MonotonicTime::max();
  if (!Silent()) {
    next = send_at_;
  }
  if (remote_discriminator_ != 0) {
    next = std::min(next, heard_ + detection_time());
  }
  return next;
}

BfdPacket BfdSession::Compose(bool poll, bool final) const {
  BfdPacket packet;
  packet.diagnostic = diagnostic_;
  packet.state = state_;
  packet.poll = poll;
  packet.final = final;
  packet.multiplier = config_.multiplier;
  packet.my_discriminator = config_.discriminator;
  packet.your_discriminator = remote_discriminator_;
  packet.desired_min_tx = desired_min_tx_;
  packet.required_min_rx = required_min_rx_;
  return packet;
}

BfdPacket BfdSession::AdminDown() const {
  BfdPacket packet = Compose(false, false);
  packet.state = BfdState::kAdminDown;
  packet.diagnostic = BfdDiagnostic::kAdministrativelyDown;
  return packet;
}

// 6.8.3. Outside of Up nothing has to be negotiated: both values are in force with the next packet.
void BfdSession::UpdateTimers(microseconds tx, microseconds rx) {
  const bool changed = tx != desired_min_tx_ || rx != required_min_rx_;
  desired_min_tx_ = tx;
  required_min_rx_ = rx;
  if (state_ != BfdState::kUp) {
    used_tx_ = tx;
    used_rx_ = rx;
    polling_ = false;
    return;
  }
  polling_ = polling_ || changed;
  used_tx_ = std::min(used_tx_, tx);
  used_rx_ = std::max(used_rx_, rx);
}

void BfdSession::EndPoll() {
  polling_ = false;
  used_tx_ = desired_min_tx_;
  used_rx_ = required_min_rx_;
}

BfdActions BfdSession::SetTimers(microseconds desired_min_tx, microseconds required_min_rx,
                                 MonotonicTime now) {
  wished_tx_ = desired_min_tx;
  wished_rx_ = required_min_rx;
  const bool up = state_ == BfdState::kUp;
  UpdateTimers(up ? wished_tx_ : std::max(wished_tx_, kSlow), wished_rx_);
  BfdActions actions;
  if (!Silent()) {
    actions.send.push_back(Compose(polling_, false));
    sent_ = now;
    Schedule(now);
  }
  return actions;
}

void BfdSession::Enter(BfdState state, BfdDiagnostic diagnostic, std::string reason,
                       BfdActions* actions) {
  state_ = state;
  diagnostic_ = diagnostic;
  const bool up = state == BfdState::kUp;
  UpdateTimers(up ? wished_tx_ : std::max(wished_tx_, kSlow), wished_rx_);
  actions->change = BfdChange{state, false, std::move(reason)};
}

// 6.8.6, from "If bfd.SessionState is AdminDown" on; we are never AdminDown while we listen.
void BfdSession::Transition(const BfdPacket& packet, BfdActions* actions) {
  if (packet.state == BfdState::kAdminDown) {
    if (state_ != BfdState::kDown) {
      Enter(BfdState::kDown, BfdDiagnostic::kNeighborSignaledDown,
            "bfd was switched off at the peer", actions);
      actions->change->administrative = true;
    }
    return;
  }
  switch (state_) {
    case BfdState::kDown:
      if (packet.state == BfdState::kDown) {
        Enter(BfdState::kInit, diagnostic_, "the peer is heard", actions);
      } else if (packet.state == BfdState::kInit) {
        Enter(BfdState::kUp, BfdDiagnostic::kNone, "session up", actions);
      }
      break;
    case BfdState::kInit:
      if (packet.state == BfdState::kInit || packet.state == BfdState::kUp) {
        Enter(BfdState::kUp, BfdDiagnostic::kNone, "session up", actions);
      }
      break;
    case BfdState::kUp:
      if (packet.state == BfdState::kDown) {
        Enter(BfdState::kDown, BfdDiagnostic::kNeighborSignaledDown,
              fmt::format("the peer says down ({})", BfdDiagnosticName(packet.diagnostic)),
              actions);
      }
      break;
    case BfdState::kAdminDown:
      break;
  }
}

BfdActions BfdSession::OnPacket(const BfdPacket& packet, MonotonicTime now) {
  BfdActions actions;
  heard_ = now;
  const microseconds before = transmit_interval();
  const bool silent = Silent();
  remote_discriminator_ = packet.my_discriminator;
  remote_min_rx_ = packet.required_min_rx;
  remote_desired_tx_ = packet.desired_min_tx;
  remote_multiplier_ = packet.multiplier;
  if (polling_ && packet.final) {
    EndPoll();
  }
  Transition(packet, &actions);
  if (packet.poll) {
    // 6.8.6: at once, whatever the timers say. It carries news as well as a periodic one.
    actions.send.push_back(Compose(false, true));
  } else if (actions.change.has_value() && !Silent()) {
    actions.send.push_back(Compose(polling_, false));
    sent_ = now;
  }
  if (transmit_interval() != before || silent != Silent() || actions.change.has_value()) {
    // The new interval counts from the packet that was sent last (6.8.3), not from now: a peer that
    // changes its mind with every packet must not keep us silent.
    Schedule(sent_);
  }
  return actions;
}

BfdActions BfdSession::Tick(MonotonicTime now) {
  BfdActions actions;
  if (remote_discriminator_ != 0 && now >= heard_ + detection_time()) {
    remote_discriminator_ = 0;  // 6.8.1: forgotten after a detection time of silence
    remote_min_rx_ = microseconds(1);
    if (state_ == BfdState::kInit || state_ == BfdState::kUp) {
      Enter(BfdState::kDown, BfdDiagnostic::kDetectionTimeExpired,
            fmt::format("no packet for {}", DurationText(now - heard_)), &actions);
      if (!Silent()) {
        actions.send.push_back(Compose(false, false));
        sent_ = now;
        Schedule(now);
      }
    }
  }
  SendIfDue(now, &actions);
  return actions;
}

void BfdSession::SendIfDue(MonotonicTime now, BfdActions* actions) {
  if (Silent() || now < send_at_) {
    return;
  }
  actions->send.push_back(Compose(polling_, false));
  sent_ = now;
  // From when it was due, so that late timers do not add up; from now when it is very late, so that
  // a stall is not followed by a burst.
  const bool late = now - send_at_ > transmit_interval() / 2;
  Schedule(late ? now : send_at_);
}

}  // namespace mimi::internal
