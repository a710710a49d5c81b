#ifndef MIMI_SRC_STORE_FILE_FOLLOWER_H_
#define MIMI_SRC_STORE_FILE_FOLLOWER_H_

// Follower: brings a PairState from nothing, or from where it is, to where the files are: the base
// file first, then the feed.
//
// Threads: one at a time. Lifetime: directory and pair outlive it.

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"

#include "mimi/loop.h"

#include "src/store/file/frame_reader.h"
#include "src/store/file/pair_state.h"

namespace mimi::internal {

class Follower {
 public:
  Follower(const StoreDirectory& directory, PairState& pair) : directory_(directory), pair_(pair) {}

  enum class Ask : std::uint8_t {
    kUpToEnd,  // what the control file says
    // After the machine has died, when the control file may be ahead of what reached the disc, or
    // behind: the last whole frame. REQUIRES: the append lock.
    kToLastWhole,
  };
  // Reads on, until `deadline` at about. True: it is there. Errors: NotFound (a file that `state`
  // names is gone: it is old; Restart() with a newer one), DataLoss (file and offset are named),
  // Unavailable.
  absl::StatusOr<bool> Step(const ControlState& state, Ask ask, const Clock& clock,
                            MonotonicTime deadline);

  // Forgets everything, the pair's state too.
  void Restart();

  // The caller has appended what ends there, and applied it to the pair.
  void SkipTo(const std::shared_ptr<const LogFile>& file, std::uint64_t offset, Position position);

  LogPlace place() const { return feed_.has_value() ? feed_->place() : LogPlace{}; }
  Position position() const { return position_; }

 private:
  absl::StatusOr<bool> StepFeed(const ControlState& state, Ask ask, const Clock& clock,
                                MonotonicTime deadline);
  absl::StatusOr<bool> StepBase(const Clock& clock, MonotonicTime deadline);
  absl::Status Begin(const ControlState& state);
  absl::Status TakeFrame(const Frame& frame, MonotonicTime now);
  absl::StatusOr<bool> OpenNext(Ask ask);

  const StoreDirectory& directory_;
  PairState& pair_;
  std::optional<FrameReader> base_;  // while it is being read
  std::optional<FrameReader> feed_;
  Position position_ = 0;
  std::uint64_t base_bytes_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FOLLOWER_H_
