#ifndef MIMI_TESTS_LIVENESS_WATCHED_H_
#define MIMI_TESTS_LIVENESS_WATCHED_H_

// Watched: one liveness on its real-time thread, inside a namespace; a test waits for what it says.
//
//   Watched bfd(manager, [](Loop& loop) { return NewBfd(options, loop); });
//   const LivenessEvent event = bfd.Await(Health::kUp);
//
// Threads: one at a time.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mimi/builtin/liveness_thread.h"

#include "tests/support/net_namespace.h"

namespace mimi::testing {

class Watched {
 public:
  template <class Make>
  Watched(const NetNamespace& at, Make make) : thread_(*NewLivenessThread()) {
    at.Inside([&] {
      absl::StatusOr<std::unique_ptr<Liveness>> made = make(thread_->loop());
      if (!made.ok()) {
        throw std::runtime_error(std::string(made.status().message()));
      }
      thread_->Add(*std::move(made));
      const absl::Status started = thread_->Start([this](const LivenessEvent& event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(event);
        news_.notify_all();
      });
      if (!started.ok()) {
        throw std::runtime_error(std::string(started.message()));
      }
    });
  }

  /// The next event, which must come soon and say so; throws what came instead.
  LivenessEvent Await(Health health) {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, std::chrono::seconds(30), [&] { return seen_ < events_.size(); })) {
      throw std::runtime_error("nothing was reported within 30 s");
    }
    const LivenessEvent event = events_[seen_++];
    if (event.health != health) {
      throw std::runtime_error("unexpected: " + event.reason);
    }
    return event;
  }
  /// How many events nobody has awaited.
  std::size_t unseen() {
    const std::lock_guard lock(mutex_);
    return events_.size() - seen_;
  }
  /// Of the first metric with this name, and with this label value if one is given.
  double Value(std::string_view name, std::string_view label = {}) const {
    for (const Metric& metric : thread_->metrics()) {
      if (metric.name == name && (label.empty() || metric.labels.back().value == label)) {
        return metric.value;
      }
    }
    return -1;
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<LivenessEvent> events_;
  std::size_t seen_ = 0;
  const std::unique_ptr<LivenessThread> thread_;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_LIVENESS_WATCHED_H_
