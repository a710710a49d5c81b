#ifndef MIMI_STEERING_H_
#define MIMI_STEERING_H_

/// \file
/// Steering: how traffic is moved from one box of the pair to the other.
///
/// Threads: the loop thread only. Callbacks run there, never inside the call.
/// Lifetime: outlives the engine that it is given to.
///
/// Implementing:
/// - *Divert* and *Restore* are idempotent: asking for what is so already answers OK without
///   disturbing traffic. `done` runs when packets really go the new way, as far as this kind of
///   steering can know.
/// - *Observe* reads the truth from the network, never from memory: after a restart the controller
///   acts on it.
/// - One Divert or Restore is under way at a time; it may come while an Observe still is, and does
///   not wait for it. `guard` is asked immediately before the effect, on the loop
///   thread, after all preparations: false means that this manager may not act any more (its lease
///   ran out); answer Aborted and do nothing.

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/liveness.h"

namespace mimi {

class Steering {
 public:
  virtual ~Steering() = default;
  using StatusCallback = std::function<void(absl::Status)>;
  using ObserveCallback = std::function<void(absl::StatusOr<Side>)>;
  using Guard = std::function<bool()>;

  virtual std::string_view name() const = 0;

  /// To the minion. Errors: Aborted (guard), Unavailable (try again), FailedPrecondition (rights,
  /// configuration).
  virtual void Divert(Guard guard, StatusCallback done) = 0;
  /// Back to the primary. Same errors.
  virtual void Restore(Guard guard, StatusCallback done) = 0;
  /// Where traffic goes now. Errors: Unavailable (cannot be read, or it goes to neither box). After
  /// two of those in a row a manager takes the control table's word, and redirects by it: once the
  /// box is dead, or where a redirect was under way.
  virtual void Observe(ObserveCallback done) = 0;

  /// True when the network moves traffic by itself (a fast-failover group, a routing protocol):
  /// Divert and Restore are never called, the boxes claim in shared mode, and the newest claimant
  /// holds the traffic.
  virtual bool passive() const { return false; }
};

}  // namespace mimi

#endif  // MIMI_STEERING_H_
