#include "src/engine/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {

LeaseKeeper::LeaseKeeper(Lease& lease, Duration ttl, const Clock& clock,
                         std::function<void()> changed)
    : lease_(lease), ttl_(ttl), clock_(clock), changed_(std::move(changed)) {
}

void LeaseKeeper::Start() {
  stopped_ = false;
  next_ = clock_.now();
}

void LeaseKeeper::Tick() {
  if (!stopped_ && clock_.now() >= next_) {
    Ask();
  }
}

std::optional<MonotonicTime> LeaseKeeper::NextDeadline() const {
  if (stopped_) {
    return std::nullopt;
  }
  if (const std::optional<MonotonicTime> end = valid_until(); end.has_value() && held()) {
    return std::min(next_, *end);
  }
  return next_;
}

void LeaseKeeper::Stop() {
  if (stopped_) {
    return;
  }
  stopped_ = true;
  if (grant_.has_value()) {
    lease_.Release();
  }
  grant_.reset();
  reason_ = "released";
}

std::optional<MonotonicTime> LeaseKeeper::valid_until() const {
  if (!grant_.has_value()) {
    return std::nullopt;
  }
  return grant_->valid_until;
}

void LeaseKeeper::Ask() {
  // A question that stays without an answer is asked again; whichever answer comes is taken.
  next_ = clock_.now() + ttl_ / 3;
  auto answer = [this, alive = std::weak_ptr<bool>(alive_)](absl::StatusOr<LeaseGrant> grant) {
    if (!alive.expired() && !stopped_) {
      OnAnswer(std::move(grant));
    }
  };
  if (held()) {
    lease_.Renew(ttl_, std::move(answer));
  } else {
    lease_.Acquire(ttl_, std::move(answer));
  }
}

void LeaseKeeper::OnAnswer(absl::StatusOr<LeaseGrant> grant) {
  if (grant.ok()) {
    // Answers may cross: an older grant never shortens or replaces one that is valid. Once that has
    // run out its term says nothing: a repository that was replaced counts from 1 again.
    const bool newer = !held() || grant->term > grant_->term ||
                       (grant->term == grant_->term && grant->valid_until > grant_->valid_until);
    if (newer) {
      grant_ = *grant;
      reason_.clear();
    }
  } else {
    reason_ = Message(grant.status());
    if (grant.status().code() == absl::StatusCode::kAborted && grant_.has_value()) {
      grant_.reset();
      next_ = clock_.now();  // nobody may have it
    }
  }
  changed_();
}

}  // namespace mimi::internal
