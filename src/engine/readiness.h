#ifndef MIMI_SRC_ENGINE_READINESS_H_
#define MIMI_SRC_ENGINE_READINESS_H_

// Readiness: one honest word for a box as a target of the traffic, with every reason (DESIGN
// promise 7).
//
// The word follows from what the parts report and what the store says of itself; nothing is kept.
// The worst finding gives the word, in this order: ready, degraded, syncing, blind. (Syncing
// outranks degraded since it says that what is missing is on its way.)
//
// Each part judges what only it can know, and reports it as PairRow::readiness with the reason in
// words; the judgement here adds what takes both boxes and the store to see:
// - a source: kReady while it publishes (or is ready to) and nothing is lost; kSyncing while a
//   resync runs; kDegraded when it has lost something that no completed resync has repaired, or its
//   driver is not healthy; kBlind when its driver does not run.
// - a sink: kReady while it follows; kSyncing while it loads; kDegraded while its current staleness
//   is beyond max_staleness, or rows were refused; kBlind when its data plane is not warm.
//
// Threads: pure; any.

#include <optional>
#include <string>
#include <string_view>

#include "mimi/engine.h"

namespace mimi::internal {

/// Collects findings; the worst gives the word.
class ReadinessFindings {
 public:
  void Add(Readiness word, std::string_view reason);
  Readiness word() const { return word_; }
  /// Every reason, in the order in which they were found: "loading; 3 rows differed".
  const std::string& reasons() const { return reasons_; }

 private:
  Readiness word_ = Readiness::kReady;
  std::string reasons_;
};

/// A box as a target: its own sink, and the source of the other box, whose flows it would take
/// over.
struct BoxParts {
  Side side = Side::kMinion;
  const PartStatus& sink;
  const PartStatus& source;
  const StoreState& store;
  bool restore_without_state = false;  ///< ManagerOptions
  /// The traffic is at the other box: its source has to publish, or what is born there is nowhere
  /// else.
  bool standby = false;
  /// A standby has to have confirmed this position: there stands what the other box's source held
  /// back until it began to publish. nullopt: it has not published all of that yet.
  std::optional<Position> published = Position{0};
};

/// Everything of BoxView but health, which is liveness's.
///
/// While the store cannot be reached no report can come, so silence tells nothing then: a box that
/// was usable stays so (DESIGN §6: primary and store may die together), and the word says why it is
/// not ready.
BoxView AssessBox(const BoxParts& parts);

/// Whether a process that runs this part has ever reported.
inline bool IsKnown(const PartStatus& part) {
  return part.report.node != 0;
}

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_READINESS_H_
