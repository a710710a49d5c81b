#include "mimi/builtin/liveness_thread.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "src/base/log.h"
#include "src/base/status.h"

namespace mimi {
namespace {

constexpr int kMostPriority = 99;

class LivenessThreadImpl final : public LivenessThread {
 public:
  LivenessThreadImpl(const LivenessThreadOptions& options, std::unique_ptr<Loop> loop)
      : priority_(options.priority), log_(options.log), loop_(std::move(loop)) {}
  ~LivenessThreadImpl() override { Stop(); }

  Loop& loop() override { return *loop_; }
  void Add(std::unique_ptr<Liveness> liveness) override {
    livenesses_.push_back(std::move(liveness));
  }

  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    if (started_) {
      return Error(absl::StatusCode::kFailedPrecondition, "liveness thread: started before");
    }
    started_ = true;
    // The thread writes scheduling_ and the status before it keeps the promise: whoever has waited
    // for it sees both.
    std::promise<absl::Status> promise;
    std::future<absl::Status> begun = promise.get_future();
    thread_ = std::thread([this, report = std::move(report), &promise] {
      scheduling_ = RaisePriority();
      absl::Status status = StartAll(report);
      const bool run = status.ok();
      promise.set_value(std::move(status));
      if (run) {
        loop_->Run();
        StopAll();
      }
    });
    absl::Status status = begun.get();
    if (!status.ok()) {
      thread_.join();
    }
    return status;
  }

  void Stop() override {
    if (thread_.joinable()) {
      loop_->Stop();
      thread_.join();
    }
  }

  std::string_view scheduling() const override { return scheduling_; }

  MetricList metrics() const override {
    MetricList all;
    for (const auto& liveness : livenesses_) {
      MetricList own = liveness->metrics();
      std::move(own.begin(), own.end(), std::back_inserter(all));
    }
    return all;
  }

 private:
  std::string RaisePriority() {
    if (priority_ == 0) {
      return "normal priority";
    }
    sched_param parameter{};
    parameter.sched_priority = priority_;
    // What a child process would be is not for us to say: it starts as others do.
    const int error =
        pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
    if (error == 0) {
      return fmt::format("SCHED_FIFO {}", priority_);
    }
    std::string said = fmt::format(
        "normal priority: SCHED_FIFO {} refused ({}; it needs "
        "CAP_SYS_NICE or RLIMIT_RTPRIO)",
        priority_, std::strerror(error));
    log_.Warn("liveness runs at {}; on a busy machine it may see faults late, or where none are",
              said);
    return said;
  }

  absl::Status StartAll(const std::function<void(const LivenessEvent&)>& report) {
    for (const auto& liveness : livenesses_) {
      absl::Status status = liveness->Start(report);
      if (!status.ok()) {
        StopAll();
        return Prepend(liveness->name(), status);
      }
    }
    return absl::OkStatus();
  }

  void StopAll() {
    for (const auto& liveness : livenesses_) {
      liveness->Stop();
    }
  }

  const int priority_;
  const Logger log_;
  const std::unique_ptr<Loop> loop_;  // outlives what runs on it
  std::vector<std::unique_ptr<Liveness>> livenesses_;
  bool started_ = false;
  std::string scheduling_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LivenessThread>> NewLivenessThread(
    const LivenessThreadOptions& options) {
  if (options.priority < 0 || options.priority > kMostPriority) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "liveness thread: priority is {}, expected 1 to {}, or 0 for none",
                 options.priority, kMostPriority);
  }
  absl::StatusOr<std::unique_ptr<Loop>> loop = NewEpollLoop();
  if (!loop.ok()) {
    return loop.status();
  }
  return std::make_unique<LivenessThreadImpl>(options, *std::move(loop));
}

}  // namespace mimi
