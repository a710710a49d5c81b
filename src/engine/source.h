#ifndef MIMI_SRC_ENGINE_SOURCE_H_
#define MIMI_SRC_ENGINE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/engine.h"
#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/engine/ager.h"
#include "src/engine/feed.h"
#include "src/engine/readiness.h"
#include "src/publish/pump.h"
#include "src/publish/sweep.h"

namespace mimi::internal {

/// One table's source at one box: a pump, the driver that feeds it if there is one, what ages and
/// what ends a resync.
///
/// It follows the feed where rows have to be aged: what ages is every row of the table, whoever
/// wrote it, so that after a take-over the new writer goes on where the old one stopped. Only a
/// writer erases.
///
/// Threads: the loop thread only.
class Source : public PumpOwner, public FeedSubscriber, private StateSink {
 public:
  struct Options {
    Origin origin = 0;
    Driver* driver = nullptr;
    Coverage lane_coverage;
    std::string age_field;
    PublisherOptions publish;
    std::function<void(std::string_view kind, std::string detail)> emit;
    /// Tick() is wanted before NextDeadline(): the driver has brought something.
    std::function<void()> wake{};
    /// Something was lost while this box does not write, so that no resync repairs it: its data
    /// plane may hold what the store does not know.
    std::function<void()> on_lost_unwritten{};
  };
  static absl::StatusOr<std::unique_ptr<Source>> New(const StateSchema& schema, Options options,
                                                     StateStore& store, Loop& loop);
  ~Source() override;

  const StateSchema& schema() const { return schema_; }
  Pump& pump() { return *pump_; }
  const Pump& pump() const { return *pump_; }

  void StartDriver(MonotonicTime now);
  void StopDriver();

  absl::Status SetTerm(std::uint64_t term, bool resync);
  void Mute();

  void Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const;

  /// Whether the feed has to be followed for ageing.
  bool ages() const { return ager_.has_value(); }
  void OnLoadBegin(Position position) override;
  void OnBatch(const BatchView& batch, Position after, bool snapshot) override;
  void OnLoadEnd() override {}

  Coverage coverage() const;
  bool healthy() const;
  /// What speaks against relying on this source.
  void Assess(bool writing, ReadinessFindings* findings) const;
  /// The first resync of this process has not been completed, or one runs.
  bool syncing() const;
  std::uint64_t lost() const;
  std::uint64_t rows() const;

 private:
  Source(const StateSchema& schema, Options options, StateStore& store, Loop& loop);

  // What the driver applies to.
  absl::StatusOr<Position> Apply(const BatchView& draft) override;
  Position confirmed() const override { return applied_; }

  // PumpOwner
  void OnResyncWanted() override;
  void OnResyncWalked(Version begin) override;

  bool walkable() const;
  void WatchDriver(MonotonicTime now);
  void CountRows(MonotonicTime now);
  void Age(MonotonicTime now);

  StateSchema schema_;
  Options options_;
  StateStore& store_;
  Loop& loop_;
  std::unique_ptr<Pump> pump_;
  std::optional<Ager> ager_;
  std::unique_ptr<BatchBuilder> aged_;  ///< erases of rows whose time ran out
  Sweep sweep_;
  Position applied_ = 0;
  bool driver_started_ = false;
  absl::Status driver_status_;
  MonotonicTime driver_retry_at_{};
  MonotonicTime driver_tell_at_{};  ///< the same reason again
  MonotonicTime count_rows_at_{};
  std::uint64_t driver_lost_ = 0;
  MonotonicTime lost_at_{};  ///< when it grew last
  std::uint64_t reported_lost_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_SOURCE_H_
