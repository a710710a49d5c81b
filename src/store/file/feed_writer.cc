#include "src/store/file/feed_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "src/base/crc32c.h"
#include "src/base/status.h"

namespace mimi::internal {

// Opens the last file and makes it end where the feed ends.
absl::Status FeedWriter::OpenTail(const ControlState& state) {
  if (tail_ == nullptr || tail_->header.number != state.end.segment) {
    absl::StatusOr<std::shared_ptr<const LogFile>> file =
        LogFile::Open(directory_, FileKind::kFeed, state.end.segment);
    if (!file.ok()) {
      return file.status();
    }
    tail_ = *std::move(file);
  }
  struct stat info;
  if (fstat(tail_->fd.get(), &info) != 0) {
    return ErrnoError(errno, tail_->path);
  }
  if (info.st_nlink == 0) {
    return Error(absl::StatusCode::kUnavailable, "{}: was removed while it was in use",
                 tail_->path);
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < state.end.offset) {
    return Error(absl::StatusCode::kDataLoss, "{}: has {} bytes, expected {}: was it cut off?",
                 tail_->path, size, state.end.offset);
  }
  if (size > state.end.offset &&
      ftruncate(tail_->fd.get(), static_cast<off_t>(state.end.offset)) != 0) {
    return ErrnoError(errno, tail_->path);
  }
  return absl::OkStatus();
}

absl::Status FeedWriter::StartFile(std::uint64_t number, Position start) {
  const std::string name = FileName(FileKind::kFeed, number);
  // One that is there was begun and never published.
  absl::StatusOr<UniqueFd> fd = directory_.OpenFile(name, O_RDWR | O_CREAT | O_TRUNC);
  if (!fd.ok()) {
    return fd.status();
  }
  const FileHeader header = {FileKind::kFeed, number, start};
  const auto bytes = EncodeFileHeader(header);
  const ssize_t written = pwrite(fd->get(), bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size())) {
    return ErrnoError(written < 0 ? errno : ENOSPC, directory_.PathOf(name));
  }
  auto file = std::make_shared<LogFile>();
  file->fd = *std::move(fd);
  file->header = header;
  file->path = directory_.PathOf(name);
  tail_ = std::move(file);
  return absl::OkStatus();
}

absl::Status FeedWriter::Create(ControlState* state) {
  if (absl::Status status = StartFile(1, 0); !status.ok()) {
    return status;
  }
  state->first_segment = 1;
  state->end = {1, kFileHeaderSize};
  return absl::OkStatus();
}

absl::Status FeedWriter::Rotate(ControlState* state) {
  if (absl::Status status = OpenTail(*state); !status.ok()) {
    return status;
  }
  if (absl::Status status = StartFile(state->end.segment + 1, state->head); !status.ok()) {
    return status;
  }
  state->end = {state->end.segment + 1, kFileHeaderSize};
  return absl::OkStatus();
}

absl::Status FeedWriter::CutOff(const ControlState& state) {
  for (const std::string& name : directory_.List()) {
    if (const auto number = ParseFileName(name, FileKind::kFeed);
        number.has_value() && *number > state.end.segment) {
      directory_.Remove(name);
    }
  }
  return OpenTail(state);
}

absl::Status FeedWriter::Append(ControlState* state, FrameType type,
                                std::span<const std::byte> payload, Position advance) {
  ControlState next = *state;
  const bool full = next.end.offset >= limits_.segment_bytes;
  absl::Status status = full ? Rotate(&next) : OpenTail(next);
  if (!status.ok()) {
    return status;
  }
  auto header =
      EncodeFrameHeader({type, static_cast<std::uint32_t>(payload.size()), next.head,
                         type == FrameType::kBatch ? 0 : Crc32c(payload.data(), payload.size())},
                        next.end.segment);
  const std::array<iovec, 2> parts = {
      iovec{header.data(), header.size()},
      iovec{const_cast<std::byte*>(payload.data()), payload.size()}};
  const std::size_t size = header.size() + payload.size();
  const ssize_t written = pwritev(tail_->fd.get(), parts.data(), static_cast<int>(parts.size()),
                                  static_cast<off_t>(next.end.offset));
  if (written != static_cast<ssize_t>(size)) {
    const int error = written < 0 ? errno : ENOSPC;
    // What was written in part is cut off now, to give the space back, or before the next append.
    if (ftruncate(tail_->fd.get(), static_cast<off_t>(next.end.offset)) != 0) {
      return ErrnoError(errno, tail_->path);
    }
    return ErrnoError(error, tail_->path);
  }
  next.end.offset += size;
  next.head += advance;
  next.bytes_since_base += size;
  if (status = control_.Publish(&next); !status.ok()) {
    return status;
  }
  *state = next;
  return absl::OkStatus();
}

std::uint64_t FeedWriter::SizeOf(std::uint64_t number) const {
  struct stat info;
  const std::string name = FileName(FileKind::kFeed, number);
  return fstatat(directory_.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0
             ? static_cast<std::uint64_t>(info.st_size)
             : 0;
}

std::uint64_t FeedWriter::FeedBytes(const ControlState& state) const {
  std::uint64_t total = 0;
  for (std::uint64_t number = state.first_segment; number != 0 && number < state.end.segment;
       ++number) {
    total += SizeOf(number);
  }
  return total + state.end.offset;
}

void FeedWriter::Trim(ControlState* state) {
  std::uint64_t total = FeedBytes(*state);
  while (state->first_segment < state->base && total > limits_.feed_bytes) {
    const std::uint64_t size = SizeOf(state->first_segment);
    total -= std::min(total, size);
    ++state->first_segment;
    const absl::StatusOr<std::shared_ptr<const LogFile>> first =
        LogFile::Open(directory_, FileKind::kFeed, state->first_segment);
    if (first.ok()) {
      state->trimmed = (*first)->header.start;
    }
  }
}

void FeedWriter::RemoveUnused(const ControlState& state) {
  constexpr std::string_view kUnfinished = ".tmp";
  for (const std::string& name : directory_.List()) {
    std::string_view stem = name;
    if (stem.ends_with(kUnfinished)) {
      stem.remove_suffix(kUnfinished.size());
    }
    const auto feed = ParseFileName(name, FileKind::kFeed);
    const auto base = ParseFileName(stem, FileKind::kBase);
    if ((feed.has_value() && *feed < state.first_segment) ||
        (base.has_value() && *base < state.base)) {
      directory_.Remove(name);
    }
  }
}

}  // namespace mimi::internal
