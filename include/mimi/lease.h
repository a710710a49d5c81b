#ifndef MIMI_LEASE_H_
#define MIMI_LEASE_H_

/// \file
/// Lease: which of several managers may act, for a while.
///
/// A lease is held by one owner at a time, until it is released or its time runs out. Its *fencing
/// term* grows with every change of owner, so what an earlier owner still sends can be told. A
/// holder must compare its grant with the monotonic clock immediately before each effect: a process
/// that was stopped may wake up long after.
///
///     lease->Acquire(std::chrono::seconds(3), [&](absl::StatusOr<LeaseGrant> grant) {
///       if (grant.ok()) held = *grant;
///     });
///     if (clock.now() < held.valid_until) { … act … }
///
/// Threads: the loop thread only. Callbacks run there, never inside the call.
/// Lifetime: must not outlive its store. Destroying it does not release it: it runs out.
///
/// Implementing: `valid_until` counts from before the request was sent, never from when the answer
/// came. Time runs on the repository's side of the lease by that side's own monotonic clock (or one
/// that all processes of the host share), and a lease there lasts at least as long as the holder
/// believes.

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/record.h"
#include "mimi/types.h"

namespace mimi {

struct LeaseGrant {
  std::uint64_t term = 0;     ///< the fencing term; the same for as long as the owner keeps it
  MonotonicTime valid_until;  ///< act only before this
};

class Lease {
 public:
  virtual ~Lease() = default;
  using GrantCallback = std::function<void(absl::StatusOr<LeaseGrant>)>;

  /// Takes the lease if it is free, run out, or already ours. Errors: Aborted (held by another; the
  /// message says by whom and for how long yet), Unavailable.
  virtual void Acquire(Duration ttl, GrantCallback done) = 0;

  /// Extends a lease that we hold. Errors: Aborted (it ran out and another has it, or nobody:
  /// acquire again), Unavailable.
  virtual void Renew(Duration ttl, GrantCallback done) = 0;

  /// Gives it up early, so that the next manager need not wait. Best effort.
  virtual void Release() = 0;
};

}  // namespace mimi

#endif  // MIMI_LEASE_H_
