#include "src/store/file/frame_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "src/base/crc32c.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kChunk = 128 * 1024;

}  // namespace

absl::StatusOr<std::shared_ptr<const LogFile>> LogFile::Open(const StoreDirectory& directory,
                                                             FileKind kind, std::uint64_t number) {
  const std::string name = FileName(kind, number);
  absl::StatusOr<UniqueFd> fd = directory.OpenFile(name, O_RDWR);
  if (!fd.ok()) {
    return fd.status();
  }
  auto file = std::make_shared<LogFile>();
  file->fd = *std::move(fd);
  file->path = directory.PathOf(name);
  std::array<std::byte, kFileHeaderSize> bytes;
  const ssize_t size = pread(file->fd.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) {
    return ErrnoError(errno, file->path);
  }
  absl::StatusOr<FileHeader> header = DecodeFileHeader(
      std::span(bytes).first(static_cast<std::size_t>(size)), kind, number, file->path);
  if (!header.ok()) {
    return header.status();
  }
  file->header = *header;
  return file;
}

std::uint64_t LogFile::Size() const {
  struct stat info;
  return fstat(fd.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

bool FrameReader::Fill(std::size_t size, std::uint64_t limit) {
  if (offset_ >= buffer_from_ && offset_ + size <= buffer_from_ + buffer_size_) {
    return true;
  }
  if (offset_ + size > limit) {
    return false;
  }
  if (buffer_.size() < std::max(size, kChunk)) {
    buffer_.resize(std::max(size, kChunk));
  }
  buffer_from_ = offset_;
  buffer_size_ = 0;
  const std::size_t want = std::min<std::uint64_t>(buffer_.size(), limit - offset_);
  while (buffer_size_ < size) {
    const ssize_t got = pread(file_->fd.get(), buffer_.data() + buffer_size_, want - buffer_size_,
                              static_cast<off_t>(offset_ + buffer_size_));
    if (got <= 0) {
      error_ = got < 0 ? errno : 0;
      return false;
    }
    buffer_size_ += static_cast<std::size_t>(got);
  }
  return true;
}

FrameReader::Result FrameReader::Refuse(std::string why) {
  why_ = std::move(why);
  return Result::kDamage;
}

FrameReader::Result FrameReader::Next(std::uint64_t limit, Frame* frame) {
  if (offset_ >= limit) {
    return Result::kEnd;
  }
  error_ = 0;
  if (!Fill(kFrameHeaderSize, limit)) {
    return Refuse("a frame is cut off in its header");
  }
  const std::optional<FrameHeader> header = DecodeFrameHeader(
      {buffer_.data() + (offset_ - buffer_from_), kFrameHeaderSize}, file_->header.number);
  if (!header.has_value()) {
    return Refuse("no frame starts here, or its header is damaged");
  }
  if (!Fill(kFrameHeaderSize + header->size, limit)) {
    return Refuse(fmt::format("a frame of {} bytes is cut off", header->size));
  }
  frame->header = *header;
  frame->payload = {buffer_.data() + (offset_ - buffer_from_) + kFrameHeaderSize, header->size};
  frame->place = place();
  if (header->type == FrameType::kBatch) {
    const BatchRefusal refusal = BatchView::TryParse(frame->payload, &frame->batch);
    if (refusal != BatchRefusal::kNone) {
      return Refuse(fmt::format("the batch here is damaged: {}", BatchRefusalName(refusal)));
    }
  } else if (Crc32c(frame->payload.data(), frame->payload.size()) != header->payload_crc) {
    return Refuse("the frame's checksum is wrong");
  }
  offset_ += kFrameHeaderSize + header->size;
  return Result::kFrame;
}

absl::Status FrameReader::damage() const {
  if (error_ != 0) {
    return ErrnoError(error_, file_->path);
  }
  return Error(absl::StatusCode::kDataLoss,
               "{}: offset {}: {}: bring back a copy of the whole store, or move it away and let "
               "the writers resync",
               file_->path, offset_, why_);
}

}  // namespace mimi::internal
