#ifndef MIMI_SRC_ENGINE_CONTROL_BOARD_H_
#define MIMI_SRC_ENGINE_CONTROL_BOARD_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "mimi/control.h"
#include "mimi/record.h"

#include "src/engine/feed.h"

namespace mimi::internal {

/// What the control table says, kept current by the feed: the wanted row and the four parts'
/// reports.
///
/// A part counts as *heard* when its row came live; a row out of a snapshot may be of any age, so
/// it counts only when its beat has moved since the last one seen.
///
/// Threads: the loop thread only.
class ControlBoard : public FeedSubscriber {
 public:
  explicit ControlBoard(const Clock& clock) : clock_(clock) {}

  /// The control table has been read once, so that a missing row is really missing.
  bool loaded() const { return loaded_; }

  struct Part {
    PairRow row;
    Version version;
    std::optional<MonotonicTime> heard;  ///< when it last said something, by this process's clock
    bool known() const { return version.term != 0; }
  };
  /// What is in force here: the row that this process's manager has set, while the store has not
  /// shown it or a later manager's, else the store's. nullptr: nobody ever managed this pair.
  const PairRow* wanted() const;
  /// As wanted(); where the repository was replaced and knows none, the one that stood before.
  const PairRow* last_wanted() const {
    const PairRow* const row = wanted();
    return row != nullptr || !before_.has_value() ? row : &*before_;
  }
  /// What the store shows.
  const PairRow* stored_wanted() const { return wanted_.known() ? &wanted_.row : nullptr; }
  Version stored_wanted_version() const { return wanted_.version; }
  void Force(const PairRow& wanted) {
    forced_ = wanted;
    ++changes_;
  }

  const Part& part(PairRowKind kind, Side side) const;

  /// Grows whenever something here changes.
  std::uint64_t changes() const { return changes_; }
  /// The highest term in any row seen.
  std::uint64_t highest_term() const { return highest_term_; }

  void OnOtherIncarnation() override;
  void OnLoadBegin(Position position) override;
  void OnBatch(const BatchView& batch, Position after, bool snapshot) override;
  void OnLoadEnd() override;

 private:
  void Take(const RecordView& record, bool snapshot);

  const Clock& clock_;
  bool loaded_ = false;
  bool loading_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t highest_term_ = 0;
  Part wanted_;
  std::optional<PairRow> forced_;
  std::optional<PairRow> before_;
  std::array<Part, 4> parts_;  ///< source and sink of the primary, then of the minion
  std::array<bool, 5> mentioned_{};
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_CONTROL_BOARD_H_
