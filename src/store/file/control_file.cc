#include "src/store/file/control_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

// A holder writes one batch under the lock: some microseconds.
constexpr int kLockAttempts = 20;

absl::Status Create(const StoreDirectory& directory) {
  std::array<std::byte, kControlFileSize> bytes{};
  const auto header = EncodeControlHeader();
  std::memcpy(bytes.data(), header.data(), header.size());
  const auto slot = EncodeSlot(ControlState{});
  for (const std::size_t offset : kSlotOffsets) {
    std::memcpy(bytes.data() + offset, slot.data(), slot.size());
  }
  // Whole before it has its name; of two creators, one installs its file and the other takes that.
  std::random_device random;
  const std::string temporary = fmt::format("control-{:08x}.tmp", random());
  absl::StatusOr<UniqueFd> fd = directory.OpenFile(temporary, O_RDWR | O_CREAT | O_EXCL);
  if (!fd.ok()) {
    return fd.status();
  }
  const ssize_t written = pwrite(fd->get(), bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size()) || fsync(fd->get()) != 0) {
    const int error = written >= 0 && errno == 0 ? ENOSPC : errno;
    directory.Remove(temporary);
    return ErrnoError(error, directory.PathOf(temporary));
  }
  absl::StatusOr<bool> installed = directory.Install(temporary, ControlFile::kName);
  return installed.status();
}

}  // namespace

absl::StatusOr<ControlFile> ControlFile::Open(const StoreDirectory& directory, bool create) {
  absl::StatusOr<UniqueFd> fd = directory.OpenFile(kName, O_RDWR);
  if (create && absl::IsNotFound(fd.status())) {
    for (const std::string& name : directory.List()) {
      if (ParseFileName(name, FileKind::kFeed).has_value()) {
        return Error(absl::StatusCode::kDataLoss,
                     "{}: is missing, but {} is there: bring it back, or move the store away and "
                     "let the writers resync",
                     directory.PathOf(kName), name);
      }
    }
    if (absl::Status status = Create(directory); !status.ok()) {
      return status;
    }
    fd = directory.OpenFile(kName, O_RDWR);
  }
  if (!fd.ok()) {
    return fd.status();
  }
  ControlFile file(directory.PathOf(kName), *std::move(fd));
  std::array<std::byte, kControlHeaderSize> header;
  const ssize_t size = pread(file.fd(), header.data(), header.size(), 0);
  if (size < 0) {
    return ErrnoError(errno, file.path());
  }
  if (absl::Status status =
          CheckControlHeader(std::span(header).first(static_cast<std::size_t>(size)), file.path());
      !status.ok()) {
    return status;
  }
  return file;
}

bool ControlFile::TryLock(Lock lock) {
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  request.l_start = static_cast<off_t>(lock);
  request.l_len = 1;
  return fcntl(fd_.get(), F_OFD_SETLK, &request) == 0;
}

void ControlFile::Unlock(Lock lock) {
  struct flock request {};
  request.l_type = F_UNLCK;
  request.l_whence = SEEK_SET;
  request.l_start = static_cast<off_t>(lock);
  request.l_len = 1;
  fcntl(fd_.get(), F_OFD_SETLK, &request);
}

absl::StatusOr<ControlState> ControlFile::Read(bool* both) const {
  bool ignored = false;
  constexpr std::size_t kFrom = kSlotOffsets[0];
  std::array<std::byte, kControlFileSize> bytes;
  // A slot that is just being written may read torn; the other one is whole then. Both are torn
  // only for a reader that is overtaken twice within one read.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const ssize_t size =
        pread(fd_.get(), bytes.data() + kFrom, kSlotOffsets[1] + kSlotSize - kFrom, kFrom);
    if (size < 0) {
      return ErrnoError(errno, path_);
    }
    if (const std::optional<ControlState> state =
            DecodeControl(std::span(bytes).first(kFrom + static_cast<std::size_t>(size)),
                          both != nullptr ? both : &ignored);
        state.has_value()) {
      return *state;
    }
  }
  return Error(absl::StatusCode::kDataLoss,
               "{}: offset {}: neither of its two states is whole: bring back a copy of the whole "
               "store, or move it away and let the writers resync",
               path_, kFrom);
}

absl::Status ControlFile::Publish(ControlState* state) {
  ++state->generation;
  const auto slot = EncodeSlot(*state);
  const std::size_t offset = kSlotOffsets[state->generation % kSlotOffsets.size()];
  const ssize_t written = pwrite(fd_.get(), slot.data(), slot.size(), static_cast<off_t>(offset));
  if (written != static_cast<ssize_t>(slot.size())) {
    return ErrnoError(written < 0 ? errno : ENOSPC, path_);
  }
  return absl::OkStatus();
}

bool ControlFile::linked() const {
  struct stat info;
  return fstat(fd_.get(), &info) == 0 && info.st_nlink > 0;
}

AppendLock::AppendLock(ControlFile& file) : file_(file) {
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    if (file_.TryLock(ControlFile::Lock::kAppend)) {
      held_ = true;
      return;
    }
    sched_yield();
  }
}

AppendLock::~AppendLock() {
  if (held_) {
    file_.Unlock(ControlFile::Lock::kAppend);
  }
}

}  // namespace mimi::internal
