#ifndef MIMI_SRC_ENGINE_LEASE_KEEPER_H_
#define MIMI_SRC_ENGINE_LEASE_KEEPER_H_

/// \file
/// LeaseKeeper: tries to hold a lease, and says at any moment whether it does.
///
/// It asks for the lease each third of its time: to acquire it, or to renew it. Whoever may act
/// must ask held() immediately before the effect: it compares the grant with the clock, so that a
/// process that was stopped learns on waking that its time is over.
///
/// Threads: the loop thread only.
/// Lifetime: lease and clock outlive it. An answer that comes after its end is ignored.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/lease.h"
#include "mimi/loop.h"

namespace mimi::internal {

class LeaseKeeper {
 public:
  /// `changed` runs after every answer.
  LeaseKeeper(Lease& lease, Duration ttl, const Clock& clock, std::function<void()> changed);

  /// From now on it is asked for.
  void Start();
  /// Asks if it is time to.
  void Tick();
  std::optional<MonotonicTime> NextDeadline() const;
  /// Gives it up and asks no more.
  void Stop();

  bool held() const { return grant_.has_value() && clock_.now() < grant_->valid_until; }
  /// Of the newest grant; 0 before the first. Another term means that somebody else may have acted
  /// in between.
  std::uint64_t term() const { return grant_.has_value() ? grant_->term : 0; }
  /// When held() ends without a renewal.
  std::optional<MonotonicTime> valid_until() const;
  /// Why it is not held, as last answered.
  const std::string& reason() const { return reason_; }

 private:
  void Ask();
  void OnAnswer(absl::StatusOr<LeaseGrant> grant);

  Lease& lease_;
  Duration ttl_;
  const Clock& clock_;
  std::function<void()> changed_;
  std::optional<LeaseGrant> grant_;
  std::string reason_ = "not asked for yet";
  MonotonicTime next_;  // when to ask again
  bool stopped_ = true;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_LEASE_KEEPER_H_
