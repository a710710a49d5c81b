#ifndef MIMI_ENGINE_H_
#define MIMI_ENGINE_H_

/// \file
/// Engine: one primary/minion pair, or this process's part of it.
///
/// An engine connects what you give it: for each box that this process serves, its *sources*
/// (drivers, or lanes that your packet threads write to) and its *sinks* (a minion, or a table that
/// your packet threads read); a store between them; and, in the process that manages, a policy,
/// liveness and steering. Any mix may live in one process; engines of different processes meet in
/// the store.
///
///     EngineOptions options;
///     options.pair = "edge1";
///     options.store = store.get();
///     options.primary.lanes = {StateSchema::Of<LbFlow>()};
///     std::unique_ptr<Engine> engine = *NewEngine(std::move(options), *loop);
///     Lane* lane = *engine->OpenLane(Side::kPrimary, StateSchema::Of<LbFlow>());
///     …                                   // packet threads: lane->Put(flow)
///     engine->Run();                      // or PollFd() and RunOnce() in a loop of yours
///
/// What it promises (DESIGN.md): state reaches the other box's sinks as it arrives; nothing is lost
/// silently; who writes is fenced by term; planned moves drain before they redirect and claim last,
/// unplanned ones divert at once; a restart at any step ends in a correct state.
///
/// Threads: everything on the loop's thread, except Report(), Post-like calls marked "any thread",
/// and lanes (lane.h).
/// Lifetime: the loop, store, drivers, minions, liveness, policy and steering outlive the engine.
/// Destroying it is like a crash of the process: nothing in the data plane changes. Stop() first
/// drains what lanes still hold.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/control.h"
#include "mimi/driver.h"
#include "mimi/failover.h"
#include "mimi/liveness.h"
#include "mimi/loop.h"
#include "mimi/metrics.h"
#include "mimi/minion.h"
#include "mimi/publisher.h"
#include "mimi/steering.h"
#include "mimi/store.h"

namespace mimi {

/// One box, as far as this process serves it.
struct BoxOptions {
  /// The node's name, unique in the repository. Default: "<pair>.primary" or "<pair>.minion".
  std::string node;
  /// Sources. At most one driver per table; a table may have lanes as well.
  std::vector<Driver*> drivers;
  std::vector<StateSchema> lanes;
  /// Sinks, at most one per table.
  std::vector<Minion*> minions;
  /// The coverage of the lanes' tables (a driver knows its own).
  Coverage lane_coverage;
  /// Rows of tables whose coverage lacks ends age by this duration field, counted from their last
  /// Put (DESIGN "Expiry").
  std::string age_field = "idle_timeout";

  bool served() const { return !drivers.empty() || !lanes.empty() || !minions.empty(); }
};

/// The steps of a move, in the order in which a planned one takes them. An unplanned one leaves out
/// those that wait for the old box, and steers first. Each is announced before and after its effect
/// (ManagerOptions::on_step); the process may die at any of them.
enum class Step : std::uint8_t {
  kAnnounce,   ///< the phase is written to the control table
  kCatchUp,    ///< restore: the primary has been loaded, follows, and an audit found no difference
  kDrain,      ///< planned: the target confirmed all but a short tail
  kActivate,   ///< the target's sinks were told that traffic comes
  kSteer,      ///< traffic moves
  kDrainTail,  ///< planned: what the old box still made until then is confirmed by the target
  kClaim,      ///< the term changes hands
  kCommit,     ///< the new phase and writer are written
};
inline constexpr std::array kSteps = {Step::kAnnounce, Step::kCatchUp, Step::kDrain,
                                      Step::kActivate, Step::kSteer,   Step::kDrainTail,
                                      Step::kClaim,    Step::kCommit};
std::string_view StepName(Step step);
enum class StepEdge : std::uint8_t { kBefore, kAfter };

/// What this process needs to manage the pair. Several managers may run; a lease in the store lets
/// exactly one act.
struct ManagerOptions {
  /// This manager's name, unique among the pair's managers; it owns the lease. A name that stays
  /// the same lets a restarted manager go on at once instead of waiting for its own lease to run
  /// out.
  /// Default: a random one.
  std::string node;
  FailoverPolicy* policy = nullptr;  ///< required
  Steering* steering = nullptr;      ///< required
  std::vector<Liveness*> liveness;
  Duration lease_ttl = std::chrono::seconds(3);
  /// The longest that kDrain, kDrainTail and kCatchUp may each wait before a planned move is given
  /// up and undone.
  Duration step_timeout = std::chrono::seconds(30);
  /// A tail this short counts as drained before the redirect, in feed positions.
  std::uint64_t short_tail = 256;
  /// A primary without a sink cannot get back the flows born on the minion. false: restore is
  /// refused; true: it is allowed, and those flows are lost with it.
  bool restore_without_state = false;
  /// Treat the primary as down when its source is silent this long (it sends a heartbeat each 250
  /// ms). 0: off.
  Duration source_silence{};
  /// This is the pair's only manager, and always will be. While the store cannot be reached, nobody
  /// can know whether another manager has taken the lease over; so after it ran out, managers stand
  /// still until the store is back. Only where no other can exist may this one divert away from a
  /// dead primary even then. True with two managers is split brain.
  bool sole = false;
  std::function<void(Side to, Step step, StepEdge edge)> on_step;
};

/// Something worth telling an operator: state changes, never one per record.
struct PairEvent {
  UnixTime at{};
  /// "phase", "readiness", "liveness", "decision", "lease", "claim", "fenced", "lost", "resync",
  /// "load", "audit" or "error".
  std::string kind;
  std::string detail;
};

struct EngineOptions {
  std::string pair = "pair";
  StateStore* store = nullptr;  ///< required
  BoxOptions primary;
  BoxOptions minion;
  std::optional<ManagerOptions> manager;
  /// Whether the boxes claim in shared mode (steering is passive). Must be the same in every
  /// process of the pair.
  bool shared_claims = false;

