#ifndef MIMI_TESTS_SIM_SIM_WORLD_H_
#define MIMI_TESTS_SIM_SIM_WORLD_H_

// One seed: a pair of boxes with their agents, one or two managers, a repository, traffic, and what
// goes wrong. Everything is decided by the seed; time is virtual. A broken promise ends the run
// with its name.
//
//   World world({.seed = 42}); std::optional<std::string> broken = world.Run();

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "mimi/builtin/memory_store.h"
#include "mimi/engine.h"
#include "mimi/testing/fault_store.h"
#include "mimi/testing/virtual_loop.h"

#include "tests/sim/sim_box.h"
#include "tests/sim/sim_store.h"

namespace mimi::sim {

inline constexpr Duration kStepTimeout = std::chrono::seconds(2);

/// Who cannot reach whom. A manager that cannot reach a box takes it for dead.
enum class Cut : std::uint8_t {
  kPrimaryStore,
  kMinionStore,
  kManager1Store,
  kManager2Store,
  kManager1Primary,
  kManager2Primary,
  kManager1Minion,
  kManager2Minion,
};
inline constexpr std::size_t kCuts = 8;

struct WorldOptions {
  std::uint64_t seed = 1;
  /// Instead of what the seed would make go wrong: all of them at once, until everything heals;
  /// then the boxes are audited, too.
  std::vector<Cut> cuts{};
  bool divert = false;  ///< with cuts: a planned divert is asked for right before
  Bug bug = Bug::kNone;
  bool trace = false;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  /// The promise that was broken, in words; nullopt: none.
  std::optional<std::string> Run();

 private:
  // A process: gone when `engine` is null. What it had in memory goes with it; its box's data plane
  // does not.
  struct Node {
    std::string name;
    std::optional<Side> side;  // an agent's box; none: a manager
    std::unique_ptr<VirtualLoop> loop;
    std::unique_ptr<SimStore> sim_store;
    std::unique_ptr<FaultStore> store;
    std::unique_ptr<SimDriver> driver;
    std::unique_ptr<SimMinion> minion;
    std::unique_ptr<FailoverPolicy> policy;
    std::unique_ptr<class SimSteering> steering;
    std::unique_ptr<Engine> engine;
    MonotonicTime frozen_until;
    bool link_up = true;
  };
  friend class SimSteering;
  struct Truth {
    std::uint64_t stamp = 0;
    MonotonicTime changed;
  };

  // sim_world.cc: processes and time
  struct StoredRow {
    std::uint64_t stamp = 0;
    Origin origin = 0;
    Version version;
  };
  void StartNode(Node& node);
  void StopNode(Node& node);
  void SetLink(Node& node, bool up);
  void StepUntil(MonotonicTime until);
  bool RunLoops();
  bool frozen(const Node& node) const { return clock_.now() < node.frozen_until; }
  std::shared_ptr<MemoryRepository> NewRepository() const;
  void RepeatLater(const BatchView& batch);
  void StoreLater(const BatchView& batch, Duration after);
  std::map<std::uint32_t, StoredRow> Stored();
  Node& agent(Side side) { return nodes_[side == Side::kPrimary ? 0 : 1]; }
  SimBox& box(Side side) { return boxes_[side == Side::kPrimary ? 0 : 1]; }
  void At(Duration after, std::function<void()> event);
  void Trace(const std::string& text) const;
  void Break(const std::string& promise);
  std::size_t Dice(std::size_t sides) {
    return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random_);
  }
  Duration Milliseconds(int from, int to);

  // sim_faults.cc: traffic, and what goes wrong
  void Traffic();
  void Change(std::uint32_t id);
  void EndFlow(std::uint32_t id, bool abrupt);
  void LoseAgent(Side side);
  void Touch();
  void PlanFaults();
  void OneFault();
  void CutUplink(Node& node);
  void CutSteering();
  void CutApart();
  void CrashBox(Side side, bool loud);
  void Reboot(Side side);
  void Tell(Side side, Health health);
  void ReplaceRepository();
  void AskForMove(Side to);
  void Heal();

  // sim_promises.cc
  void OnStep(Side to, Step step, StepEdge edge);
  void OnRedirect(Side to);
  void OnBroken(std::uint32_t id, const Truth& flow);
  void WatchFeed();
  void OnStored(const BatchView& batch);
  void CheckStatus();
  void CheckMemory();
  bool Converged(std::string* why);
  void CheckAudits();

  WorldOptions options_;
  std::mt19937_64 random_;
  VirtualClock clock_;
  std::multimap<MonotonicTime, std::function<void()>> events_;
  std::shared_ptr<MemoryRepository> repository_;
  std::vector<SimBox> boxes_;
  std::vector<Node> nodes_;
  bool passive_ = false;
  std::size_t ids_ = kIds;  // so many of them are used
  std::size_t births_ = 1;  // one packet in so many that could begin a flow does
  bool repeats_ = false;    // batches come again, late
  bool healing_ = false;
  MonotonicTime unseen_until_;  // nobody can see where traffic goes
  MonotonicTime deaf_until_;    // redirects fail, some of them after their effect
  Side traffic_ = Side::kPrimary;
  std::map<std::uint32_t, Truth> truth_;
  std::uint64_t next_stamp_ = 1;
  std::optional<std::string> broken_;

  // Flows that have ended without the repository being told, and their rows.
  std::set<std::uint32_t> untold_ends_;

  // What the promises are checked against.
  MonotonicTime
      last_disaster_;  // a crash, a counted loss, a new repository: what planned moves cannot hide
  MonotonicTime last_replacement_;
  std::size_t feed_limit_ = 0;
  std::optional<MonotonicTime> planned_redirect_;
  MonotonicTime tail_began_;
  bool planned_ = false;
  Step last_begun_ = Step::kCommit;
  Side planned_to_ = Side::kPrimary;
  std::unique_ptr<VirtualLoop> spy_loop_;
  std::unique_ptr<StateStore> spy_;
  std::unique_ptr<Cursor> spy_cursor_;
  std::uint64_t fence_ = 0;
  std::map<std::uint64_t, Origin> writers_;  // of terms
  std::map<std::uint32_t, Version> newest_;  // of each flow: what the repository accepted
};

/// The steering of all managers: one network.
class SimSteering final : public Steering {
 public:
  SimSteering(World& world, Loop& loop, bool passive)
      : world_(world), loop_(loop), passive_(passive) {}
  std::string_view name() const override { return "sim"; }
  void Divert(Guard guard, StatusCallback done) override {
    Go(Side::kMinion, std::move(guard), std::move(done));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Go(Side::kPrimary, std::move(guard), std::move(done));
  }
  void Observe(ObserveCallback done) override;
  bool passive() const override { return passive_; }

 private:
  void Go(Side to, Guard guard, StatusCallback done);
  World& world_;
  Loop& loop_;
  bool passive_;
};

}  // namespace mimi::sim

#endif  // MIMI_TESTS_SIM_SIM_WORLD_H_
