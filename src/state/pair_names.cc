// The words for a pair's sides, phases and steps: in status, events and metrics.

#include "mimi/engine.h"
#include "mimi/failover.h"
#include "mimi/liveness.h"

namespace mimi {

std::string_view SideName(Side side) {
  return side == Side::kPrimary ? "primary" : "minion";
}

std::string_view HealthName(Health health) {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kUp:
      return "up";
    case Health::kDown:
      return "down";
  }
  return "unknown";
}

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kOnPrimary:
      return "on-primary";
    case Phase::kDiverting:
      return "diverting";
    case Phase::kOnMinion:
      return "on-minion";
    case Phase::kRestoring:
      return "restoring";
  }
  return "unknown";
}

std::string_view ReadinessName(Readiness readiness) {
  switch (readiness) {
    case Readiness::kReady:
      return "ready";
    case Readiness::kSyncing:
      return "syncing";
    case Readiness::kDegraded:
      return "degraded";
    case Readiness::kBlind:
      return "blind";
  }
  return "unknown";
}

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kAnnounce:
      return "announce";
    case Step::kCatchUp:
      return "catch-up";
    case Step::kDrain:
      return "drain";
    case Step::kActivate:
      return "activate";
    case Step::kSteer:
      return "steer";
    case Step::kDrainTail:
      return "drain-tail";
    case Step::kClaim:
      return "claim";
    case Step::kCommit:
      return "commit";
  }
  return "unknown";
}

}  // namespace mimi