  PublisherOptions publish;
  Duration max_staleness = std::chrono::seconds(1);
  Duration blind_after = std::chrono::seconds(3);
  Duration report_every = std::chrono::milliseconds(250);
  Duration audit_every = std::chrono::minutes(5);  ///< 0: only on request
  /// Rows that a replica keeps for one table; beyond it new keys are refused and counted.
  std::size_t max_rows = 10'000'000;
  /// Seeds back-off jitter and hash tables; 0 takes one from the system.
  std::uint64_t seed = 0;
  std::function<void(const PairEvent&)> on_event;
};

struct AuditResult {
  std::uint64_t compared = 0;
  std::uint64_t missing = 0;  ///< in the store, not in the data plane
  std::uint64_t extra = 0;    ///< in the data plane, not in the store
  std::uint64_t different = 0;
  std::uint64_t repaired = 0;
  std::vector<std::string> findings;  ///< the first 16, in words
  std::uint64_t differing() const { return missing + extra + different; }
};

/// What a move asked for now would do.
struct MovePreview {
  bool planned = true;
  std::vector<Step> steps;  ///< empty: the traffic is there already
};

/// One part of a box as the control table shows it, wherever it runs.
struct PartStatus {
  bool heard = false;      ///< a report came within blind_after
  Duration since_heard{};  ///< the greatest there is: not since this process began
  PairRow report;
};

struct PairStatus {
  std::string pair;
  PairView view;
  PartStatus primary_source, primary_sink, minion_source, minion_sink;
  StoreState store;
  bool managed = false;      ///< a manager has said what is wanted, now or earlier
  bool acting = false;       ///< this process holds the manager's lease
  std::optional<Step> step;  ///< of the move under way
  std::vector<Move> moves;
};

class Engine {
 public:
  using StatusCallback = std::function<void(absl::Status)>;
  using AuditCallback = std::function<void(absl::StatusOr<AuditResult>)>;

  virtual ~Engine() = default;

  /// Opens the tables, starts drivers and sinks. Called by the first RunOnce() or Run() if you
  /// don't. Errors of the store's kind come later, as events and status: the engine waits for a
  /// store that is not there.
  virtual absl::Status Start() = 0;
  /// Drains the lanes, releases the lease, stops drivers. `done` runs when everything accepted is
  /// confirmed, or at the deadline.
  virtual void Stop(Duration deadline, StatusCallback done) = 0;

  /// The loop's doors, so that firmware needs to know one object only (loop.h).
  virtual int PollFd() const = 0;
  virtual std::optional<MonotonicTime> NextDeadline() const = 0;
  virtual bool RunOnce() = 0;
  virtual void Run() = 0;
  virtual Loop& loop() = 0;

  /// A lane for one producing thread. It is asked for a resync at its first claim (lane.h:
  /// BeginResync, Walk, EndResync): whoever restarts says what he has. Loop thread; the lane then
  /// belongs to its thread. It lives until it is closed (lane.h) and the engine is gone.
  /// Errors: NotFound (the table is not in BoxOptions::lanes), FailedPrecondition (closed engine).
  virtual absl::StatusOr<Lane*> OpenLane(Side side, const StateSchema& schema) = 0;

  /// Tells the engine what a liveness that lives elsewhere has seen. Any thread.
  virtual void Report(LivenessEvent event) = 0;

  /// A planned move asked for by an operator. `done` runs at its end, never inside the call.
  /// Errors: FailedPrecondition (not ready; the reason says what is missing), Aborted (this process
  /// is not the acting manager, or lost the lease), Unimplemented (no manager here).
  virtual void Divert(StatusCallback done) = 0;
  virtual void Restore(StatusCallback done) = 0;
  /// The same question without the move. Errors: as theirs.
  virtual absl::StatusOr<MovePreview> Preview(Side to) const = 0;

  /// Compares the sinks of `side` that live here with the store, and repairs them. Errors: NotFound
  /// (no sink here), Unimplemented.
  virtual void Audit(Side side, AuditCallback done) = 0;

  virtual PairStatus status() const = 0;
  virtual MetricList metrics() const = 0;
};

/// Errors: InvalidArgument that names the option.
absl::StatusOr<std::unique_ptr<Engine>> NewEngine(EngineOptions options, Loop& loop);

}  // namespace mimi

#endif  // MIMI_ENGINE_H_
