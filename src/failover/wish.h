#ifndef MIMI_SRC_FAILOVER_WISH_H_
#define MIMI_SRC_FAILOVER_WISH_H_

// Wish: what a policy would like at this moment if time and history did not matter. The policies
// differ only in what they make of it.

#include <string>

#include "mimi/failover.h"

namespace mimi::internal {

struct WishOptions {
  bool require_ready = false;
  bool restore = false;
};

struct Wish {
  Action action = Action::kStay;
  bool planned = false;
  /// The health that it is about, and since when: what hysteresis is measured from.
  MonotonicTime since;
  /// Why, without what is done about it: "primary down 31 ms ago (bfd: no packet); minion ready, 12
  /// rows behind".
  std::string reason;
};

Wish MakeWish(const PairView& view, MonotonicTime now, const WishOptions& options);

/// "diverting", "restoring", "staying".
std::string_view DoingName(Action action);

/// The wish as a decision, its reason ended by what is done.
Decision Decided(Wish wish);

/// Nothing is done now, for `why`.
Decision Stayed(std::string reason, std::string_view why, std::optional<MonotonicTime> retry_at);

}  // namespace mimi::internal

#endif  // MIMI_SRC_FAILOVER_WISH_H_
