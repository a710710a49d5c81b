#ifndef MIMI_SRC_STORE_FILE_COMPACTION_H_
#define MIMI_SRC_STORE_FILE_COMPACTION_H_

// Compaction: writes a base file when the feed behind the last one has become long, so that a start
// reads each live row once, and the feed can be trimmed.
//
// It begins a new feed file and writes, in slices, what the tables hold to a base file with the
// same number, while batches go on being appended: a start loads the base, then that feed file and
// what follows, and versions make rows that stand in both harmless. When the base is whole (and on
// the disc, where fsync is wanted) the control file names it, and older files go.
//
// One process does it at a time (a lock that its death releases); a compactor that takes far too
// long is overtaken by another. One that dies leaves a file that nobody names, for the next to
// delete.
//
// Threads: the loop thread only. Lifetime: the core outlives it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"

#include "src/store/file/file_store_core.h"
#include "src/store/row_stream.h"

namespace mimi::internal {

class Compaction {
 public:
  explicit Compaction(FileStoreCore& core) : core_(core), alive_(std::make_shared<bool>(true)) {}
  ~Compaction();
  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  // Begins one if it is time. Cheap when it is not.
  void Consider();
  // Whether the feed has grown so far beyond the next base that writers must wait for it.
  bool Behind(const ControlState& state) const;

  // Compactions that this handle has finished.
  std::uint64_t finished() const { return finished_; }

 private:
  std::uint64_t Threshold() const;
  absl::Status Begin();
  absl::Status WriteHead();
  void PostSlice(Duration pause);
  void Slice();
  absl::Status WriteRows(MonotonicTime deadline);
  void AddFrame(FrameType type, std::span<const std::byte> payload);
  absl::Status Flush(std::size_t keep);
  void Finish();
  void Publish();
  void GiveUp(const absl::Status& why);
  void Clear();

  FileStoreCore& core_;
  std::shared_ptr<bool> alive_;
  bool running_ = false;
  bool locked_ = false;
  std::uint64_t number_ = 0;  // of the base, and of the feed file that it is followed by
  Position start_ = 0;        // the position at which they begin
  std::uint64_t behind_ = 0;  // bytes of feed that the base makes unnecessary
  std::uint64_t epoch_ = 0;
  std::optional<RowStream> rows_;
  std::shared_ptr<LogFile> file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
  EndEntry end_;
  MonotonicTime next_try_{};
  std::uint64_t finished_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_COMPACTION_H_
