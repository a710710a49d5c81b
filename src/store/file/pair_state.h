#ifndef MIMI_SRC_STORE_FILE_PAIR_STATE_H_
#define MIMI_SRC_STORE_FILE_PAIR_STATE_H_

// PairState: what the frames of a file store add up to: tables, terms, streams, leases.
//
// Every process makes its own from the same frames in the same order, and nothing but frames
// changes it; so all of them decide alike, under the append lock, whether the next frame may be
// appended.
//
//     PairState pair(limits);
//     absl::Status status = pair.Replay(frame, now);          // what others wrote, and after a start
//     absl::StatusOr<bool> is_new = pair.Admit(batch);        // may I append this?
//     pair.ApplyBatch(batch, now, head);                      // … it is appended
//
// Threads: one at a time. Lifetime: a table and its rows live as long as the PairState.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/lease.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/store.h"

#include "src/state/fence.h"
#include "src/state/row_map.h"
#include "src/store/file/frame_reader.h"
#include "src/store/file/payloads.h"

namespace mimi::internal {

class PairState {
 public:
  explicit PairState(const RowMap::Limits& limits) : limits_(limits) {}

  // As at first, but for what was counted.
  void Reset();

  // Takes a frame of the feed. `position`: the head after it. Errors: DataLoss (what it says cannot
  // follow what came before).
  absl::Status Replay(const Frame& frame, MonotonicTime now, Position position);
  // Takes a frame of a base file. The last one is kEnd.
  absl::Status LoadBase(const Frame& frame, MonotonicTime now);

  // Whether this batch may be appended now; false: it was stored before. Errors: as StateSink.
  absl::StatusOr<bool> Admit(const BatchView& batch);
  // `position`: the head after the batch.
  void ApplyBatch(const BatchView& batch, MonotonicTime now, Position position);

  // The schema that has to be appended so that `wanted` is open; nullopt when it is already.
  // Errors: FailedPrecondition (another line).
  absl::StatusOr<std::optional<StateSchema>> ProposeSchema(const StateSchema& wanted) const;
  // The claim that has to be appended. Errors: Aborted.
  absl::StatusOr<Fence::Claim> ProposeClaim(const ClaimRequest& request) const;

  // The lease that has to be appended. `renew`: only if it is held. Errors: Aborted.
  absl::StatusOr<LeaseEntry> ProposeLease(const std::string& name, Origin owner, Duration ttl,
                                          bool renew, MonotonicTime now) const;
  // nullopt: not held by this owner.
  std::optional<LeaseEntry> ProposeRelease(const std::string& name, Origin owner,
                                           MonotonicTime now) const;

  RowMap* FindTable(TableId table);
  const RowMap* FindTable(TableId table) const;
  std::map<TableId, std::unique_ptr<RowMap>>& tables() { return tables_; }
  const std::map<TableId, std::unique_ptr<RowMap>>& tables() const { return tables_; }
  const Fence& fence() const { return fence_; }
  const Continuity& continuity() const { return continuity_; }
  const std::map<std::string, LeaseEntry>& leases() const { return leases_; }
  const BootEntry& boot() const { return boot_; }

  // Sums over the tables, and what was counted since the start.
  void Report(StoreState* state) const;
  void ExpireTombstones(MonotonicTime now, Position trimmed);
  // Moves the growth of tables on; true when there is more to do.
  bool Work();

 private:
  absl::Status ReplayBatch(const Frame& frame, MonotonicTime now, Position position);
  absl::Status ReplaySmall(const Frame& frame);
  absl::Status CheckFits(const BatchView& batch) const;
  void TakeSchema(const StateSchema& schema);
  void Count(const RowMap::Counts& counts);

  RowMap::Limits limits_;
  std::map<TableId, std::unique_ptr<RowMap>> tables_;
  // The last table that a batch named: nearly always the next one's too.
  TableId last_table_ = 0;
  RowMap* last_rows_ = nullptr;
  Fence fence_;
  Continuity continuity_;
  std::map<std::string, LeaseEntry> leases_;
  BootEntry boot_;
  EndEntry loaded_;  // while a base is loaded: what was in it so far
  std::uint64_t table_full_ = 0;
  std::uint64_t stale_ = 0;
  std::uint64_t fenced_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_PAIR_STATE_H_
