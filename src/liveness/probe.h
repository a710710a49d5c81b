#ifndef MIMI_SRC_LIVENESS_PROBE_H_
#define MIMI_SRC_LIVENESS_PROBE_H_

/// \file
/// Probe: what tcp, http and icmp probes share: the schedule, its timer, the report. A kind of
/// probe only says how one is begun and abandoned.
///
/// Threads: the loop thread only, but metrics().
/// Lifetime: the loop outlives it.

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "mimi/builtin/probes.h"
#include "mimi/metrics.h"

#include "src/io/socket.h"
#include "src/liveness/probe_schedule.h"
#include "src/liveness/reporter.h"

namespace mimi::internal {

class Probe : public Liveness {
 public:
  Probe(std::string_view kind, std::string target, const ProbePath& path, Loop& loop);

  std::string_view name() const override { return kind_; }
  absl::Status Start(std::function<void(const LivenessEvent&)> report) override;
  void Stop() override;
  MetricList metrics() const override;

 protected:
  /// Before the first probe. Errors: nothing can be probed at all.
  virtual absl::Status Open() { return absl::OkStatus(); }
  /// After the last one, when Open() was called.
  virtual void Close() {}
  /// Begins one; its end is told by Succeeded() or Failed(), also from inside.
  virtual void Begin() = 0;
  /// Ends the one under way, if any; also called before each, and at the end.
  virtual void Abandon() = 0;

  /// REQUIRES: nothing is done after it: it may begin the next probe.
  void Succeeded(std::string_view seen) { Ended(true, seen); }
  void Failed(std::string_view why) { Ended(false, why); }

  const ProbePath& path() const { return path_; }
  SocketPath socket_path() const {
    return {.local = path_.source, .port = 0, .interface = path_.interface, .mark = path_.mark};
  }
  Loop& loop() { return loop_; }

 private:
  void Ended(bool success, std::string_view reason);
  void OnDeadline();
  void Act(const ProbeActions& actions);

  const std::string kind_;
  const std::string target_;  // for people
  const ProbePath path_;
  Loop& loop_;
  Reporter reporter_;
  Deadline deadline_;
  std::optional<ProbeSchedule> schedule_;
  Counter succeeded_, failed_;
};

/// What is wrong with the path's options; OK if nothing.
absl::Status CheckProbePath(std::string_view kind, const ProbePath& path);

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_PROBE_H_
