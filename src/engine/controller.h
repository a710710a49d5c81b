#ifndef MIMI_SRC_ENGINE_CONTROLLER_H_
#define MIMI_SRC_ENGINE_CONTROLLER_H_

// Controller: the state machine that moves a pair's traffic (DESIGN promises 3, 4, 5 and 7).
//
// It holds no descriptor, timer or thread. What it knows it is told (Update, Report, Tick); what it
// does to the world goes through ControllerEffects and the Lease. So a test, the simulator and the
// engine drive the same code. It takes a clock, and not times, since guards compare at moments of
// others.
//
//     Controller controller(options, effects, *lease, clock);
//     controller.Start();
//     controller.Update(inputs);    // a row, the wanted row or the store's state changed
//     controller.Report(event);     // liveness
//     controller.Tick();            // at NextDeadline()
//
// What it acts on:
// - *Truth, not memory.* Whenever it comes to hold the lease (at a start, after a lapse) it reads
//   the wanted row and where traffic goes, and goes on from there. A planned move found with its
//   traffic still at the old box is undone; a move found with its traffic at the target is carried
//   on to its claim. So the process may die at any step. Where traffic cannot be seen, twice in a
//   row, the wanted row's word is taken: a redirect away from a dead box does not wait for a sight
//   of the way to it, and what may have been redirected is redirected again.
// - *One acts.* Without the lease it only watches. The grant is compared with the clock at every
//   effect, inside Steering by the guard. The rows that it writes carry the lease's term, and
//   TakeBoard() gives them versions that outrank all earlier holders'. A claim holds only if the
//   newest claim is still the one that it knew.
// - *Who diverts while the store is away.* A valid lease is enough: primary and store may die at
//   once, and at least two thirds of the lease are left then, since it is renewed each third. After
//   that nobody can tell whether another manager has taken over, so it only watches, unless
//   ManagerOptions::sole says that there is no other.
//
// Threads: the loop thread only. No entry may be called from inside an effect or on_step.
// Lifetime: effects, lease, clock and what the options point to outlive it. Answers that come after
// its end are ignored.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/engine.h"
#include "mimi/lease.h"

#include "src/engine/controller_effects.h"
#include "src/engine/lease_keeper.h"
#include "src/engine/move_plan.h"

namespace mimi::internal {

struct ControllerOptions {
  std::string pair = "pair";
  ManagerOptions manager;
  Origin primary = 0;  ///< nodes, on whose behalf it claims
  Origin minion = 0;
  bool shared_claims = false;
  Duration max_staleness = std::chrono::seconds(1);
  Duration blind_after = std::chrono::seconds(3);
};

class Controller {
 public:
  using StatusCallback = std::function<void(absl::Status)>;

  Controller(ControllerOptions options, ControllerEffects& effects, Lease& lease,
             const Clock& clock);
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  void Start();
  /// Gives up the lease. A move under way is left where it is, for the next holder of the lease.
  void Stop();

  void Update(ControllerInputs inputs);
  void Report(const LivenessEvent& event);
  void Tick();
  std::optional<MonotonicTime> NextDeadline() const;

  /// An operator's move (Engine::Divert, Restore). `done` may run inside the call when there is
  /// nothing to wait for.
  void Divert(StatusCallback done) { AskFor(Side::kMinion, std::move(done)); }
  void Restore(StatusCallback done) { AskFor(Side::kPrimary, std::move(done)); }
  /// What Divert or Restore would meet now, without doing it.
  absl::Status Check(Side to) const;
  absl::StatusOr<MovePreview> Preview(Side to) const;

  /// `moves` in it is valid until the next entry.
  PairView view() const;
  /// This process holds the lease, has read the truth, and acts.
  bool acting() const { return stance_ == Stance::kActing; }
  /// The first step of the move under way that has not ended.
  std::optional<Step> step() const;
  const std::vector<Move>& moves() const { return moves_; }

 private:
  /// kTaking: the board was asked for. kLooking: Observe was.
  enum class Stance : std::uint8_t { kWatching, kTaking, kLooking, kActing };

  struct SeenHealth {
    Health health = Health::kUnknown;
    MonotonicTime since;
    std::string reason;
  };

  enum class Progress : std::uint8_t { kIdle, kBegun, kDone };

  /// The move under way.
  struct Run {
    Side to = Side::kMinion;
    bool planned = false;
    std::string reason;
    MonotonicTime began;
    UnixTime since{};
    std::vector<StatusCallback> askers;

    std::span<const PlannedStep> plan;
    std::array<Progress, kSteps.size()> progress{};  // by place in the plan
    MonotonicTime step_began;                        // of the step begun last

    bool steered = false;                     // traffic goes to `to`
    std::optional<absl::Status> steer_error;  // planned: the truth has to be looked at
    bool claim_asked = false;
    std::uint64_t claimed = 0;         // the term; 0: not yet
    MonotonicTime steer_at, claim_at;  // not before
    Duration steer_backoff{};

    // What the waiting steps compare with: reports and the feed's head as they stood when they
    // began; for kDrain, the sink's and the head when the report before came.
    PairRow source_mark, sink_mark;
    Position head_mark = 0;
    std::optional<Position> head;  // what the feed held when the old source had nothing left
  };

