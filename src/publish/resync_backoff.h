#ifndef MIMI_SRC_PUBLISH_RESYNC_BACKOFF_H_
#define MIMI_SRC_PUBLISH_RESYNC_BACKOFF_H_

// ResyncBackoff: when to ask for a resync. One per loss: at once for the first, then after `min`,
// doubling to `max`, since a source that loses at each walk must not walk for ever; at once again
// after `max` without a loss. Losses that come together are one.
//
// Sans I/O: times come in as arguments. Threads: one at a time.

#include <algorithm>
#include <optional>

#include "mimi/types.h"

namespace mimi {

class ResyncBackoff {
 public:
  ResyncBackoff(Duration min, Duration max) : min_(min), max_(max) {}

  // Something was lost, or the owner wants one.
  void Want(MonotonicTime now) {
    if (newest_ && now - *newest_ > max_) {
      delay_ = Duration::zero();
      not_before_.reset();
    }
    newest_ = now;
    wanted_ = true;
  }
  // Whatever was wanted until now is in the resync that begins now.
  void Begun() { wanted_ = false; }

  bool wanted() const { return wanted_; }
  bool Due(MonotonicTime now) const { return wanted_ && (!not_before_ || now >= *not_before_); }
  // The sources are being asked.
  void Asked(MonotonicTime now) {
    delay_ = std::clamp(delay_ * 2, min_, max_);
    not_before_ = now + delay_;
    newest_ = now;
  }

 private:
  Duration min_, max_;
  Duration delay_{};
  bool wanted_ = false;
  std::optional<MonotonicTime> not_before_;
  std::optional<MonotonicTime> newest_;  // wish or question
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_RESYNC_BACKOFF_H_
