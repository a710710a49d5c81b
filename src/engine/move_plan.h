#ifndef MIMI_SRC_ENGINE_MOVE_PLAN_H_
#define MIMI_SRC_ENGINE_MOVE_PLAN_H_

/// \file
/// The order of the steps of a move, as data (DESIGN promise 4), so that tests enumerate what the
/// controller does.
///
/// Planned: the state is at the target before the traffic, and the term changes hands last, since
/// the old box still creates flows until the redirect. Unplanned: the traffic goes first; nothing
/// that depends on the old box or on the store is waited for before it.
///
/// Threads: constants; any.

#include <array>
#include <cstdint>
#include <span>

#include "mimi/engine.h"

namespace mimi::internal {

/// Who waits for a step's end.
enum class StepWait : std::uint8_t {
  kNext,    ///< the next step
  kCommit,  ///< kCommit only: the next step goes beside it
  kNobody,  ///< it ends as soon as it is asked for
};

struct PlannedStep {
  Step step;
  StepWait wait;
};

inline constexpr std::array kPlannedDivert = {
    PlannedStep{Step::kAnnounce, StepWait::kNext},  PlannedStep{Step::kDrain, StepWait::kNext},
    PlannedStep{Step::kActivate, StepWait::kNext},  PlannedStep{Step::kSteer, StepWait::kNext},
    PlannedStep{Step::kDrainTail, StepWait::kNext}, PlannedStep{Step::kClaim, StepWait::kNext},
    PlannedStep{Step::kCommit, StepWait::kNext},
};

inline constexpr std::array kPlannedRestore = {
    PlannedStep{Step::kAnnounce, StepWait::kNext}, PlannedStep{Step::kCatchUp, StepWait::kNext},
    PlannedStep{Step::kDrain, StepWait::kNext},    PlannedStep{Step::kActivate, StepWait::kNext},
    PlannedStep{Step::kSteer, StepWait::kNext},    PlannedStep{Step::kDrainTail, StepWait::kNext},
    PlannedStep{Step::kClaim, StepWait::kNext},    PlannedStep{Step::kCommit, StepWait::kNext},
};

/// Either way. The announcement and the activation are one row, written beside the redirect.
inline constexpr std::array kUnplanned = {
    PlannedStep{Step::kSteer, StepWait::kCommit},
    PlannedStep{Step::kAnnounce, StepWait::kNobody},
    PlannedStep{Step::kActivate, StepWait::kNobody},
    PlannedStep{Step::kClaim, StepWait::kNext},
    PlannedStep{Step::kCommit, StepWait::kNext},
};

constexpr std::span<const PlannedStep> PlanOf(Side to, bool planned) {
  if (!planned) {
    return kUnplanned;
  }
  if (to == Side::kMinion) {
    return kPlannedDivert;
  }
  return kPlannedRestore;
}

/// Its end has to wait for the other box's parts: bounded by ManagerOptions::step_timeout.
constexpr bool IsWait(Step step) {
  return step == Step::kAnnounce || step == Step::kCatchUp || step == Step::kDrain ||
         step == Step::kActivate || step == Step::kDrainTail;
}

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_MOVE_PLAN_H_
