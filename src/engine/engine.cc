#include "src/engine/engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/base/status.h"

namespace mimi {

absl::StatusOr<std::unique_ptr<Engine>> NewEngine(EngineOptions options, Loop& loop) {
  return internal::EngineImpl::New(std::move(options), loop);
}

namespace internal {
namespace {

constexpr int kFeedSlices = 3;
// The waits of a planned move end with reports.
constexpr Duration kReportWhileMoving = std::chrono::milliseconds(20);

}  // namespace

EngineImpl::EngineImpl(EngineOptions options, Loop& loop)
    : loop_(loop), options_(std::move(options)), board_(loop) {
}

EngineImpl::~EngineImpl() {
  loop_.Cancel(timer_);
  for (const int fd : watched_) {
    loop_.UnwatchFd(fd);
  }
}

absl::Status EngineImpl::Start() {
  if (started_) {
    return absl::OkStatus();
  }
  started_ = true;
  feed_->Start();
  for (const auto& sinks : sinks_) {
    if (sinks != nullptr) {
      sinks->Start();
    }
  }
  for (const auto& pipeline : pipelines_) {
    if (pipeline != nullptr) {
      pipeline->Start();
    }
  }
  Wake();
  return manager_ == nullptr ? absl::OkStatus() : manager_->Start();
}

// Everything that has something to do asks for a tick, also from inside another part's call; the
// tick itself runs on its own, from the loop.
void EngineImpl::Wake() {
  if (!ticking_) {
    Arm(true);
  } else {
    woken_ = true;
  }
}

void EngineImpl::Tick() {
  ticking_ = true;
  woken_ = false;
  const MonotonicTime now = loop_.now();
  // A record costs the reading side more than the writing side: with a slice each, the feed would
  // fall behind a producer at full speed until the store has forgotten what it has yet to read.
  bool more = feed_->Tick(now);
  for (int slice = 1; more && slice < kFeedSlices; ++slice) {
    more = feed_->Tick(loop_.now());
  }
  for (const auto& pipeline : pipelines_) {
    if (pipeline != nullptr) {
      pipeline->Tick(now);
    }
  }
  for (const auto& sinks : sinks_) {
    if (sinks != nullptr) {
      more = sinks->Tick(now) || more;
    }
  }
  if (manager_ != nullptr) {
    manager_->Tick(now);
  }
  WriteReports(now);
  reports_->Tick(now);
  ContinueStop(now);
  ticking_ = false;
  Arm(more || woken_);
}

void EngineImpl::Arm(bool now) {
  if (stopped_) {
    return;
  }
  MonotonicTime at = now ? loop_.now() : std::min(reports_->NextDeadline(), next_report_);
  if (!now) {
    const auto take = [&at](std::optional<MonotonicTime> deadline) {
      at = std::min(at, deadline.value_or(MonotonicTime::max()));
    };
    take(feed_->NextDeadline());
    for (const auto& pipeline : pipelines_) {
      take(pipeline == nullptr ? std::nullopt : std::optional(pipeline->NextDeadline()));
    }
    for (const auto& sinks : sinks_) {
      take(sinks == nullptr ? std::nullopt : sinks->NextDeadline());
    }
    take(manager_ == nullptr ? std::nullopt : manager_->NextDeadline());
    if (stopping_) {
      take(stop_deadline_);
    }
  }
  if (timer_ != 0 && armed_for_ <= at) {
    return;
  }
  loop_.Cancel(timer_);
  armed_for_ = at;
  timer_ = loop_.At(at, [this] {
    timer_ = 0;
    armed_for_ = MonotonicTime::max();
    Tick();
  });
}

void EngineImpl::WriteReports(MonotonicTime now) {
  const PairRow* wanted = board_.wanted();
  const bool moving = wanted != nullptr && wanted->phase != StablePhase(HomeOf(wanted->phase));
  const Duration every =
      moving ? std::min(options_.report_every, kReportWhileMoving) : options_.report_every;
  next_report_ = std::min(next_report_, now + every);
  if (now < next_report_) {
    return;
  }
  next_report_ = now + every;
  ++beat_;
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    for (const PairRowKind kind : {PairRowKind::kSource, PairRowKind::kSink}) {
      if (std::optional<PairRow> row = LocalReport(kind, side); row.has_value()) {
        reports_->Write(*row);
      }
    }
  }
}

std::optional<PairRow> EngineImpl::LocalReport(PairRowKind kind, Side side) const {
  const std::size_t i = IndexOf(side);
  std::optional<PairRow> row;
  if (kind == PairRowKind::kSource && pipelines_[i] != nullptr) {
    row = pipelines_[i]->Report();
  }
  if (kind == PairRowKind::kSink && sinks_[i] != nullptr) {
    row = sinks_[i]->Report();
  }
  if (row.has_value()) {
    row->beat = beat_;
  }
  return row;
}

void EngineImpl::Stop(Duration deadline, StatusCallback done) {
  stopping_ = std::move(done);
  stop_deadline_ = loop_.now() + deadline;
  for (const auto& pipeline : pipelines_) {
    if (pipeline != nullptr) {
      pipeline->StopDrivers();
    }
  }
  if (manager_ != nullptr) {
    manager_->Stop();
  }
  Wake();
}

bool EngineImpl::drained() const {
  return std::all_of(pipelines_.begin(), pipelines_.end(), [](const auto& pipeline) {
    return pipeline == nullptr || !pipeline->writing() || pipeline->drained();
  });
}

void EngineImpl::ContinueStop(MonotonicTime now) {
  if (!stopping_) {
    return;
  }
  const bool done = drained();
  if (!done && now < stop_deadline_) {
    return;
  }
  stopped_ = true;
  const StatusCallback callback = std::exchange(stopping_, nullptr);
  callback(done ? absl::OkStatus()
                : Error(absl::StatusCode::kUnavailable,
                        "{}: not everything was confirmed by the deadline", options_.pair));
}

void EngineImpl::StartIfNeeded() {
  if (const absl::Status started = Start(); !started.ok()) {
    Emit("error", std::string(Message(started)));
  }
}

bool EngineImpl::RunOnce() {
  StartIfNeeded();
  return loop_.RunOnce();
}

void EngineImpl::Run() {
  StartIfNeeded();
  loop_.Run();
}

absl::StatusOr<Lane*> EngineImpl::OpenLane(Side side, const StateSchema& schema) {
  const auto& pipeline = pipelines_[IndexOf(side)];
  if (stopped_ || stopping_) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: the engine was stopped",
                 options_.pair);
  }
  if (pipeline == nullptr) {
    return Error(absl::StatusCode::kNotFound, "{}: no lanes of the {} here", options_.pair,
                 SideName(side));
  }
  absl::StatusOr<Lane*> lane = pipeline->OpenLane(schema);
  Wake();
  return lane;
}

