#ifndef MIMI_LIVENESS_H_
#define MIMI_LIVENESS_H_

/// \file
/// Liveness: whether a box is alive, told by events with a time.
///
/// Threads: the loop thread that it was made with. An engine on another thread is told through
/// Engine::Report (any thread).
/// Lifetime: outlives the engine that it is given to.
///
/// Implementing: keep the protocol in an FSM whose `now` is an argument, and the descriptors in a
/// thin shell around it. Report changes only, at once, with the time of the evidence and the reason
/// in words ("bfd: no packet for 31 ms"). Before the first evidence a box is kUnknown, which never
/// leads to a divert.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "mimi/metrics.h"
#include "mimi/types.h"

namespace mimi {

/// The two boxes of a pair.
enum class Side : std::uint8_t { kPrimary = 0, kMinion = 1 };
inline constexpr Side OtherSide(Side side) {
  return side == Side::kPrimary ? Side::kMinion : Side::kPrimary;
}
std::string_view SideName(Side side);

enum class Health : std::uint8_t { kUnknown, kUp, kDown };
std::string_view HealthName(Health health);

struct LivenessEvent {
  Side box = Side::kPrimary;
  Health health = Health::kUnknown;
  MonotonicTime at;
  std::string reason;
};

class Liveness {
 public:
  virtual ~Liveness() = default;
  virtual std::string_view name() const = 0;
  virtual absl::Status Start(std::function<void(const LivenessEvent&)> report) = 0;
  virtual void Stop() = 0;
  /// What it counts: packets heard, and refused by reason. Any thread.
  virtual MetricList metrics() const { return {}; }
};

}  // namespace mimi

#endif  // MIMI_LIVENESS_H_
