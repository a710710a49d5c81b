#ifndef MIMI_TESTS_SIM_SIM_STORE_H_
#define MIMI_TESTS_SIM_SIM_STORE_H_

// A node's handle on the repository, for the simulator: it can be moved to another repository (a
// store that was restarted empty), and it is where planted bugs live: each rewrites what the store
// says, as a store with that bug would.

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
  kTombstonesOff,  // an erase leaves nothing behind (the repository is made so)
  kEndSkipped,     // the end of a resync erases nothing
  kTermReused,     // a claim gets a term that another writer has
  kLossHidden,     // a batch disappears, and the gap is closed
  kClaimFirst,     // a planned move fences the old box before it is drained (the world does it)
};

class SimStore final : public StateStore {
 public:
  SimStore(std::shared_ptr<MemoryRepository> repository, Loop& loop, Bug bug)
      : loop_(loop), bug_(bug) {
    MoveTo(std::move(repository));
  }

  /// Cursors find out by themselves: they are woken.
  /// Cursors find out by themselves: they are woken.
  void MoveTo(std::shared_ptr<MemoryRepository> repository);
  /// Off: leases cannot be had either (all else goes through a FaultStore).
  void set_link(bool up) { link_up_ = up; }

  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override { return behind_->confirmed(); }
  void Open(const StateSchema& schema, StatusCallback done) override {
    behind_->Open(schema, std::move(done));
  }
  void Claim(const ClaimRequest& request, ClaimCallback done) override;
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    Wake shared = Remember(std::move(wake));
    return Wrap(behind_->Watch(from, [shared] { (*shared)(); }), shared, false);
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    // Only the sweep at a resync's end reads one table.
    const Wake shared = Remember(std::move(wake));
    return Wrap(behind_->Snapshot(table, [shared] { (*shared)(); }), shared,
                bug_ == Bug::kEndSkipped && table != 0);
  }
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    behind_->Lookup(table, key, std::move(done));
  }
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override;
  StoreState state() const override { return behind_->state(); }
  std::optional<StateSchema> schema(TableId table) const override { return behind_->schema(table); }

 private:
  using Wake = std::shared_ptr<std::function<void()>>;
  class SimCursor;
  class SimLease;
  absl::StatusOr<std::unique_ptr<Cursor>> Wrap(absl::StatusOr<std::unique_ptr<Cursor>> cursor,
                                               Wake wake, bool empty);
  Wake Remember(std::function<void()> wake);
  absl::StatusOr<Position> ApplyShifted(const BatchView& batch);

  Loop& loop_;
  Bug bug_;
  bool link_up_ = true;
  std::uint64_t generation_ = 0;
  std::uint64_t claims_ = 0;
  std::uint64_t batches_ = 0;
  std::map<std::uint64_t, std::uint64_t> shift_;  // by term: sequences that were made to disappear
  std::vector<std::weak_ptr<std::function<void()>>> wakes_;
  std::unique_ptr<StateStore> behind_;
};

}  // namespace mimi::sim

#endif  // MIMI_TESTS_SIM_SIM_STORE_H_