void EngineImpl::Report(LivenessEvent event) {
  loop_.Post([this, event = std::move(event), alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired() && manager_ != nullptr) {
      manager_->Report(event);
    }
  });
}

void EngineImpl::Move(Side to, StatusCallback done) {
  if (manager_ == nullptr) {
    loop_.Post([done = std::move(done), pair = options_.pair] {
      done(Error(absl::StatusCode::kUnimplemented, "{}: this process does not manage it", pair));
    });
    return;
  }
  // The controller refuses within the call; a caller who then waits for his answer must find it.
  auto later = [&loop = loop_, done = std::move(done)](const absl::Status& status) {
    loop.Post([done, status] { done(status); });
  };
  if (to == Side::kMinion) {
    manager_->controller().Divert(std::move(later));
  } else {
    manager_->controller().Restore(std::move(later));
  }
}

void EngineImpl::Audit(Side side, AuditCallback done) {
  const auto& sinks = sinks_[IndexOf(side)];
  if (sinks == nullptr) {
    loop_.Post([done = std::move(done), pair = options_.pair, side] {
      done(Error(absl::StatusCode::kNotFound, "{}: the {}'s sinks are not in this process", pair,
                 SideName(side)));
    });
    return;
  }
  sinks->Audit(std::move(done));
  Wake();
}

void EngineImpl::Emit(std::string_view kind, std::string detail) {
  if (options_.on_event) {
    options_.on_event({loop_.unix_now(), std::string(kind), std::move(detail)});
  }
}

}  // namespace internal
}  // namespace mimi
