#include "src/store/file/compaction.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSlice = 500us;
constexpr Duration kRetry = 1ms;
constexpr Duration kAfterFailure = 1s;
constexpr Duration kBetweenTries = 10ms;
constexpr std::size_t kWriteBytes = 128 * 1024;
constexpr std::uint32_t kRowsPerLook = 1024;

// A row of a base file beside its own bytes: op, origin, version.
constexpr std::uint64_t kBesideRow = 25;

std::string TemporaryName(std::uint64_t number) {
  return FileName(FileKind::kBase, number) + ".tmp";
}

}  // namespace

Compaction::~Compaction() {
  *alive_ = false;
  if (running_) {
    Clear();
  }
}

std::uint64_t Compaction::Threshold() const {
  std::uint64_t live = 0;
  for (const auto& [table, rows] : core_.pair().tables()) {
    live += (rows->size() + rows->tombstones()) * (rows->schema().row_size() + kBesideRow);
  }
  const std::uint64_t least =
      std::clamp<std::uint64_t>(core_.options().feed_bytes / 2, 8192, std::uint64_t{32} << 20);
  return std::max(least, live);
}

bool Compaction::Behind(const ControlState& state) const {
  return state.bytes_since_base > (std::uint64_t{1} << 20) + 4 * Threshold();
}

void Compaction::Consider() {
  if (running_ || core_.seen().bytes_since_base <= Threshold() || core_.loop().now() < next_try_) {
    return;
  }
  next_try_ = core_.loop().now() + kBetweenTries;
  // Whoever waits for a compactor three times as long as it should take does not wait any longer.
  locked_ = core_.control().TryLock(ControlFile::Lock::kCompact);
  if (!locked_ && core_.seen().bytes_since_base <= 3 * Threshold()) {
    return;
  }
  running_ = true;
  if (absl::Status status = Begin(); !status.ok()) {
    GiveUp(status);
  } else {
    PostSlice(Duration(0));
  }
}

absl::Status Compaction::Begin() {
  FileStoreCore::Exclusive exclusive(core_);
  if (!exclusive.held()) {
    return Error(absl::StatusCode::kResourceExhausted, "busy");
  }
  if (absl::Status status = core_.RotateFeed(exclusive); !status.ok()) {
    return status;
  }
  number_ = exclusive.state().end.segment;
  start_ = exclusive.state().head;
  behind_ = exclusive.state().bytes_since_base;
  epoch_ = core_.epoch();
  rows_.emplace(core_.pair().tables(), 0);
  return WriteHead();
}

// All that is no row, as it is at start_.
absl::Status Compaction::WriteHead() {
  absl::StatusOr<UniqueFd> fd =
      core_.directory().OpenFile(TemporaryName(number_), O_RDWR | O_CREAT | O_TRUNC);
  if (!fd.ok()) {
    return fd.status();
  }
  file_ = std::make_shared<LogFile>();
  file_->fd = *std::move(fd);
  file_->path = core_.directory().PathOf(TemporaryName(number_));
  const auto header = EncodeFileHeader({FileKind::kBase, number_, start_});
  buffer_.assign(AsText(header));

  const PairState& pair = core_.pair();
  AddFrame(FrameType::kPair, AsBytes(EncodeBoot(pair.boot())));
  for (const auto& [table, rows] : pair.tables()) {
    AddFrame(FrameType::kSchema, AsBytes(rows->schema().Serialize()));
  }
  const Fence& fence = pair.fence();
  if (!fence.claims().empty() && fence.newest().term != 0 &&
      fence.newest().term < fence.claims().front().term) {
    AddFrame(FrameType::kClaim, AsBytes(EncodeClaim(fence.newest())));
  }
  for (const Fence::Claim& claim : fence.claims()) {
    AddFrame(FrameType::kClaim, AsBytes(EncodeClaim(claim)));
  }
  for (const auto& [name, lease] : pair.leases()) {
    AddFrame(FrameType::kLease, AsBytes(EncodeLease(lease)));
  }
  const std::vector<Continuity::Entry> streams = pair.continuity().Entries();
  for (std::size_t at = 0; at < streams.size(); at += kMaxStreamsPerFrame) {
    const std::size_t count = std::min(kMaxStreamsPerFrame, streams.size() - at);
    AddFrame(FrameType::kStreams, AsBytes(EncodeStreams(std::span(streams).subspan(at, count))));
  }
  return Flush(kWriteBytes);
}

void Compaction::AddFrame(FrameType type, std::span<const std::byte> payload) {
  const auto header =
      EncodeFrameHeader({type, static_cast<std::uint32_t>(payload.size()), start_,
                         type == FrameType::kBatch ? 0 : Crc32c(payload.data(), payload.size())},
                        number_);
  buffer_.append(AsText(header)).append(AsText(payload));
}

