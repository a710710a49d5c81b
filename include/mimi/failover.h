#ifndef MIMI_FAILOVER_H_
#define MIMI_FAILOVER_H_

/// \file
/// FailoverPolicy: when to move, as a pure function of what is known.
///
///     class NightOnly : public FailoverPolicy {
///       std::string_view name() const override { return "night-only"; }
///       Decision Decide(const PairView& view, MonotonicTime now) const override { … }
///     };
///
/// Threads: pure; any.
/// Lifetime: outlives the engine that it is given to.
///
/// Implementing: Decide has no memory and no side effect; everything that a policy may weigh,
/// history included, stands in the view. It is asked after every event, and again at `retry_at`.
/// The controller, not the policy, keeps promises 3 and 4 (order, fencing); a decision that cannot
/// be carried out now is refused there with its reason, and asked again.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mimi/liveness.h"
#include "mimi/types.h"

namespace mimi {

/// The controller's phases. Values are stored in the control table: never reuse one.
enum class Phase : std::uint8_t { kOnPrimary = 0, kDiverting = 1, kOnMinion = 2, kRestoring = 3 };
std::string_view PhaseName(Phase phase);

/// How far the standby can be relied on (DESIGN promise 7).
enum class Readiness : std::uint8_t {
  kReady,     ///< minion warm and healthy, nothing lost, staleness within `max_staleness`
  kSyncing,   ///< a load or a resync is running
  kDegraded,  ///< usable, known to be incomplete or stale
  kBlind,  ///< driver or minion not heard for `blind_after`, or the source cannot tell live flows
};
std::string_view ReadinessName(Readiness readiness);

/// What is known of one box as a target for the traffic.
struct BoxView {
  Health health = Health::kUnknown;  ///< by liveness
  MonotonicTime health_since;
  std::string health_reason;
  /// As a target: its sink is heard and healthy. A primary: it can be written to, or needs no
  /// state.
  bool usable = false;
  bool writable = false;  ///< it has a sink: state can be given to it
  Readiness readiness = Readiness::kBlind;
  std::string readiness_reason;   ///< every reason, in words
  std::uint64_t rows = 0;         ///< confirmed in its data plane
  std::uint64_t rows_behind = 0;  ///< positions between the feed's head and what it confirmed
};

/// One finished or failed move, newest last in PairView::moves.
struct Move {
  MonotonicTime at;  ///< its end
  Side to = Side::kMinion;
  bool planned = false;
  bool succeeded = false;
  Duration took{};
  std::string reason{};
};

struct PairView {
  Phase phase = Phase::kOnPrimary;
  /// Where it really goes, as observed; as the control table says while nobody can see it.
  Side traffic = Side::kPrimary;
  BoxView primary;
  BoxView minion;
  bool unfenced = false;        ///< traffic was moved while the store could not be asked
  std::span<const Move> moves;  ///< the last 16
  const BoxView& box(Side side) const { return side == Side::kPrimary ? primary : minion; }
};

enum class Action : std::uint8_t { kStay, kDivert, kRestore };

struct Decision {
  Action action = Action::kStay;
  /// An unplanned move goes at once, a planned one drains first (DESIGN promise 4).
  bool planned = false;
  /// For people and the event log: "bfd down 31 ms ago; minion ready, 12 rows behind".
  std::string reason;
  /// Ask again at this time even if nothing happens.
  std::optional<MonotonicTime> retry_at;
};

class FailoverPolicy {
 public:
  virtual ~FailoverPolicy() = default;
  virtual std::string_view name() const = 0;
  virtual Decision Decide(const PairView& view, MonotonicTime now) const = 0;
};

}  // namespace mimi

#endif  // MIMI_FAILOVER_H_
