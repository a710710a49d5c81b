// How FileStoreCore comes to know what the files say: at its start, after the machine's start, and
// when compaction has overtaken it.
#include <algorithm>
#include <random>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/store/file/file_store_core.h"

namespace mimi::internal {
namespace {

constexpr Duration kSlice = std::chrono::microseconds(500);
constexpr int kMaxRestarts = 20;

std::uint64_t NewIncarnation() {
  std::random_device random;
  return (std::uint64_t{random()} << 32 | random()) | 1;  // never 0
}

}  // namespace

absl::StatusOr<bool> FileStoreCore::FollowTo(const ControlState& state, MonotonicTime deadline) {
  if (state.end == follower_.place()) {  // nearly always: this handle wrote last
    return true;
  }
  absl::StatusOr<bool> there = follower_.Step(state, Follower::Ask::kUpToEnd, loop_, deadline);
  if (absl::IsNotFound(there.status()) && ++restarts_ <= kMaxRestarts) {
    // Compaction has overtaken us: what we were reading is not needed any more, by anybody else.
    follower_.Restart();
    ++epoch_;
    ready_ = false;
    return false;
  }
  if (absl::IsNotFound(there.status())) {
    return Error(absl::StatusCode::kDataLoss, "{}: is named by the control file, but missing",
                 Message(there.status()));
  }
  return there;
}

absl::Status FileStoreCore::StartBoot(ControlState state) {
  state.incarnation = NewIncarnation();
  state.boot = boot_;
  const std::string boot = EncodeBoot({state.incarnation, boot_});
  return writer_.Append(&state, FrameType::kBoot, AsBytes(boot), 0);
}

absl::StatusOr<bool> FileStoreCore::Recover(MonotonicTime deadline) {
  if (seen_.end.segment == 0) {
    if (absl::Status status = writer_.Create(&seen_); !status.ok()) {
      return status;
    }
  } else {
    absl::StatusOr<bool> done = follower_.Step(seen_, Follower::Ask::kToLastWhole, loop_, deadline);
    if (absl::IsNotFound(done.status())) {
      return Error(absl::StatusCode::kDataLoss, "{}: is named by the control file, but missing",
                   Message(done.status()));
    }
    if (!done.ok() || !*done) {
      return done;
    }
    seen_.end = follower_.place();
    seen_.head = follower_.position();
    if (seen_.end < seen_.durable) {
      return Error(
          absl::StatusCode::kDataLoss,
          "{}: offset {}: damaged, though the disc had confirmed it up to offset {} of {}: "
          "bring back a copy of the whole store, or move it away and let the writers "
          "resync",
          directory_.PathOf(FileName(FileKind::kFeed, seen_.end.segment)), seen_.end.offset,
          seen_.durable.offset, FileName(FileKind::kFeed, seen_.durable.segment));
    }
    seen_.first_segment = std::min(seen_.first_segment, seen_.end.segment);
    seen_.trimmed = std::min(seen_.trimmed, seen_.head);
    if (absl::Status status = writer_.CutOff(seen_); !status.ok()) {
      return status;
    }
    follower_.SkipTo(writer_.tail(), seen_.end.offset, seen_.head);
  }
  if (absl::Status status = StartBoot(seen_); !status.ok()) {
    return status;
  }
  return true;
}

absl::StatusOr<bool> FileStoreCore::Load(MonotonicTime deadline) {
  const auto is_current = [this] {
    return seen_.end.segment != 0 && seen_.boot == boot_ && !doubtful_;
  };
  if (!recovering_) {
    if (absl::Status status = Refresh(); !status.ok()) {
      return status;
    }
    if (!is_current()) {
      if (!control_.TryLock(ControlFile::Lock::kAppend)) {
        return false;  // another process is at it
      }
      recovering_ = true;
      if (absl::Status status = Refresh(); !status.ok()) {
        return status;
      }
    }
  }
  if (recovering_) {
    if (!is_current()) {
      absl::StatusOr<bool> done = Recover(deadline);
      if (!done.ok() || !*done) {
        return done;
      }
    }
    control_.Unlock(ControlFile::Lock::kAppend);
    recovering_ = false;
    if (absl::Status status = Refresh(); !status.ok()) {
      return status;
    }
  }
  return FollowTo(seen_, deadline);
}

bool FileStoreCore::LoadSlice() {
  const absl::StatusOr<bool> done = Load(loop_.now() + kSlice);
  if (!done.ok()) {
    if (recovering_) {
      control_.Unlock(ControlFile::Lock::kAppend);
      recovering_ = false;
    }
    // A full disc is no damage: it is tried again, but nothing works until then.
    if (absl::IsUnavailable(done.status()) && ready_) {
      trouble_ = done.status();
      return true;
    }
    Break(done.status());
    return false;
  }
  if (!*done) {
    return true;
  }
  ready_ = true;
  restarts_ = 0;
  durable_ = std::max(durable_, seen_.durable);
  if (!synced()) {
    confirmed_ = std::max(confirmed_, follower_.position());
  }
  return false;
}

}  // namespace mimi::internal
