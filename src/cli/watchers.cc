#include "src/cli/watchers.h"

#include <atomic>
#include <utility>
#include <vector>

#include "mimi/builtin/combined_liveness.h"
#include "mimi/builtin/liveness_thread.h"

#include "src/base/status.h"

namespace mimi::cli {
namespace {

using config::BuildContext;
using config::Config;
using config::Part;
using config::Role;

constexpr auto kLookEvery = std::chrono::milliseconds(100);

class ThreadWatchers final : public Watchers {
 public:
  ThreadWatchers(const Config& config, Loop& loop, const Parts& parts, Engine& engine,
                 LogCallback log)
      : config_(config), loop_(loop), parts_(parts), engine_(engine), log_(std::move(log)) {}
  ~ThreadWatchers() override {
    loop_.Cancel(timer_);
    thread_.reset();  // before `shared_` goes, and what its beacons ask
  }

  absl::Status Make() {
    absl::StatusOr<std::unique_ptr<LivenessThread>> thread =
        NewLivenessThread({.priority = config_.liveness_priority, .log = log_});
    if (!thread.ok()) {
      return thread.status();
    }
    thread_ = *std::move(thread);
    if (Has(config_.roles, Role::kManager)) {
      for (const Side side : {Side::kPrimary, Side::kMinion}) {
        if (const absl::Status made = MakeSide(side); !made.ok()) {
          return made;
        }
      }
    }
    for (const auto& [box, role] :
         {std::pair{&config_.primary, Role::kDriver}, std::pair{&config_.minion, Role::kMinion}}) {
      if (Has(config_.roles, role)) {
        if (const absl::Status made = MakeBeacons(*box); !made.ok()) {
          return made;
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Start() override {
    Look();
    return thread_->Start([this](const LivenessEvent& event) { engine_.Report(event); });
  }
  MetricList metrics() const override { return thread_->metrics(); }
  std::string scheduling() const override { return std::string(thread_->scheduling()); }

 private:
  absl::StatusOr<std::unique_ptr<Liveness>> MakeOne(const Part<Liveness>& part) {
    BuildContext build{.loop = thread_->loop(), .pair = config_.pair, .node = {}, .log = log_};
    build.shared = shared_;
    build.well = [well = well_] {
      return well->load(std::memory_order_relaxed);  // orders nothing else
    };
    absl::StatusOr<config::Made<Liveness>> made = part.build(build);
    if (!made.ok()) {
      return AtPlace(config_, part.place, part.path, made.status());
    }
    return std::move(made->part);
  }

  // What watches one box belongs in one combination: the engine takes the last word about a box.
  absl::Status MakeSide(Side side) {
    std::vector<std::unique_ptr<Liveness>> all;
    for (const Part<Liveness>& part : config_.manager->liveness) {
      if (part.side != side) {
        continue;
      }
      absl::StatusOr<std::unique_ptr<Liveness>> one = MakeOne(part);
      if (!one.ok()) {
        return one.status();
      }
      all.push_back(*std::move(one));
    }
    if (all.size() == 1) {
      thread_->Add(std::move(all.front()));
    } else if (!all.empty()) {
      const int most = static_cast<int>(all.size());
      absl::StatusOr<std::unique_ptr<Liveness>> combined =
          NewCombinedLiveness({.box = side,
                               .down = std::min(config_.manager->down_when, most),
                               .parts = std::move(all)});
      if (!combined.ok()) {
        return combined.status();
      }
      thread_->Add(*std::move(combined));
    }
    return absl::OkStatus();
  }

  absl::Status MakeBeacons(const config::BoxConfig& box) {
    for (const Part<Liveness>& part : box.beacons) {
      absl::StatusOr<std::unique_ptr<Liveness>> beacon = MakeOne(part);
      if (!beacon.ok()) {
        return beacon.status();
      }
      thread_->Add(*std::move(beacon));
    }
    return absl::OkStatus();
  }

  // The beacons ask on their thread; the parts answer on the loop's.
  void Look() {
    well_->store(parts_.well(), std::memory_order_relaxed);
    timer_ = loop_.At(loop_.now() + kLookEvery, [this] { Look(); });
  }

  const Config& config_;
  Loop& loop_;
  const Parts& parts_;
  Engine& engine_;
  LogCallback log_;
  std::shared_ptr<config::SharedParts> shared_ = std::make_shared<config::SharedParts>();
  std::shared_ptr<std::atomic<bool>> well_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<LivenessThread> thread_;
  TimerId timer_ = 0;
};

bool AnythingToDo(const Config& config) {
  return (Has(config.roles, Role::kManager) && !config.manager->liveness.empty()) ||
         (Has(config.roles, Role::kDriver) && !config.primary.beacons.empty()) ||
         (Has(config.roles, Role::kMinion) && !config.minion.beacons.empty());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Watchers>> MakeWatchers(const Config& config, Loop& loop,
                                                       const Parts& parts, Engine& engine,
                                                       const LogCallback& log) {
  if (!AnythingToDo(config)) {
    return std::unique_ptr<Watchers>();
  }
  auto watchers = std::make_unique<ThreadWatchers>(config, loop, parts, engine, log);
  const absl::Status made = watchers->Make();
  if (!made.ok()) {
    return made;
  }
  return std::unique_ptr<Watchers>(std::move(watchers));
}

}  // namespace mimi::cli
