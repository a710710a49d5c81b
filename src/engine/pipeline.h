#ifndef MIMI_SRC_ENGINE_PIPELINE_H_
#define MIMI_SRC_ENGINE_PIPELINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/control.h"
#include "mimi/engine.h"
#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/base/backoff.h"
#include "src/engine/control_board.h"
#include "src/engine/source.h"

namespace mimi::internal {

/// One box's way into the store: its sources (drivers and lanes, a pump per table) and the term
/// that they write under.
///
///     opening ─▶ standby ─claim─▶ writing
///                   ▲───fenced, or the wanted writer is the other box───┘
///
/// A box claims when the control table wants it as the writer and nobody else's claim stands
/// (exclusive), or at its first traffic-caused event after not being the newest claimant (shared).
/// While it stands by, Puts wait, one per key, and abrupt erases are counted and dropped: who does
/// not hold the traffic may not erase. When a move to the other box is committed, or (shared) that
/// box has claimed, what waits here is older than what that box has written since, and is
/// forgotten; the next claim resyncs.
///
/// Threads: the loop thread only.
class Pipeline {
 public:
  struct Options {
    Side side = Side::kPrimary;
    std::string node;
    bool shared_claims = false;
    Duration retry_min = std::chrono::milliseconds(5);
    Duration retry_max = std::chrono::seconds(1);
    std::uint64_t seed = 1;
    /// Asked before the first claim: a box that restarts takes its state from the store before it
    /// says what it has.
    std::function<bool()> may_begin;
    /// What waited here about this key was forgotten: the sink, which held back what it was newer
    /// than, is to be told now.
    std::function<void(TableId table, std::span<const std::byte> key)> on_overtaken;
    std::function<void(std::string_view kind, std::string detail)> emit;
  };

  Pipeline(Options options, StateStore& store, Loop& loop, const ControlBoard& board,
           std::vector<std::unique_ptr<Source>> sources);

  /// Opens the tables and starts the drivers.
  void Start();
  /// Stops the drivers; what was accepted still goes out by Tick().
  void StopDrivers();

  void Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const;

  absl::StatusOr<Lane*> OpenLane(const StateSchema& schema);
  void DropHeldErases();
  /// Something about this key was accepted, and is not confirmed by the store yet.
  bool Holds(TableId table, std::span<const std::byte> key) const;

  Side side() const { return options_.side; }
  Origin origin() const { return origin_; }
  bool writing() const { return term_ != 0; }
  /// Everything that was accepted is confirmed.
  bool drained() const;
  const std::vector<std::unique_ptr<Source>>& sources() const { return sources_; }

  /// This part's row of the control table, but for `beat`.
  PairRow Report() const;

 private:
  enum class State : std::uint8_t { kOpening, kStandby, kClaiming, kWriting };

  void FollowBoard();
  bool Overtaken();
  void OpenTables();
  void OnOpened(const absl::Status& status);
  bool WantsToWrite() const;
  bool MayGoOn() const;
  bool StoreReplaced() const;
  void Claim();
  void OnClaimed(std::uint64_t incarnation, const absl::StatusOr<Claimed>& claimed);
  void StandBy(std::string_view kind, std::string_view why);
  void RetryLater(MonotonicTime now);
  std::string NotWritingReason() const;

  Options options_;
  StateStore& store_;
  Loop& loop_;
  const ControlBoard& board_;
  std::vector<std::unique_ptr<Source>> sources_;
  Origin origin_;
  State state_ = State::kOpening;
  std::size_t opens_pending_ = 0;
  absl::Status problem_;  ///< why tables cannot be opened or claims fail, for the report
  std::uint64_t term_ = 0;
  std::uint64_t highest_term_ = 0;
  std::uint64_t incarnation_ = 0;     ///< of the store at the claim
  std::uint64_t dropped_erases_ = 0;  ///< by the pumps, at the last claim
  std::uint64_t opened_in_ = 0;       ///< of the store that knows our tables
  bool ever_claimed_ = false;
  UnixTime overtaken_at_{};  ///< the move to the other box, by its `since`, that was seen last
  std::uint64_t overtaken_term_ = 0;  ///< shared: the other box's newest claim that was seen
  MonotonicTime retry_at_{};
  Backoff backoff_;
  /// Callbacks hold a weak reference: they may come after this object is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_PIPELINE_H_
