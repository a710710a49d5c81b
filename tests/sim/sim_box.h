#ifndef MIMI_TESTS_SIM_SIM_BOX_H_
#define MIMI_TESTS_SIM_SIM_BOX_H_

// A box of the simulator: a data plane that holds flows, seen through a driver (what traffic does
// to it) and a minion (what a replica does to it). The data plane is the box's; driver and minion
// are its agent's, and die with the agent's process.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mimi/driver.h"
#include "mimi/liveness.h"
#include "mimi/loop.h"
#include "mimi/minion.h"

#include "src/base/bytes.h"

namespace mimi::sim {

// Keys: few enough that tuples are used again, by other flows.
inline constexpr std::size_t kIds = 40;

StateSchema FlowSchema();

struct SimFlow {
  std::uint64_t stamp = 0;  // of its latest change
  MonotonicTime touched;    // by traffic here, or when it was installed
  friend bool operator==(const SimFlow& a, const SimFlow& b) { return a.stamp == b.stamp; }
};

struct SimBox {
  Side side = Side::kPrimary;
  bool up = true;
  std::map<std::uint32_t, SimFlow> flows;
  /// The agent's driver, when its process runs; what traffic does is told to it.
  class SimDriver* driver = nullptr;
};

/// Rows of the simulated table: id, stamp.
std::vector<std::byte> FlowRow(std::uint32_t id, std::uint64_t stamp);

class SimDriver final : public Driver {
 public:
  SimDriver(SimBox& box, StateSchema schema)
      : box_(box), schema_(std::move(schema)), draft_(schema_, 0) {
    box_.driver = this;
  }
  ~SimDriver() override {
    if (box_.driver == this) {
      box_.driver = nullptr;
    }
  }

  // Traffic: the flow was born or has changed; it ended, by its protocol or abruptly. False: the
  // event was lost.
  bool Changed(std::uint32_t id, std::uint64_t stamp);
  bool Ended(std::uint32_t id, bool abrupt);
  /// The next `events` are lost, and counted.
  void LoseNext(std::uint64_t events) { losing_ += events; }

  const StateSchema& schema() const override { return schema_; }
  absl::Status Start(StateSink& sink) override {
    sink_ = &sink;
    return absl::OkStatus();
  }
  absl::Status Resync() override;
  void Stop() override { sink_ = nullptr; }
  Coverage coverage() const override { return {}; }
  DriverState state() const override {
    DriverState state;
    state.rows = box_.flows.size();
    state.lost = lost_;
    return state;
  }

 private:
  bool Send();
  bool Lose();

  SimBox& box_;
  StateSchema schema_;
  BatchBuilder draft_;
  StateSink* sink_ = nullptr;
  std::uint64_t lost_ = 0;
  std::uint64_t losing_ = 0;
};

class SimMinion final : public Minion {
 public:
  SimMinion(SimBox& box, StateSchema schema, Loop& loop, std::function<bool()> busy)
      : box_(box), schema_(std::move(schema)), loop_(loop), busy_(std::move(busy)) {}

  const StateSchema& schema() const override { return schema_; }
  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override { return accepted_; }
  void Warm(StatusCallback done) override { Answer(std::move(done)); }
  void Activate(StatusCallback done) override {
    active_ = true;
    Answer(std::move(done));
  }
  void Retire(StatusCallback done) override {
    active_ = false;
    Answer(std::move(done));
  }
  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override;
  MinionState state() const override {
    return {.healthy = box_.up,
            .reason = box_.up ? "" : "the box is down",
            .active = active_,
            .rows = box_.flows.size()};
  }

 private:
  void Answer(StatusCallback done) {
    loop_.Post([done = std::move(done), alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) {
        done(absl::OkStatus());
      }
    });
  }
  SimBox& box_;
  StateSchema schema_;
  Loop& loop_;
  std::function<bool()> busy_;  // ResourceExhausted now and then
  bool active_ = false;
  Position accepted_ = 0;
  std::optional<std::uint32_t> audit_at_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::sim

#endif  // MIMI_TESTS_SIM_SIM_BOX_H_
