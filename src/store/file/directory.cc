#include "src/store/file/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case EROFS:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENOTDIR:
    case ENAMETOOLONG:
      return absl::StatusCode::kFailedPrecondition;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

std::string ParentOf(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  const std::size_t slash = end == std::string::npos ? 0 : path.rfind('/', end);
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status CheckMode(const struct stat& info, std::string_view path, std::string_view what) {
  if (info.st_uid != geteuid()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: {} belongs to user {}, this process runs as {}: all processes of a store run "
                 "as one user",
                 path, what, info.st_uid, geteuid());
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: {} is writable by others (mode {:04o}): chmod go-w it", path, what,
                 info.st_mode & 07777);
  }
  return absl::OkStatus();
}

absl::Status CheckParent(const std::string& path) {
  const std::string parent = ParentOf(path);
  struct stat info;
  if (stat(parent.c_str(), &info) != 0) {
    return ErrnoError(errno, parent);
  }
  if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: its parent {} is world-writable (mode {:04o}) and not sticky, so anybody "
                 "could replace the store",
                 path, parent, info.st_mode & 07777);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ErrnoError(int error, std::string_view what) {
  std::string_view hint;
  if (error == ENOSPC || error == EDQUOT) {
    hint = ": the disc is full: free some space, it goes on by itself";
  } else if (error == EROFS) {
    hint = ": a store must be on a file system that can be written";
  } else if (error == ELOOP) {
    hint = ": a symbolic link is not followed here";
  }
  return Error(CodeOf(error), "{}: {}{}", what, std::strerror(error), hint);
}

absl::StatusOr<StoreDirectory> StoreDirectory::Open(const std::string& path, bool create) {
  if (path.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "a file store needs a path");
  }
  if (absl::Status status = CheckParent(path); !status.ok()) {
    return status;
  }
  if (create && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, path);
  }
  struct stat link;
  if (lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: is a symbolic link: name the directory itself", path);
  }
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError(errno, path);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return ErrnoError(errno, path);
  }
  if (absl::Status status = CheckMode(info, path, "the directory"); !status.ok()) {
    return status;
  }
  return StoreDirectory(path, std::move(fd));
}

absl::StatusOr<UniqueFd> StoreDirectory::OpenFile(const std::string& name, int flags) const {
  UniqueFd fd(openat(fd_.get(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd.valid()) {
    return ErrnoError(errno, PathOf(name));
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return ErrnoError(errno, PathOf(name));
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: is not a regular file", PathOf(name));
  }
  if (absl::Status status = CheckMode(info, PathOf(name), "the file"); !status.ok()) {
    return status;
  }
  return fd;
}

absl::Status StoreDirectory::Rename(const std::string& from, const std::string& to) const {
  if (renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) != 0) {
    return ErrnoError(errno, PathOf(from));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> StoreDirectory::Install(const std::string& from, const std::string& to) const {
  const int result = linkat(fd_.get(), from.c_str(), fd_.get(), to.c_str(), 0);
  const int error = errno;
  Remove(from);
  if (result != 0 && error != EEXIST) {
    return ErrnoError(error, PathOf(to));
  }
  return result == 0;
}

void StoreDirectory::Remove(const std::string& name) const {
  unlinkat(fd_.get(), name.c_str(), 0);
}

std::vector<std::string> StoreDirectory::List() const {
  std::vector<std::string> names;
  const int copy = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const directory = copy >= 0 ? fdopendir(copy) : nullptr;
  if (directory == nullptr) {
    UniqueFd closes(copy);
    return names;
  }
  while (const dirent* entry = readdir(directory)) {
    names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

}  // namespace mimi::internal
