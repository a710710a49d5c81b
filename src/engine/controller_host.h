#ifndef MIMI_SRC_ENGINE_CONTROLLER_HOST_H_
#define MIMI_SRC_ENGINE_CONTROLLER_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "mimi/engine.h"

#include "src/engine/control_board.h"
#include "src/engine/control_writer.h"
#include "src/engine/controller.h"
#include "src/engine/feed.h"

namespace mimi::internal {

/// What the controller's state machine needs of the world: the lease, the store's claims, the
/// control table, steering and liveness.
///
/// Threads: the loop thread only.
class ControllerHost : private ControllerEffects {
 public:
  struct Parts {
    StateStore& store;
    Loop& loop;
    ControlBoard& board;
    Feed& feed;
    /// A part that runs in this process is known without the store; nullopt: it runs elsewhere.
    std::function<std::optional<PairRow>(PairRowKind, Side)> local;
    std::function<void()> wake;
    std::function<void(std::string_view kind, std::string detail)> emit;
    /// Liveness said that this box is down.
    std::function<void(Side)> on_down;
  };
  static absl::StatusOr<std::unique_ptr<ControllerHost>> New(ControllerOptions options,
                                                             const PublisherOptions& publish,
                                                             Parts parts);
  ~ControllerHost() override;

  absl::Status Start();
  void Stop();
  void Tick(MonotonicTime now);
  std::optional<MonotonicTime> NextDeadline() const;

  void Report(const LivenessEvent& event);
  Controller& controller() { return *controller_; }
  const Controller& controller() const { return *controller_; }

  /// What the board and this process know of a part.
  static PartStatus StatusOf(const Parts& parts, Duration blind_after, PairRowKind kind, Side side);

 private:
  ControllerHost(ControllerOptions options, Parts parts, std::unique_ptr<Lease> lease);

  // ControllerEffects
  void TakeBoard(StatusCallback done) override;
  void WriteWanted(const PairRow& row) override;
  void Steer(Side to, Steering::Guard guard, StatusCallback done) override;
  void Observe(Steering::ObserveCallback done) override;
  void Claim(const ClaimRequest& request, ClaimCallback done) override;
  void Emit(std::string_view kind, std::string detail) override;
  void Changed() override;

  void ContinueTaking();
  void KeepWanted();
  ControllerInputs Inputs() const;

  ManagerOptions manager_;
  Duration blind_after_;
  Parts parts_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<ControlWriter> writer_;
  std::unique_ptr<Controller> controller_;
  StatusCallback taking_;
  std::optional<PairRow> wanted_;  ///< the last one set while acting
  bool rewriting_ = false;
  bool ticking_ = false;
  std::uint64_t seen_changes_ = 0;
  MonotonicTime next_update_{};
  std::vector<Liveness*> started_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_CONTROLLER_HOST_H_
