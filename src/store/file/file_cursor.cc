#include "src/store/file/file_cursor.h"

#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

// Frames passed over in one call on the way to where a reader begins.
constexpr int kMostSkipped = 256;
// Rows looked at in one call of a snapshot: some 100 us.
constexpr std::uint32_t kRowsPerCall = 4096;

absl::Status Gone(const FileStoreCore& core, Position position) {
  return Error(absl::StatusCode::kDataLoss,
               "position {} is gone, the feed starts after {}: load a snapshot", position,
               core.seen().trimmed);
}

void PostWake(FileStoreCore& core, const std::shared_ptr<bool>& alive,
              const std::function<void()>& wake) {
  core.loop().Post([alive, wake] {
    if (*alive && wake != nullptr) {
      wake();
    }
  });
}

// Calls `wake` when the tables are loaded.
void WakeWhenReady(FileStoreCore& core, const std::shared_ptr<bool>& alive,
                   const std::function<void()>& wake) {
  core.Enqueue([alive, wake] {
    if (*alive && wake != nullptr) {
      wake();
    }
    return true;
  });
}

}  // namespace

// --- WatchCursor
// ----------------------------------------------------------------------------------

WatchCursor::WatchCursor(FileStoreCore& core, const WatchFrom& from, std::function<void()> wake)
    : core_(core),
      from_(from),
      wake_(std::move(wake)),
      reader_id_(core.AddReader()),
      alive_(std::make_shared<bool>(true)),
      position_(from.position) {
}

WatchCursor::~WatchCursor() {
  *alive_ = false;
  core_.RemoveReader(reader_id_);
}

std::optional<BatchView> WatchCursor::Wait(LogPlace seen) {
  core_.Arm(reader_id_, seen, wake_);
  return std::nullopt;
}

std::optional<BatchView> WatchCursor::Pause() {
  PostWake(core_, alive_, wake_);
  return std::nullopt;
}

absl::Status WatchCursor::Begin() {
  if (absl::Status status = core_.Refresh(); !status.ok()) {
    return status;
  }
  const ControlState& state = core_.seen();
  if (from_.incarnation != 0 && from_.incarnation != state.incarnation) {
    return Error(
        absl::StatusCode::kDataLoss,
        "the store has incarnation {:#018x} now, the position is of {:#018x}: load a snapshot",
        state.incarnation, from_.incarnation);
  }
  if (position_ > state.head) {
    return Error(absl::StatusCode::kDataLoss, "position {} is beyond the head, {}", position_,
                 state.head);
  }
  if (position_ < state.trimmed) {
    return Gone(core_, position_);
  }
  for (std::uint64_t number = state.end.segment; number >= state.first_segment; --number) {
    absl::StatusOr<std::shared_ptr<const LogFile>> file =
        LogFile::Open(core_.directory(), FileKind::kFeed, number);
    if (absl::IsNotFound(file.status())) {
      break;
    }
    if (!file.ok()) {
      return file.status();
    }
    if ((*file)->header.start <= position_) {
      reader_.emplace(*std::move(file));
      return absl::OkStatus();
    }
  }
  return Gone(core_, position_);
}

absl::StatusOr<bool> WatchCursor::OpenNext() {
  absl::StatusOr<std::shared_ptr<const LogFile>> file =
      LogFile::Open(core_.directory(), FileKind::kFeed, reader_->place().segment + 1);
  if (absl::IsNotFound(file.status())) {
    return Gone(core_, position_);
  }
  if (!file.ok()) {
    return file.status();
  }
  reader_.emplace(*std::move(file));
  return true;
}

absl::StatusOr<std::optional<BatchView>> WatchCursor::Next() {
  if (core_.broken()) {
    return core_.status();
  }
  if (!reader_.has_value()) {
    if (!core_.ready()) {
      WakeWhenReady(core_, alive_, wake_);
      return std::nullopt;
    }
    if (absl::Status status = Begin(); !status.ok()) {
      return status;
    }
  }
  Frame frame;
  bool looked = false;  // whether the control file was read in this call
  for (int skipped = 0; skipped < kMostSkipped;) {
    const LogPlace end = core_.seen().end;
    const bool last = reader_->place().segment >= end.segment;
    const FrameReader::Result result =
        reader_->Next(last ? end.offset : reader_->file().Size(), &frame);
    if (result == FrameReader::Result::kDamage) {
      return reader_->damage();
    }
    if (result == FrameReader::Result::kFrame) {
      const Position after = frame.header.position + frame.Advance();
      if (frame.header.type == FrameType::kBatch && after > position_) {
        position_ = after;
        return frame.batch;
      }
      ++skipped;
    } else if (!last) {
      absl::StatusOr<bool> opened = OpenNext();
      if (!opened.ok()) {
        return opened.status();
      }
    } else if (!looked) {
      looked = true;
      if (absl::Status status = core_.Refresh(); !status.ok()) {
        return status;
      }
    } else {
      return Wait(reader_->place());
    }
  }
  return Pause();
}

// --- SnapshotCursor
// -------------------------------------------------------------------------------

SnapshotCursor::SnapshotCursor(FileStoreCore& core, TableId table, std::function<void()> wake)
    : core_(core), table_(table), wake_(std::move(wake)), alive_(std::make_shared<bool>(true)) {
  if (core_.CatchUp()) {
    Begin();
  }
}

SnapshotCursor::~SnapshotCursor() {
  *alive_ = false;
}

void SnapshotCursor::Begin() {
  stream_.emplace(core_.pair().tables(), table_);
  epoch_ = core_.epoch();
  position_ = core_.position();
}

absl::StatusOr<std::optional<BatchView>> SnapshotCursor::Next() {
  if (core_.broken()) {
    return core_.status();
  }
  if (!stream_.has_value()) {
    if (!core_.ready()) {
      WakeWhenReady(core_, alive_, wake_);
      return std::nullopt;
    }
    Begin();  // where this handle is; the watch brings the rest
  }
  if (epoch_ != core_.epoch()) {
    return Error(absl::StatusCode::kDataLoss,
                 "the tables were loaded anew while they were read: take another snapshot");
  }
  const std::optional<BatchView> batch =
      stream_->Next(kRowsPerCall, core_.pair().fence().counter(), core_.loop().unix_now());
  if (!batch.has_value() && !stream_->done()) {
    PostWake(core_, alive_, wake_);
  }
  return batch;
}

}  // namespace mimi::internal
