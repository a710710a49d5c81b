#ifndef MIMI_SRC_ENGINE_CONTROLLER_H_
#define MIMI_SRC_ENGINE_CONTROLLER_H_

/// \file
/// Controller: the state machine that moves a pair's traffic (DESIGN promises 3, 4, 5 and 7).
///
/// It holds no descriptor, timer or thread. What it knows it is told (Update, Report, Tick); what
/// it does to the world goes through ControllerEffects and the Lease. So a test, the simulator and
/// the engine drive the same code.
///
///     Controller controller(options, effects, *lease, clock);
///     controller.Start();
///     controller.Update(inputs);        // when a part's row, the wanted row or the store's state
///     changed, and each report_every controller.Report(event);         // liveness
///     controller.Tick();                // at NextDeadline()
///
/// What it acts on:
/// - *Truth, not memory.* Whenever it comes to hold the lease (at a start, after a lapse) it reads
/// the wanted row, where traffic
///   goes (Observe) and the store's newest claim, and goes on from there. A planned move found with
///   its traffic still at the old box is undone; a move found with its traffic at the target is
///   carried on to its claim. So the process may die at any step.
/// - *One acts.* Without the lease it only watches. The grant is compared with the clock at every
/// effect, inside Steering by the
///   guard. The rows it writes carry the lease's term, and TakeBoard() gives them versions that
///   outrank all earlier holders'.
/// - *Who diverts while the store is away.* A valid lease is enough: primary and store may die at
/// once, and at least
///   two thirds of the lease are left then. After that nobody can tell whether another manager has
///   taken over, so it only watches, unless ManagerOptions::sole says that there is no other.
///
/// What the engine's parts do with the wanted row (each part acts on it as soon as it reads it):
/// - A box's *sink* is to be active iff WantsActive(row, side); it reports `active` and `reached`
/// back.
/// - A box's *source* may claim and publish iff the phase is stable and `writer` is its side. It
/// claims a term of its own, above
///   `fence`. In a moving phase it goes on with the term that it has, and does not claim a new one.
/// - A planned kRestoring row asks the primary's sink to load if it does not follow yet, then for
/// one audit; the sink
///   reports `syncing`, `resyncs`, `differing` and a new `audited`. That is the whole of kCatchUp's
///   protocol.
///
/// Threads: the loop thread only. No entry point may be called from inside an effect.
/// Lifetime: effects, lease, clock and what the options point to outlive it. Answers that come
/// after its end are ignored.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/engine.h"
#include "mimi/lease.h"

#include "src/engine/lease_keeper.h"
#include "src/engine/move_plan.h"

namespace mimi {

/// Whether the sinks of `side` are to be active (Minion::Activate) under this wanted row.
bool WantsActive(const PairRow& wanted, Side side);
/// Whether the source of `side` may claim a term for itself under this wanted row.
bool MayClaim(const PairRow& wanted, Side side);

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

struct ControllerOptions {
  std::string pair = "pair";
  ManagerOptions manager;
  Origin primary = 0;  ///< nodes, on whose behalf it claims
  Origin minion = 0;
  bool shared_claims = false;
  Duration max_staleness = std::chrono::seconds(1);
  Duration blind_after = std::chrono::seconds(3);
};

/// All that the controller knows of the pair, besides liveness. `since_heard` is as of the call of
/// Update().
struct ControllerInputs {
  PartStatus primary_source, primary_sink, minion_source, minion_sink;
  StoreState store;
  std::optional<PairRow>
      wanted;  ///< as read back from the store; nullopt: never written, or not read yet
};

class Controller {
 public:
  using StatusCallback = std::function<void(absl::Status)>;

  Controller(ControllerOptions options, ControllerEffects& effects, Lease& lease,
             const Clock& clock);
  ~Controller();
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
  void Divert(StatusCallback done) { Ask(Side::kMinion, std::move(done)); }
  void Restore(StatusCallback done) { Ask(Side::kPrimary, std::move(done)); }
  /// What Divert or Restore would answer now, without doing it.
  absl::Status Check(Side to) const;

  /// Valid until the next entry.
  PairView view() const;
  bool acting() const;
  std::optional<Step> step() const;
  const std::vector<Move>& moves() const { return moves_; }

 private:
  /// Whether this manager acts. kTaking: the board was asked for; kLooking: Observe was.
  enum class Stance : std::uint8_t { kWatching, kTaking, kLooking, kActing };

  void Ask(Side to, StatusCallback done);

  ControllerOptions options_;
  ControllerEffects& effects_;
  const Clock& clock_;
  LeaseKeeper lease_;
  ControllerInputs inputs_;
  Stance stance_ = Stance::kWatching;
  std::vector<Move> moves_;
};

}  // namespace mimi

#endif  // MIMI_SRC_ENGINE_CONTROLLER_H_