  // controller.cc: the lease and the truth
  void Settle();
  /// No lease can be had, and nobody else could have it.
  bool Alone() const;
  bool MayAct() const;
  void CheckStance();
  void StepDown(std::string_view why);
  void TakeOver();
  void TakeBoard();
  void Look();
  void OnObserved(const absl::StatusOr<Side>& seen);
  void OnUnseen();
  void Derive(std::optional<Side> seen);
  void GoOnFrom(const PairRow& found);
  void GoOnUnseen(const PairRow& found);
  void Undo(Phase found);

  // controller_decide.cc
  void FollowNetwork();
  void FollowDrift(Side seen);
  bool ClaimBack();
  void Decide();
  void Reconsider(Side to, const Decision& decision, const PairView& seen);
  void AskFor(Side to, StatusCallback done);
  absl::Status CheckMove(Side to, bool planned, const PairView& view) const;
  void NoteReadiness();

  // controller_view.cc: what is known
  PartStatus Part(const PartStatus& part) const;
  SeenHealth HealthOf(Side side) const;
  std::optional<Duration> SourceSilence() const;
  std::optional<Side> ClaimantSide() const;
  std::uint64_t HighestTerm() const;
  std::optional<MonotonicTime> StepDeadline(Step step) const;
  void WatchPublished();
  void Complain(std::string what);

  // controller_move.cc: the steps of a move
  void Begin(Side to, bool planned, std::string reason, std::vector<StatusCallback> askers);
  void GoOn(Side to, Step from, bool planned, std::string reason);
  void Replan(const std::string& reason);
  void Advance();
  bool GiveUpIfHopeless();
  void GiveUp(absl::Status why);
  void End(absl::Status result);
  void BeginStep(std::size_t at);
  void EndStep(std::size_t at);
  void MarkReports();
  /// REQUIRES: a move is under way.
  bool Reached(Step step);
  void Steer();
  void OnSteered(Side to, const absl::Status& status);
  void OnSteeredAfterAll(Side seen);
  void Claim();
  void OnClaimed(std::uint64_t run, const absl::StatusOr<Claimed>& claim);
  void Announce(Step step, StepEdge edge) const;

  // controller_wait.cc: what the steps wait for, and the wanted row
  bool CaughtUp() const;
  bool Drained();
  bool TailDrained();
  bool SourceDrained(Side home) const;
  bool Activated() const;
  PairRow MovingRow(bool active) const;
  PairRow StableRow(Side side) const;
  void Write(const PairRow& row);
  bool Confirmed() const;
  void Remember(Side to, bool planned, bool succeeded, Duration took, std::string reason);

  bool passive() const { return options_.manager.steering->passive(); }
  /// An answer: dropped when the controller is gone, followed by Settle().
  template <class Callback>
  auto Guarded(Callback callback) {
    return [this, alive = std::weak_ptr<bool>(alive_), callback](auto answer) {
      if (!alive.expired()) {
        callback(answer);
        Settle();
      }
    };
  }

  /// Between two tries of what should have worked.
  static constexpr Duration kRetry = std::chrono::milliseconds(100);
  /// Looks that saw nothing, in a row, until it goes on without.
  static constexpr int kLooks = 2;

  const ControllerOptions options_;
  ControllerEffects& effects_;
  const Clock& clock_;
  LeaseKeeper lease_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::optional<ControllerInputs> inputs_;
  MonotonicTime inputs_at_;
  MonotonicTime store_back_at_;
  std::array<SeenHealth, 2> health_;
  std::optional<MonotonicTime> source_heard_since_;
  struct Published {
    std::uint64_t term = 0;        // of the source of the box with the traffic
    std::optional<Position> head;  // of the feed when it had published all that it had held back
  } published_;

  Stance stance_ = Stance::kWatching;
  std::uint64_t acting_term_ = 0;  // the lease's, under which the truth was read
  Side traffic_ = Side::kPrimary;
  bool unfenced_ = false;
  PairRow stable_;                  // the wanted row of the phase that was reached last
  std::optional<PairRow> written_;  // the newest row handed to WriteWanted
  std::optional<Run> run_;
  std::uint64_t runs_ = 0;  // tells answers to older moves

  bool boarding_ = false, observing_ = false, steering_ = false, claiming_ = false;
  bool look_counts_ = false;  // the look under way began after whatever it has to tell of
  bool observed_ = false;     // the last look saw something
  int unseen_ = 0;            // looks in a row that saw nothing
  bool astray_ = false;  // a redirect may have gone wrong, or half way, and nobody has seen since
  MonotonicTime retry_at_;    // TakeBoard, Observe while looking
  MonotonicTime observe_at_;  // the next look at where traffic goes
  int drifts_ = 0;
  std::optional<MonotonicTime> decide_at_;
  MonotonicTime planned_not_before_;
  std::string last_refusal_;
  std::string last_complaint_;
  std::string last_readiness_;
  std::vector<Move> moves_;
  std::vector<std::pair<StatusCallback, absl::Status>> answers_;  // for operators, given last
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_CONTROLLER_H_
