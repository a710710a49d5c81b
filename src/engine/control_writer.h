#ifndef MIMI_SRC_ENGINE_CONTROL_WRITER_H_
#define MIMI_SRC_ENGINE_CONTROL_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/control.h"
#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/base/backoff.h"
#include "src/engine/control_board.h"
#include "src/publish/pump.h"

namespace mimi::internal {

/// Writes rows of the control table, under a control term of its own. It is a pump like any other:
/// while the store is away, the newest row per key waits.
///
/// Reports are written by one that claims by itself, whenever it needs to. The wanted row is
/// written by one that claims only when told (Outrank): what an earlier holder of the manager's
/// lease still has waiting must never get a newer term than its successor's.
///
/// Threads: the loop thread only.
class ControlWriter : private PumpOwner {
 public:
  enum class Claims : std::uint8_t { kByItself, kWhenTold };

  static absl::StatusOr<std::unique_ptr<ControlWriter>> New(std::string_view node, Claims claims,
                                                            StateStore& store, Loop& loop,
                                                            const ControlBoard& board,
                                                            const PublisherOptions& publish);

  void Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const { return pump_->NextDeadline(); }

  void Write(const PairRow& row);

  /// Forgets what waits, and claims a term above every one seen: what is written from now on
  /// outranks what others wrote until now.
  void Outrank();

  /// The feed's head at the claim that stands: what earlier terms wrote is before it. nullopt: none
  /// stands.
  std::optional<Position> claimed_at() const { return claimed_at_; }
  /// The highest term that was claimed.
  std::uint64_t term() const { return highest_term_; }
  /// A claim stands, or will be made without being told again.
  bool claims() const { return wants_claim_ || claimed_at_.has_value(); }

 private:
  ControlWriter(std::string_view node, Claims claims, StateStore& store, Loop& loop,
                const ControlBoard& board, const PublisherOptions& publish);
  absl::Status NewPump();
  void OnStopped(const absl::Status& why) override;
  void Open();
  void Claim();
  void OnClaimed(const absl::StatusOr<Claimed>& claimed);
  void RetryUnless(bool done);
  void Lose();

  enum class State : std::uint8_t { kUnopened, kOpening, kOpened, kClaiming, kWriting };

  Origin origin_;
  Claims claims_;
  StateStore& store_;
  Loop& loop_;
  const ControlBoard& board_;
  PublisherOptions publish_;
  std::unique_ptr<Pump> pump_;
  BatchBuilder draft_;
  std::vector<std::byte> row_;
  State state_ = State::kUnopened;
  bool wants_claim_;
  std::uint64_t highest_term_ = 0;
  std::uint64_t incarnation_ = 0;
  std::optional<Position> claimed_at_;
  std::uint64_t question_ = 0;  ///< of the claim under way; an older one's answer is not used
  Backoff backoff_;
  MonotonicTime retry_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_CONTROL_WRITER_H_