absl::Status Compaction::Flush(std::size_t keep) {
  if (buffer_.size() <= keep) {
    return absl::OkStatus();
  }
  const ssize_t size =
      pwrite(file_->fd.get(), buffer_.data(), buffer_.size(), static_cast<off_t>(written_));
  if (size != static_cast<ssize_t>(buffer_.size())) {
    return ErrnoError(size < 0 ? errno : ENOSPC, file_->path);
  }
  written_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

void Compaction::PostSlice(Duration pause) {
  core_.loop().At(core_.loop().now() + pause, [this, alive = alive_] {
    if (*alive && running_) {
      Slice();
    }
  });
}

absl::Status Compaction::WriteRows(MonotonicTime deadline) {
  while (!rows_->done()) {
    const std::optional<BatchView> batch =
        rows_->Next(kRowsPerLook, core_.pair().fence().counter(), core_.loop().unix_now());
    // A row with the longer tail has the version of its last batch, so a start would take the one
    // that was cut off here for the newest: begin again with the longer schema.
    if (rows_->extended() || epoch_ != core_.epoch()) {
      return Error(absl::StatusCode::kUnavailable, "the tables have changed their shape");
    }
    if (batch.has_value()) {
      ++end_.batches;
      end_.records += batch->size();
      AddFrame(FrameType::kBatch, batch->bytes());
      if (absl::Status status = Flush(kWriteBytes); !status.ok()) {
        return status;
      }
    }
    if (core_.loop().now() >= deadline) {
      break;
    }
  }
  return absl::OkStatus();
}

void Compaction::Slice() {
  if (core_.broken() || !core_.ready() || epoch_ != core_.epoch()) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "the store has been loaded anew"));
    return;
  }
  const MonotonicTime begin = core_.loop().now();
  absl::Status status = WriteRows(begin + kSlice);
  if (status.ok() && rows_->done()) {
    AddFrame(FrameType::kEnd, AsBytes(EncodeEnd(end_)));
    if (status = Flush(0); status.ok()) {
      Finish();
      return;
    }
  }
  if (!status.ok()) {
    GiveUp(status);
    return;
  }
  PostSlice(Duration(0));
}

void Compaction::Finish() {
  const auto install = [file = file_, directory = &core_.directory(), number = number_,
                        synced = core_.synced()] {
    if (synced && fdatasync(file->fd.get()) != 0) {
      return errno;
    }
    if (!directory->Rename(TemporaryName(number), FileName(FileKind::kBase, number)).ok()) {
      return EIO;
    }
    return synced && fsync(directory->fd()) != 0 ? errno : 0;
  };
  if (!core_.synced()) {
    if (install() != 0) {
      GiveUp(Error(absl::StatusCode::kUnavailable, "{} cannot be renamed", file_->path));
    } else {
      Publish();
    }
    return;
  }
  core_.worker().Run(install, [this, alive = alive_](int error) {
    if (!*alive || !running_) {
      return;
    }
    if (error != 0) {
      GiveUp(ErrnoError(error, file_->path));
    } else {
      Publish();
    }
  });
}

void Compaction::Publish() {
  FileStoreCore::Exclusive exclusive(core_);
  if (!exclusive.held()) {
    core_.loop().At(core_.loop().now() + kRetry, [this, alive = alive_] {
      if (*alive && running_) {
        Publish();
      }
    });
    return;
  }
  ControlState next = exclusive.state();
  if (next.base >= number_ || epoch_ != core_.epoch()) {
    GiveUp(Error(absl::StatusCode::kUnavailable, "another process was faster"));
    return;
  }
  next.base = number_;
  next.bytes_since_base -= std::min(next.bytes_since_base, behind_);
  core_.writer().Trim(&next);
  if (absl::Status status = core_.Publish(exclusive, next); !status.ok()) {
    GiveUp(status);
    return;
  }
  ++finished_;
  // What the old state named may go when the new one cannot be lost any more.
  if (core_.synced()) {
    core_.worker().Run([fd = core_.control().fd()] { return fdatasync(fd) == 0 ? 0 : errno; },
                       [this, alive = alive_](int error) {
                         if (*alive && error == 0) {
                           core_.writer().RemoveUnused(core_.seen());
                         }
                       });
  } else {
    core_.writer().RemoveUnused(next);
  }
  Clear();
}

void Compaction::GiveUp(const absl::Status& why) {
  next_try_ = core_.loop().now() +
              (why.code() == absl::StatusCode::kResourceExhausted ? kBetweenTries : kAfterFailure);
  if (file_ != nullptr) {
    core_.directory().Remove(TemporaryName(number_));
  }
  Clear();
}

void Compaction::Clear() {
  if (locked_) {
    core_.control().Unlock(ControlFile::Lock::kCompact);
  }
  running_ = false;
  locked_ = false;
  rows_.reset();
  file_.reset();
  buffer_.clear();
  written_ = 0;
  end_ = EndEntry();
}

}  // namespace mimi::internal
