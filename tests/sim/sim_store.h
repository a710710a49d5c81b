#ifndef MIMI_TESTS_SIM_SIM_STORE_H_
#define MIMI_TESTS_SIM_SIM_STORE_H_

// A node's handle on the repository, for the simulator: it can be moved to another repository (a
// store that was restarted empty), batches that went through it may come again later, and it is
// where planted bugs live: each rewrites what the store says, as a store with that bug would.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "mimi/builtin/memory_store.h"
#include "mimi/loop.h"
#include "mimi/store.h"

namespace mimi::sim {

enum class Bug {
  kNone,
  kFenceOff,       // a fenced writer's batches are stored all the same
  kTombstonesOff,  // only the last erase leaves something behind (the repository is made so)
  kEndSkipped,     // the end of a resync erases nothing
  kTermReused,     // a process that starts anew gets the term that its box had before
  kGapIgnored,     // a batch does not reach a reader, who misses nothing
  kLossHidden,     // a batch disappears before it is stored, and nobody misses it
  kClaimFirst,     // a planned move fences the old box before its tail is drained (the world does)
};

class SimStore final : public StateStore {
 public:
  /// Told of each batch that was stored, or that is late.
  using Told = std::function<void(const BatchView& batch)>;
  SimStore(std::shared_ptr<MemoryRepository> repository, Loop& loop, Bug bug, Told stored,
           Told late)
      : loop_(loop), bug_(bug), stored_(std::move(stored)), late_(std::move(late)) {
    MoveTo(std::move(repository));
  }

  /// Cursors find out by themselves: they are woken.
  void MoveTo(std::shared_ptr<MemoryRepository> repository);
  /// Off: leases cannot be had either (all else goes through a FaultStore).
  void set_link(bool up) {
    link_up_ = up;
    slow_ = false;
  }
  /// On, until the link is set: what is sent is not answered, and whoever is told has it stored
  /// later.
  void set_slow() { slow_ = true; }

  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override { return behind_->confirmed(); }
  void Open(const StateSchema& schema, StatusCallback done) override {
    behind_->Open(schema, std::move(done));
  }
  void Claim(const ClaimRequest& request, ClaimCallback done) override;
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    const Wake shared = Remember(std::move(wake));
    return Wrap(behind_->Watch(from, [shared] { (*shared)(); }), shared,
                bug_ == Bug::kGapIgnored ? Reading::kWithGaps : Reading::kAll);
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    // Only the sweep at a resync's end reads one table.
    const Wake shared = Remember(std::move(wake));
    return Wrap(behind_->Snapshot(table, [shared] { (*shared)(); }), shared,
                bug_ == Bug::kEndSkipped && table != 0 ? Reading::kNothing : Reading::kAll);
  }
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    behind_->Lookup(table, key, std::move(done));
  }
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override;
  StoreState state() const override { return behind_->state(); }
  std::optional<StateSchema> schema(TableId table) const override { return behind_->schema(table); }

 private:
  using Wake = std::shared_ptr<std::function<void()>>;
  enum class Reading { kAll, kNothing, kWithGaps };
  class SimCursor;
  class SimLease;
  absl::StatusOr<std::unique_ptr<Cursor>> Wrap(absl::StatusOr<std::unique_ptr<Cursor>> cursor,
                                               Wake wake, Reading reading);
  Wake Remember(std::function<void()> wake);
  absl::StatusOr<Position> ApplyBuggy(const BatchView& batch);
  absl::StatusOr<Position> ApplyShifted(const BatchView& batch);

  Loop& loop_;
  Bug bug_;
  Told stored_;
  Told late_;
  bool link_up_ = true;
  bool slow_ = false;
  std::uint64_t generation_ = 0;
  std::uint64_t batches_ = 0;
  std::map<std::uint64_t, std::uint64_t> shift_;  // by term: sequences that were made to disappear
  std::vector<std::weak_ptr<std::function<void()>>> wakes_;
  std::vector<std::unique_ptr<StateStore>> left_;  // they still owe answers
  std::unique_ptr<StateStore> behind_;
};

}  // namespace mimi::sim

#endif  // MIMI_TESTS_SIM_SIM_STORE_H_
