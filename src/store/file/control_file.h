#ifndef MIMI_SRC_STORE_FILE_CONTROL_FILE_H_
#define MIMI_SRC_STORE_FILE_CONTROL_FILE_H_

// ControlFile: the one file that all processes of a store share: what they agree on, the lock under
// which it changes, and the bell that wakes followers.
//
// The lock is an open-file-description lock (fcntl(2), F_OFD_SETLK): the kernel releases it when
// its holder dies, at whatever instruction, and two handles in one process exclude each other too.
// What is agreed on changes by one write(2) of one slot; a reader takes the newest slot that is
// whole. So a holder that dies leaves the old state or the new one.
//
// That write is also the bell: followers watch the file by inotify, and the kernel notifies in the
// same system call, so there is no moment at which a writer can die and leave a follower asleep
// before news.
//
// Threads: one at a time.

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/base/unique_fd.h"
#include "src/store/file/directory.h"
#include "src/store/file/layout.h"

namespace mimi::internal {

class ControlFile {
 public:
  static constexpr const char* kName = "control";

  // `create`: makes it where there is none. Errors: as StoreDirectory::OpenFile; FailedPrecondition
  // (another format), DataLoss (damaged).
  static absl::StatusOr<ControlFile> Open(const StoreDirectory& directory, bool create);

  // The locks: the byte of the file that stands for each.
  enum class Lock : std::uint8_t { kAppend = 0, kCompact = 1 };
  // Never waits. False: another holds it.
  bool TryLock(Lock lock);
  void Unlock(Lock lock);

  // The newest state. Errors: DataLoss (no whole slot), Unavailable.
  // `both`: whether the older state was whole too. Where no writer is at work, that it is not means
  // that one of them is damaged, perhaps the newest.
  absl::StatusOr<ControlState> Read(bool* both = nullptr) const;
  // Makes `state` the newest; gives it its generation. REQUIRES: the append lock, and that `state`
  // was read under it. Errors: as ErrnoError; the old state holds.
  absl::Status Publish(ControlState* state);

  // False when the file has been removed: another store may stand at its path by now.
  bool linked() const;
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  ControlFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

// Holds the append lock for a scope.
class AppendLock {
 public:
  explicit AppendLock(ControlFile& file);
  ~AppendLock();
  AppendLock(const AppendLock&) = delete;
  AppendLock& operator=(const AppendLock&) = delete;
  bool held() const { return held_; }

 private:
  ControlFile& file_;
  bool held_ = false;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_CONTROL_FILE_H_
