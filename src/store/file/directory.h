#ifndef MIMI_SRC_STORE_FILE_DIRECTORY_H_
#define MIMI_SRC_STORE_FILE_DIRECTORY_H_

// StoreDirectory: where a file store lives, and who may touch it.
//
// A store tells the data plane where packets go, so nobody but its owner may write here: the
// directory belongs to this process's user and is writable by no one else, nor can another user
// replace it (its parent is not world-writable, or is sticky as /tmp is). What is a symbolic link
// is refused. What is created is 0700 and 0600.
//
// Threads: any; the descriptor is all there is.

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/base/unique_fd.h"

namespace mimi::internal {

// `what`, the reason and what may be done about it. ENOSPC, EDQUOT and EIO are Unavailable; EROFS
// and EACCES FailedPrecondition; ENOENT NotFound; too many descriptors ResourceExhausted.
absl::Status ErrnoError(int error, std::string_view what);

class StoreDirectory {
 public:
  // Errors: FailedPrecondition (not a directory, not ours, writable by others, read-only),
  // NotFound (not there, and not to be created).
  static absl::StatusOr<StoreDirectory> Open(const std::string& path, bool create);

  // Opens one of our files. `flags` as for open(2). Errors: as ErrnoError; FailedPrecondition for
  // what is no regular file of ours.
  absl::StatusOr<UniqueFd> OpenFile(const std::string& name, int flags) const;

  absl::Status Rename(const std::string& from, const std::string& to) const;
  // Gives `from` the name `to` unless there is one; false then. `from` is gone in either case.
  absl::StatusOr<bool> Install(const std::string& from, const std::string& to) const;
  void Remove(const std::string& name) const;
  std::vector<std::string> List() const;

  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  StoreDirectory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_DIRECTORY_H_
