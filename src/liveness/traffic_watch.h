#ifndef MIMI_SRC_LIVENESS_TRAFFIC_WATCH_H_
#define MIMI_SRC_LIVENESS_TRAFFIC_WATCH_H_

/// \file
/// TrafficWatch: packets go in, do any come out?
///
/// Threads: one at a time.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "mimi/liveness.h"
#include "mimi/types.h"

namespace mimi::internal {

class TrafficWatch {
 public:
  /// As many as `ignored_out` that come out within a window count as none.
  TrafficWatch(std::uint64_t min_packets, std::uint64_t ignored_out, Duration window)
      : min_packets_(min_packets), ignored_out_(ignored_out), window_(window) {}

  struct Change {
    bool up = false;
    std::string reason;
  };
  /// The counters as they stand now. Ones that went back (an interface was made anew) start afresh.
  std::optional<Change> OnSample(std::uint64_t in, std::uint64_t out, MonotonicTime now);

 private:
  struct Sample {
    std::uint64_t in = 0, out = 0;
    MonotonicTime at;
  };

  const std::uint64_t min_packets_, ignored_out_;
  const Duration window_;
  std::deque<Sample> samples_;  // since packets came out; the first is window_ old, or younger
  Health health_ = Health::kUnknown;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_TRAFFIC_WATCH_H_
