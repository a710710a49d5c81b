#ifndef MIMI_SRC_ENGINE_CONTROLLER_EFFECTS_H_
#define MIMI_SRC_ENGINE_CONTROLLER_EFFECTS_H_

// What the controller is told, what it may do, and what the wanted row that it writes means to the
// parts of the pair. Each part acts on that row as soon as it reads it:
// - A box's *sink* is to be active iff WantsActive(row, side); it reports `active` and `reached`.
// - A box's *source* may claim a term for itself iff MayClaim(row, side) and no other box's claim
//   stands, and publishes under it until it is fenced. So in a planned move the box that is left
//   may still do so (its process has started anew, say): its tail is waited for.
// - While the phase is moving, reports should come fast (20 ms, say): the waits of a planned move
//   end with reports.
// - A planned kRestoring row asks the primary's sink to load if it does not follow, then to audit
//   until an audit finds no difference. A load sets `audited` back to 0, so that an audit that is
//   shown is newer than the load. That is the whole protocol of kCatchUp.
//
// Threads: the loop thread only; the values any.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "mimi/engine.h"

namespace mimi::internal {

/// Whether the sinks of `side` are to be active (Minion::Activate) under this wanted row.
bool WantsActive(const PairRow& wanted, Side side);
/// Whether the source of `side` may claim a term for itself under this wanted row.
bool MayClaim(const PairRow& wanted, Side side);

constexpr Phase StablePhase(Side side) {
  return side == Side::kPrimary ? Phase::kOnPrimary : Phase::kOnMinion;
}
constexpr Phase MovingPhase(Side to) {
  return to == Side::kMinion ? Phase::kDiverting : Phase::kRestoring;
}
/// The side that a phase is at, or moves away from.
constexpr Side HomeOf(Phase phase) {
  return phase == Phase::kOnPrimary || phase == Phase::kDiverting ? Side::kPrimary : Side::kMinion;
}

/// Everything that the controller may do. Callbacks run on the loop thread, never inside the call,
/// exactly once unless the engine goes.
class ControllerEffects {
 public:
  using StatusCallback = std::function<void(absl::Status)>;
  using ClaimCallback = StateStore::ClaimCallback;

  virtual ~ControllerEffects() = default;

  /// This manager has come to hold the lease: claims a new control term for the wanted row
  /// (ClaimMode::kControl), so that rows of earlier managers, also late ones, are outranked; then
  /// reads the control table up to the head of that claim, and calls Update() with what stands
  /// there before `done`. Errors: Unavailable (asked again).
  virtual void TakeBoard(StatusCallback done) = 0;

  /// Sets the wanted row. It is in force for the parts in this process at once, also while the
  /// store is away; it goes to the store as soon as it can, a newer row replacing one that waits.
  /// It is confirmed when Update() shows it in ControllerInputs::wanted.
  virtual void WriteWanted(const PairRow& row) = 0;

  /// Steering::Divert or Restore.
  virtual void Steer(Side to, Steering::Guard guard, StatusCallback done) = 0;
  /// Steering::Observe.
  virtual void Observe(Steering::ObserveCallback done) = 0;

  /// StateStore::Claim. Errors: Aborted (`expected` does not hold any more), Unavailable.
  virtual void Claim(const ClaimRequest& request, ClaimCallback done) = 0;

  /// For the operator (PairEvent::kind, detail).
  virtual void Emit(std::string_view kind, std::string detail) = 0;

  /// Something that an accessor shows, or NextDeadline(), may have changed. Called at the end of
  /// every entry and answer.
  virtual void Changed() = 0;
};

/// All that the controller knows of the pair, besides liveness. `since_heard` is as of the call of
/// Update().
struct ControllerInputs {
  PartStatus primary_source, primary_sink, minion_source, minion_sink;
  StoreState store;
  std::optional<PairRow>
      wanted;  ///< as read back from the store; nullopt: never written, or not read yet
};

inline const PartStatus& SinkOf(const ControllerInputs& inputs, Side side) {
  return side == Side::kPrimary ? inputs.primary_sink : inputs.minion_sink;
}
inline const PartStatus& SourceOf(const ControllerInputs& inputs, Side side) {
  return side == Side::kPrimary ? inputs.primary_source : inputs.minion_source;
}

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_CONTROLLER_EFFECTS_H_
