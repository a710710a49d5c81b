#ifndef MIMI_SRC_STORE_FILE_FEED_WRITER_H_
#define MIMI_SRC_STORE_FILE_FEED_WRITER_H_

// FeedWriter: appends frames to the feed's last file, begins new files, and drops old ones.
//
// A frame exists when the control file says that the feed ends behind it. What a dead writer, or a
// full disc, left beyond that is cut off before anything is appended.
//
// REQUIRES of every call: the append lock, and a ControlState that was read under it.
//
// Threads: one at a time. Lifetime: directory and control outlive it.

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"

#include "mimi/record.h"

#include "src/store/file/control_file.h"
#include "src/store/file/frame_reader.h"
#include "src/store/file/layout.h"

namespace mimi::internal {

class FeedWriter {
 public:
  struct Limits {
    std::uint64_t segment_bytes = 0;  // a file that has so many is followed by a new one
    std::uint64_t feed_bytes = 0;     // files that no recovery needs go when there are more
  };

  FeedWriter(const StoreDirectory& directory, ControlFile& control, const Limits& limits)
      : directory_(directory), control_(control), limits_(limits) {}

  // Appends a frame and publishes. On an error nothing has happened: Unavailable (disc full, or the
  // store was removed), DataLoss.
  absl::Status Append(ControlState* state, FrameType type, std::span<const std::byte> payload,
                      Position advance);

  // Makes the first file of a store. Does not publish.
  absl::Status Create(ControlState* state);
  // Goes on in a new file. Does not publish.
  absl::Status Rotate(ControlState* state);
  // Cuts the feed off at `state->end`: files behind, and the end of the last. Does not publish.
  absl::Status CutOff(const ControlState& state);

  // Takes files out of the feed that are beyond its bound, as far as no recovery needs them. Does
  // not publish. RemoveUnused() deletes what no published state names.
  void Trim(ControlState* state);
  void RemoveUnused(const ControlState& state);

  // Bytes of the feed's files that are kept.
  std::uint64_t FeedBytes(const ControlState& state) const;

  // The file that was appended to last.
  const std::shared_ptr<const LogFile>& tail() const { return tail_; }

 private:
  std::uint64_t SizeOf(std::uint64_t number) const;
  absl::Status OpenTail(const ControlState& state);
  absl::Status StartFile(std::uint64_t number, Position start);

  const StoreDirectory& directory_;
  ControlFile& control_;
  Limits limits_;
  std::shared_ptr<const LogFile> tail_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FEED_WRITER_H_
