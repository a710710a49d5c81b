#ifndef MIMI_SRC_STORE_MEMORY_REPOSITORY_H_
#define MIMI_SRC_STORE_MEMORY_REPOSITORY_H_

// MemoryRepository: what all handles of a memory store share. Every call does its work at once; the
// handles (memory_store.cc) make answers asynchronous.
//
// Threads: one. Lifetime: the clock outlives it; it outlives handles and cursors, which hold
// shared_ptrs.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/memory_store.h"
#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/state/fence.h"
#include "src/state/row_map.h"
#include "src/store/memory_feed.h"

namespace mimi {

class MemoryRepository {
 public:
  /// Somebody who waits for the next batch, woken through its own loop.
  struct Waiter {
    Loop* loop = nullptr;
    std::function<void()> wake;
    bool armed = false;
  };

  MemoryRepository(const MemoryStoreOptions& options, const Clock& clock);

  absl::Status Open(const StateSchema& schema);
  absl::StatusOr<Claimed> Claim(const ClaimRequest& request);
  absl::StatusOr<Position> Apply(const BatchView& batch);

  /// nullptr: not open.
  RowMap* table(TableId id);
  std::vector<TableId> tables() const;
  internal::MemoryFeed& feed() { return feed_; }
  std::uint64_t incarnation() const { return incarnation_; }
  StoreState state() const;

  /// Wakes `waiter`, if it still lives, once, after the next batch.
  void WakeAtNext(const std::shared_ptr<Waiter>& waiter) {
    if (!std::exchange(waiter->armed, true)) {
      waiters_.push_back(waiter);
    }
  }

  absl::StatusOr<std::uint64_t> AcquireLease(const std::string& name, Origin owner, Duration ttl);
  absl::StatusOr<std::uint64_t> RenewLease(const std::string& name, Origin owner, Duration ttl);
  void ReleaseLease(const std::string& name, Origin owner);

 private:
  struct LeaseState {
    Origin owner = 0;
    std::uint64_t term = 0;
    MonotonicTime until;
  };

  absl::Status CheckShape(const BatchView& batch, const RowMap& rows) const;
  absl::Status LeaseHeld(const std::string& name, const LeaseState& lease) const;
  void Wake();

  MemoryStoreOptions options_;
  const Clock& clock_;
  std::uint64_t incarnation_;
  Fence fence_;
  Continuity continuity_;
  std::map<TableId, std::unique_ptr<RowMap>> tables_;
  internal::MemoryFeed feed_;
  std::vector<std::weak_ptr<Waiter>> waiters_;
  std::map<std::string, LeaseState> leases_;
  std::uint64_t table_full_ = 0;
  std::uint64_t fenced_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_STORE_MEMORY_REPOSITORY_H_
