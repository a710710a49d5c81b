// ConntrackDriver: walks through the kernel's table, for resyncs and for what makes no events.

#include <algorithm>
#include <chrono>

#include "src/base/status.h"
#include "src/driver/conntrack/conntrack_driver.h"

namespace mimi::internal {
namespace {

constexpr Duration kWalkSlice = std::chrono::microseconds(500);
constexpr Duration kWalkAgain = std::chrono::milliseconds(100);
constexpr std::size_t kSettleAtOnce = 256;
/// Walks for what makes no events may take this part of the time.
constexpr int kCheckShare = 200;

}  // namespace

absl::Status ConntrackDriverImpl::Resync() {
  if (sink_ == nullptr) {
    return Error(absl::StatusCode::kFailedPrecondition, "conntrack: not started");
  }
  stalled_ = false;
  if (walk_ == Walk::kNone || walk_kind_ == WalkKind::kCheck) {
    if (absl::Status status = BeginWalk(WalkKind::kResync); !status.ok()) {
      return status;
    }
  }
  WalkSlice();
  return absl::OkStatus();
}

absl::Status ConntrackDriverImpl::BeginWalk(WalkKind kind) {
  if (walk_ != Walk::kNone) {
    tracker_.GiveUpWalk();
    walk_ = Walk::kNone;
  }
  absl::StatusOr<std::unique_ptr<ConntrackWalk>> walker = ConntrackWalk::Open(inside_);
  if (!walker.ok()) {
    return walker.status();
  }
  absl::StatusOr<LocalAddresses> local = inside_.Addresses();
  if (!local.ok()) {
    return local.status();
  }
  tracker_.set_local(*std::move(local));
  walker_ = *std::move(walker);
  walk_kind_ = kind;
  walk_ = kind == WalkKind::kResync ? Walk::kBegin : Walk::kRows;
  walk_cost_ = Duration::zero();
  tracker_.BeginWalk(kind);
  return absl::OkStatus();
}

void ConntrackDriverImpl::WalkSoon() {
  if (std::exchange(walk_posted_, true)) {
    return;
  }
  loop_.Post([self = self_] {
    if (*self != nullptr) {
      (*self)->walk_posted_ = false;
      (*self)->WalkSlice();
    }
  });
}

// When the sink has no room the walk stands still; the engine calls Resync() when there is some.
void ConntrackDriverImpl::WalkSlice() {
  if (walk_ == Walk::kNone || stalled_) {
    return;
  }
  const MonotonicTime begin = loop_.now();
  const MonotonicTime until = begin + kWalkSlice;
  // What waits is from before the walk.
  if (walk_ == Walk::kBegin && Offer() && Offer(kBatchResyncBegin)) {
    walk_ = Walk::kRows;
  }
  if (walk_ == Walk::kRows && WalkRows(until)) {
    tracker_.EndWalk();
    walker_.reset();
    walk_ = walk_kind_ == WalkKind::kResync ? Walk::kEnd : Walk::kSettle;
  }
  if (walk_ == Walk::kEnd && Offer(kBatchResyncEnd)) {
    walk_ = Walk::kSettle;
  }
  while (walk_ == Walk::kSettle && loop_.now() < until && Offer()) {
    if (tracker_.Settle(kSettleAtOnce)) {
      (void)Offer();
      walk_ = Walk::kNone;
    }
  }
  walk_cost_ += loop_.now() - begin;
  if (walk_ == Walk::kNone) {
    if (walker_ == nullptr) {
      ++walks_;
      problem_.clear();
      ScheduleCheck();
    }
  } else if (!stalled_) {
    WalkSoon();
  }
}

// True: everything was shown.
bool ConntrackDriverImpl::WalkRows(MonotonicTime until) {
  constexpr int kLooksPerClock = 32;
  for (int looks = 1; MakeRoom(); ++looks) {
    const absl::StatusOr<const CtEntry*> entry = walker_->Next();
    if (!entry.ok()) {
      BreakOff(entry.status());
      return false;
    }
    if (*entry == nullptr) {
      return true;
    }
    tracker_.OnWalked(**entry);
    if (looks % kLooksPerClock == 0 && loop_.now() >= until) {
      return false;
    }
  }
  return false;
}

// Nobody but us begins it again: for the engine it is under way.
void ConntrackDriverImpl::BreakOff(const absl::Status& why) {
  log_.Warn("{}", Message(why));
  ++walks_broken_;
  tracker_.GiveUpWalk();
  walk_ = Walk::kNone;
  loop_.Cancel(check_timer_);
  check_timer_ = loop_.At(loop_.now() + kWalkAgain, [this, kind = walk_kind_] {
    if (walk_ != Walk::kNone) {
      return;
    }
    if (const absl::Status status = BeginWalk(kind); !status.ok()) {
      BreakOff(status);
      return;
    }
    stalled_ = false;
    WalkSlice();
  });
}

void ConntrackDriverImpl::ScheduleCheck() {
  loop_.Cancel(check_timer_);
  const Duration pause = std::max<Duration>(options_.check_every, kCheckShare * walk_cost_);
  check_timer_ = loop_.At(loop_.now() + pause, [this] { CheckIfNeeded(); });
}

void ConntrackDriverImpl::CheckIfNeeded() {
  if (walk_ != Walk::kNone) {
    return;  // which schedules the next
  }
  if (tracker_.unheard() == 0) {
    ScheduleCheck();
  } else if (const absl::Status status = BeginWalk(WalkKind::kCheck); !status.ok()) {
    BreakOff(status);
  } else {
    stalled_ = false;
    WalkSlice();
  }
}

}  // namespace mimi::internal
