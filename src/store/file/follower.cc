#include "src/store/file/follower.h"

#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

// The clock is read once in so many frames.
constexpr int kFramesPerLook = 8;

}  // namespace

void Follower::Restart() {
  base_.reset();
  feed_.reset();
  position_ = 0;
  base_bytes_ = 0;
  pair_.Reset();
}

void Follower::SkipTo(const std::shared_ptr<const LogFile>& file, std::uint64_t offset,
                      Position position) {
  if (!feed_.has_value() || feed_->place().segment != file->header.number) {
    feed_.emplace(file, offset);
  } else {
    feed_->SkipTo(offset);
  }
  position_ = position;
}

absl::Status Follower::Begin(const ControlState& state) {
  const std::uint64_t first = state.base != 0 ? state.base : state.first_segment;
  absl::StatusOr<std::shared_ptr<const LogFile>> feed =
      LogFile::Open(directory_, FileKind::kFeed, first);
  if (!feed.ok()) {
    return feed.status();
  }
  if (state.base != 0) {
    absl::StatusOr<std::shared_ptr<const LogFile>> base =
        LogFile::Open(directory_, FileKind::kBase, state.base);
    if (!base.ok()) {
      return base.status();
    }
    if ((*base)->header.start != (*feed)->header.start) {
      return Error(absl::StatusCode::kDataLoss, "{}: begins at position {}, {} at {}",
                   (*base)->path, (*base)->header.start, (*feed)->path, (*feed)->header.start);
    }
    base_bytes_ = (*base)->Size();
    base_.emplace(*std::move(base));
  }
  position_ = (*feed)->header.start;
  feed_.emplace(*std::move(feed));
  return absl::OkStatus();
}

absl::StatusOr<bool> Follower::StepBase(const Clock& clock, MonotonicTime deadline) {
  Frame frame;
  for (int i = 1;; ++i) {
    switch (base_->Next(base_bytes_, &frame)) {
      case FrameReader::Result::kFrame:
        break;
      case FrameReader::Result::kEnd:
        return Error(absl::StatusCode::kDataLoss, "{}: offset {}: ends before its last frame",
                     base_->file().path, base_->place().offset);
      case FrameReader::Result::kDamage:
        return base_->damage();
    }
    if (absl::Status status = pair_.LoadBase(frame, clock.now()); !status.ok()) {
      return Prepend(base_->file().path, status);
    }
    if (frame.header.type == FrameType::kEnd) {
      base_.reset();
      return true;
    }
    if (i % kFramesPerLook == 0 && clock.now() >= deadline) {
      return false;
    }
  }
}

absl::Status Follower::TakeFrame(const Frame& frame, MonotonicTime now) {
  if (frame.header.position != position_) {
    return Error(absl::StatusCode::kDataLoss, "{}: offset {}: a frame for position {}, expected {}",
                 feed_->file().path, frame.place.offset, frame.header.position, position_);
  }
  if (absl::Status status = pair_.Replay(frame, now, position_ + frame.Advance()); !status.ok()) {
    return Prepend(feed_->file().path, status);
  }
  position_ += frame.Advance();
  return absl::OkStatus();
}

absl::StatusOr<bool> Follower::OpenNext(Ask ask) {
  const std::uint64_t number = feed_->place().segment + 1;
  absl::StatusOr<std::shared_ptr<const LogFile>> next =
      LogFile::Open(directory_, FileKind::kFeed, number);
  const bool none = absl::IsNotFound(next.status()) || absl::IsDataLoss(next.status());
  if (ask == Ask::kToLastWhole && none) {
    return false;
  }
  if (!next.ok()) {
    return next.status();
  }
  if ((*next)->header.start != position_) {
    return Error(absl::StatusCode::kDataLoss,
                 "{}: starts at position {}, the file before ends at {}", (*next)->path,
                 (*next)->header.start, position_);
  }
  feed_.emplace(*std::move(next));
  return true;
}

absl::StatusOr<bool> Follower::StepFeed(const ControlState& state, Ask ask, const Clock& clock,
                                        MonotonicTime deadline) {
  Frame frame;
  for (int i = 1;; ++i) {
    const bool last = ask == Ask::kUpToEnd && feed_->place().segment >= state.end.segment;
    const std::uint64_t limit = last ? state.end.offset : feed_->file().Size();
    const FrameReader::Result result = feed_->Next(limit, &frame);
    if (result == FrameReader::Result::kFrame) {
      if (absl::Status status = TakeFrame(frame, clock.now()); !status.ok()) {
        return status;
      }
    } else if (result == FrameReader::Result::kDamage) {
      if (ask == Ask::kToLastWhole && absl::IsDataLoss(feed_->damage())) {
        return true;
      }
      return feed_->damage();
    } else if (last) {
      return true;
    } else {
      absl::StatusOr<bool> more = OpenNext(ask);
      if (!more.ok()) {
        return more.status();
      }
      if (!*more) {
        return true;
      }
    }
    if (i % kFramesPerLook == 0 && clock.now() >= deadline) {
      return false;
    }
  }
}

absl::StatusOr<bool> Follower::Step(const ControlState& state, Ask ask, const Clock& clock,
                                    MonotonicTime deadline) {
  if (!feed_.has_value()) {
    if (absl::Status status = Begin(state); !status.ok()) {
      return status;
    }
  }
  if (base_.has_value()) {
    absl::StatusOr<bool> done = StepBase(clock, deadline);
    if (!done.ok() || !*done) {
      return done;
    }
  }
  return StepFeed(state, ask, clock, deadline);
}

}  // namespace mimi::internal
