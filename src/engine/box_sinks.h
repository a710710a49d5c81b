#ifndef MIMI_SRC_ENGINE_BOX_SINKS_H_
#define MIMI_SRC_ENGINE_BOX_SINKS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mimi/control.h"
#include "mimi/engine.h"
#include "mimi/loop.h"
#include "mimi/minion.h"

#include "src/engine/auditor.h"
#include "src/engine/control_board.h"
#include "src/engine/readiness.h"
#include "src/engine/replica.h"

namespace mimi::internal {

/// One box's sinks that live in this process: a replica and an auditor per table, and the agent
/// that tells the minions when traffic comes and goes, as the control table wants it.
///
/// Threads: the loop thread only.
class BoxSinks {
 public:
  struct Options {
    Side side = Side::kMinion;
    Origin own = 0;  ///< the node of this box
    Duration max_staleness{};
    Duration audit_every{};
    std::size_t max_rows = 0;
    std::uint64_t seed = 1;
    std::function<bool(TableId table, std::span<const std::byte> key)> unconfirmed;
    std::function<std::optional<bool>()> knows_better;  ///< ReplicaOptions
    std::function<bool()> may_repair;
    std::function<void()> wake;
    std::function<void(std::string_view kind, const std::string& detail)> emit;
  };

  BoxSinks(Options options, std::vector<Minion*> minions, Loop& loop, const ControlBoard& board,
           Feed& feed);
  ~BoxSinks();

  void Start();
  bool Tick(MonotonicTime now);
  std::optional<MonotonicTime> NextDeadline() const;

  Side side() const { return options_.side; }
  /// Everything that the feed brought at the last load is in the data planes, or they are not
  /// healthy, so that waiting is no use.
  bool loaded() const;
  void Audit(Engine::AuditCallback done);
  /// What the box held back for itself about this key, its sink is to be told now.
  void Retell(TableId table, std::span<const std::byte> key);
  /// The table's data plane may hold what the store does not know.
  void WishAudit(TableId table);
  const std::vector<std::unique_ptr<Replica>>& replicas() const { return replicas_; }

  /// This part's row of the control table, but for `beat`.
  PairRow Report() const;

 private:
  void FollowWanted(MonotonicTime now);
  void AuditForReturn(const PairRow* wanted);
  void WatchRefusals();
  ReadinessFindings Findings() const;
  void OnMoved(bool active, Phase phase, const absl::Status& status);

  Options options_;
  Loop& loop_;
  const ControlBoard& board_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<std::unique_ptr<Auditor>> auditors_;
  bool active_ = false;  ///< what the minions were last told, with success
  Phase reached_ = Phase::kOnPrimary;
  bool ever_reached_ = false;
  std::size_t moving_ = 0;  ///< answers that are still to come
  absl::Status move_status_;
  MonotonicTime retry_at_{};
  UnixTime audited_for_{};  ///< the return, by its `since`, that an audit was begun for
  bool unauditable_ = false;
  MonotonicTime next_watch_{};
  std::vector<std::uint64_t>
      audited_loads_;          ///< the loads there had been when the last audit ended
  std::uint64_t refused_ = 0;  ///< rows that did not fit, all sinks together
  std::optional<UnixTime>
      refused_at_;  ///< when the last of them was; an audit without difference ends it
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_BOX_SINKS_H_
