#ifndef MIMI_SRC_ENGINE_ENGINE_H_
#define MIMI_SRC_ENGINE_ENGINE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mimi/engine.h"

#include "src/engine/box_sinks.h"
#include "src/engine/control_board.h"
#include "src/engine/control_writer.h"
#include "src/engine/controller_host.h"
#include "src/engine/feed.h"
#include "src/engine/pipeline.h"

namespace mimi::internal {

inline std::size_t IndexOf(Side side) {
  return side == Side::kPrimary ? 0 : 1;
}

/// The coordinator: makes the parts, gives them their dependencies, and calls each of them when it
/// is due. What the parts do is theirs.
class EngineImpl final : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> New(EngineOptions options, Loop& loop);
  ~EngineImpl() override;

  absl::Status Start() override;
  void Stop(Duration deadline, StatusCallback done) override;
  int PollFd() const override { return loop_.PollFd(); }
  std::optional<MonotonicTime> NextDeadline() const override { return loop_.NextDeadline(); }
  bool RunOnce() override;
  void Run() override;
  Loop& loop() override { return loop_; }
  absl::StatusOr<Lane*> OpenLane(Side side, const StateSchema& schema) override;
  void Report(LivenessEvent event) override;
  void Divert(StatusCallback done) override { Move(Side::kMinion, std::move(done)); }
  void Restore(StatusCallback done) override { Move(Side::kPrimary, std::move(done)); }
  absl::StatusOr<MovePreview> Preview(Side to) const override;
  void Audit(Side side, AuditCallback done) override;
  PairStatus status() const override;
  MetricList metrics() const override;

 private:
  EngineImpl(EngineOptions options, Loop& loop);

  // engine_make.cc
  static absl::Status CheckOptions(const EngineOptions& options);
  static void FillDefaults(EngineOptions& options);
  static std::string ReportsNode(const EngineOptions& options);
  absl::Status Make();
  absl::Status MakePipeline(Side side);
  void MakeSinks(Side side);
  bool MayHoldTraffic(Side side) const;
  std::optional<bool> KnowsBetter(Side side) const;
  absl::Status WatchWakeups(const Pipeline& pipeline);
  absl::Status MakeManager();
  ControllerHost::Parts HostParts();

  void StartIfNeeded();
  void Wake();
  void Tick();
  void Arm(bool now);
  void WriteReports(MonotonicTime now);
  void ContinueStop(MonotonicTime now);
  bool drained() const;
  void Move(Side to, StatusCallback done);
  std::optional<PairRow> LocalReport(PairRowKind kind, Side side) const;
  void Emit(std::string_view kind, std::string detail);

  Loop& loop_;
  EngineOptions options_;
  ControlBoard board_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<ControlWriter> reports_;
  std::array<std::unique_ptr<Pipeline>, 2> pipelines_;  ///< by Side
  std::array<std::unique_ptr<BoxSinks>, 2> sinks_;
  std::unique_ptr<ControllerHost> manager_;

  bool started_ = false;
  bool ticking_ = false;
  bool woken_ = false;  ///< during the tick

  TimerId timer_ = 0;
  MonotonicTime armed_for_ = MonotonicTime::max();
  MonotonicTime next_report_{};
  std::uint64_t beat_ = 0;
  bool stopped_ = false;
  StatusCallback stopping_;
  MonotonicTime stop_deadline_{};
  std::vector<int> watched_;  ///< the pumps' wake-up descriptors
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_ENGINE_H_
