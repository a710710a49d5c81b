#include "src/engine/auditor.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(1);
constexpr int kMaxRestarts = 8;
constexpr int kBackgroundShare = 100;  // one part in so many of a core
constexpr int kRequestedShare = 4;

}  // namespace

Auditor::Auditor(Replica& replica, Loop& loop, AuditorOptions options)
    : replica_(replica), loop_(loop), options_(std::move(options)) {
  for (const Field& field : replica_.schema().fields()) {
    if (field.key || field.soft) {
      continue;
    }
    if (!compared_.empty() && compared_.back().end == field.offset) {
      compared_.back().end += field.size;
    } else {
      compared_.push_back({field.offset, std::size_t{field.offset} + field.size});
    }
  }
  if (!options_.wake) {
    options_.wake = [] {
    };
  }
  if (options_.every > Duration(0)) {
    next_pass_ = loop_.now() + options_.every;
  }
}

Auditor::~Auditor() = default;

void Auditor::Request(Callback done) {
  waiting_.push_back(std::move(done));
  options_.wake();
}

std::optional<MonotonicTime> Auditor::NextDeadline() const {
  if (stage_ != Stage::kIdle) {
    return next_slice_;
  }
  return waiting_.empty() ? next_pass_ : std::optional(loop_.now());
}

bool Auditor::Tick(MonotonicTime now) {
  now_ = now;
  if (stage_ == Stage::kIdle) {
    if (waiting_.empty() && (!next_pass_.has_value() || now < *next_pass_)) {
      return false;
    }
    Begin();
  }
  if (next_slice_.has_value() && now < *next_slice_) {
    return false;
  }
  const MonotonicTime start = loop_.now();
  const bool waits =
      stage_ == Stage::kSettling || stage_ == Stage::kConfirming || stage_ == Stage::kRepairing;
  const Stage before = stage_;
  if (const absl::Status status = Step(); !status.ok()) {
    Finish(status);
  }
  if (stage_ == Stage::kIdle) {
    return !waiting_.empty();
  }
  const Duration took = loop_.now() - start;
  const Duration pause = took * ((serving_.empty() ? kBackgroundShare : kRequestedShare) - 1);
  next_slice_ = now + took + (waits && stage_ == before ? std::max(pause, kPoll) : pause);
  return *next_slice_ <= now;
}

void Auditor::Begin() {
  serving_ = std::exchange(waiting_, {});
  result_ = AuditResult();
  restarts_ = 0;
  differences_before_ = ~std::uint64_t{0};
  give_up_ = now_ + options_.patience;
  next_slice_.reset();
  stage_ = Stage::kSettling;
}

absl::Status Auditor::Step() {
  if (stage_ != Stage::kSettling && replica_.epoch() != epoch_) {
    // The sink was lost or a load began: nothing seen so far can be compared with what is now.
    if (++restarts_ > kMaxRestarts) {
      return Error(absl::StatusCode::kUnavailable, "{}: the sink does not stay loaded",
                   replica_.schema().name());
    }
    give_up_ = now_ + options_.patience;
    stage_ = Stage::kSettling;
  }
  switch (stage_) {
    case Stage::kIdle:
      return absl::OkStatus();
    case Stage::kSettling:
      return StepSettling();
    case Stage::kFirstSink:
    case Stage::kSecondSink:
      return StepSink();
    case Stage::kFirstRows:
      StepRows();
      return absl::OkStatus();
    case Stage::kJudging:
      StepJudging();
      return absl::OkStatus();
    case Stage::kConfirming:
      StepConfirming();
      break;
    case Stage::kRepairing:
      StepRepairing();
      break;
  }
  const bool waiting = stage_ == Stage::kConfirming || stage_ == Stage::kRepairing;
  return waiting && now_ >= give_up_ ? WaitedTooLong() : absl::OkStatus();
}

absl::Status Auditor::WaitedTooLong() const {
  return Error(absl::StatusCode::kUnavailable,
               "{}: the sink has not caught up in {} s: confirmed {} of position {}",
               replica_.schema().name(),
               std::chrono::duration_cast<std::chrono::seconds>(options_.patience).count(),
               replica_.confirmed(), replica_.position());
}

absl::Status Auditor::StepSettling() {
  if (replica_.settled()) {
    epoch_ = replica_.epoch();
    BeginLook();
    return absl::OkStatus();
  }
  return now_ >= give_up_ ? WaitedTooLong() : absl::OkStatus();
}

void Auditor::BeginLook() {
  rest_of_walk_ = replica_.walk_begun();
  noted_.clear();
  differences_ = 0;
  result_.compared = 0;
  shown_.assign((std::size_t{replica_.rows().end()} + 63) / 64, 0);
  stage_ = Stage::kFirstSink;
}

void Auditor::StepConfirming() {
  if (replica_.confirmed() >= first_look_) {
    stage_ = Stage::kSecondSink;
  }
}

void Auditor::StepRepairing() {
  if (!repair_ticket_.has_value() && replica_.OfferedSince(repair_round_)) {
    repair_ticket_ = replica_.last_ticket();
  }
  if (repair_ticket_.has_value() && replica_.minion()->confirmed() >= *repair_ticket_) {
    result_.repaired += repairs_;
    EndLook();
  }
}

// All that was noted is judged and repaired; but was everything noted?
void Auditor::EndLook() {
  if (differences_ <= kMaxNoted) {
    Finish(absl::OkStatus());
    return;
  }
  if (repairs_ > 0 && differences_ < differences_before_) {
    differences_before_ = differences_;
    BeginLook();
    return;
  }
  result_.findings.insert(
      result_.findings.begin(),
      fmt::format("{} rows differed at first sight: the counts are at least", differences_));
  Finish(absl::OkStatus());
}

void Auditor::AddFinding(std::string text) {
  if (result_.findings.size() < kMaxFindings) {
    result_.findings.push_back(std::move(text));
  }
}

void Auditor::Finish(const absl::Status& status) {
  stage_ = Stage::kIdle;
  next_slice_.reset();
  noted_ = {};
  shown_ = {};
  if (options_.every > Duration(0)) {
    next_pass_ = now_ + options_.every;
  }
  absl::StatusOr<AuditResult> result = result_;
  if (status.ok()) {
    last_ = result_;
    last_at_ = loop_.unix_now();
  } else {
    result = status;
  }
  if (options_.on_result) {
    options_.on_result(result);
  }
  for (const Callback& done : std::exchange(serving_, {})) {
    done(result);
  }
}

}  // namespace mimi::internal
