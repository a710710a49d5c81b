#include "src/liveness/probe.h"

#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"

namespace mimi::internal {

Probe::Probe(std::string_view kind, std::string target, const ProbePath& path, Loop& loop)
    : kind_(kind),
      target_(std::move(target)),
      path_(path),
      loop_(loop),
      reporter_(fmt::format("{} {}", kind, target_), path.box, Duration::zero(), loop),
      deadline_(loop) {
}

absl::Status Probe::Start(std::function<void(const LivenessEvent&)> report) {
  Stop();
  if (absl::Status opened = Open(); !opened.ok()) {
    return opened;
  }
  ProbeSchedule::Config config;
  config.interval = path_.interval;
  config.timeout = path_.timeout;
  config.fall = path_.fall;
  config.rise = path_.rise;
  schedule_.emplace(config, loop_.now());
  reporter_.Start(std::move(report));
  OnDeadline();
  return absl::OkStatus();
}

void Probe::Stop() {
  deadline_.Clear();
  reporter_.Stop();
  if (schedule_.has_value()) {
    schedule_.reset();
    Abandon();
    Close();
  }
}

void Probe::OnDeadline() {
  if (schedule_.has_value()) {
    Act(schedule_->Tick(loop_.now()));
  }
}

void Probe::Ended(bool success, std::string_view reason) {
  if (schedule_.has_value()) {
    (success ? succeeded_ : failed_).Add();
    const ProbeActions actions = schedule_->OnResult(success, reason);
    Act(actions);
  }
}

void Probe::Act(const ProbeActions& actions) {
  if (actions.abandon) {
    failed_.Add();
    Abandon();
  }
  deadline_.Set(schedule_->NextDeadline(), [this] { OnDeadline(); });
  if (actions.change.has_value()) {
    reporter_.Say(actions.change->up ? Health::kUp : Health::kDown, actions.change->reason);
  }
  if (actions.begin && schedule_.has_value()) {
    Begin();
  }
}

MetricList Probe::metrics() const {
  MetricList list;
  for (const auto& [result, counter] :
       {std::pair("success", &succeeded_), std::pair("failure", &failed_)}) {
    list.push_back(CounterMetric("mimi_probe_results_total", "Probes that ended, by result",
                                 counter->value(),
                                 {{"kind", kind_}, {"target", target_}, {"result", result}}));
  }
  return list;
}

absl::Status CheckProbePath(std::string_view kind, const ProbePath& path) {
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  if (path.target == Ip()) {
    return Error(kBad, "{} probe: no target", kind);
  }
  if (path.source != Ip() && path.source.is_v4() != path.target.is_v4()) {
    return Error(kBad, "{} probe: source {} and target {} are of different families", kind,
                 path.source.ToString(), path.target.ToString());
  }
  if (path.interval < std::chrono::milliseconds(1) || path.interval > std::chrono::hours(1)) {
    return Error(kBad, "{} probe: interval is {} ns, expected 1 ms to 1 h", kind,
                 path.interval.count());
  }
  if (path.timeout <= Duration::zero() || path.timeout > path.interval) {
    return Error(kBad, "{} probe: timeout is {} ns, expected more than 0 and at most the interval",
                 kind, path.timeout.count());
  }
  if (path.fall < 1 || path.rise < 1) {
    return Error(kBad, "{} probe: fall is {} and rise {}, expected at least 1", kind, path.fall,
                 path.rise);
  }
  return absl::OkStatus();
}

}  // namespace mimi::internal
