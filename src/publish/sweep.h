#ifndef MIMI_SRC_PUBLISH_SWEEP_H_
#define MIMI_SRC_PUBLISH_SWEEP_H_

// Sweep: the end of a resync. Erases, through the pump, every row of one origin that the store has
// from before the resync's begin.
//
// It reads a snapshot of the store in slices, so it works with any store, and writers go on
// meanwhile: the erases carry the version of the begin, and lose against what was put since.
//
// Threads: one at a time.
// Lifetime: the store outlives it.

#include <cstddef>
#include <memory>
#include <optional>

#include "mimi/record.h"
#include "mimi/store.h"

#include "src/publish/pump.h"

namespace mimi {

class Sweep {
 public:
  // Without a store nothing is erased, and the resync just ends.
  Sweep(TableId table, Origin origin, StateStore* store)
      : table_(table), origin_(origin), store_(store) {}

  // From PumpOwner::OnResyncWalked.
  void Begin(Version begin);
  // One slice, after the pump's Tick; nothing while the pump is not sweeping. True: the resync has
  // just ended.
  bool Tick(Pump& pump);

 private:
  // What is left of the batch at hand. False: the pump has no room.
  bool SweepBatch(Pump& pump);

  TableId table_;
  Origin origin_;
  StateStore* store_;
  Version begin_;
  std::unique_ptr<Cursor> snapshot_;
  std::optional<BatchView> batch_;
  std::size_t next_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_SWEEP_H_
