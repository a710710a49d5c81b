#ifndef MIMI_SRC_LIVENESS_REPORTER_H_
#define MIMI_SRC_LIVENESS_REPORTER_H_

/// \file
/// Reporter: what every liveness does alike: tells changes only, with its name and the time, and
/// takes a box that was never heard for dead after a while, if told to.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives it.

#include <functional>
#include <string>
#include <string_view>

#include "mimi/liveness.h"
#include "mimi/loop.h"

namespace mimi::internal {

class Reporter {
 public:
  /// `first_evidence`: 0: silence from the start is no evidence.
  Reporter(std::string name, Side box, Duration first_evidence, Loop& loop);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  void Start(std::function<void(const LivenessEvent&)> report);
  void Stop();
  /// Reports it if it is news: "name: reason".
  void Say(Health health, std::string_view reason);
  /// The box gave a sign of life, whatever it means.
  void Heard();

  const std::string& name() const { return name_; }
  Side box() const { return box_; }

 private:
  const std::string name_;
  const Side box_;
  const Duration first_evidence_;
  Loop& loop_;
  std::function<void(const LivenessEvent&)> report_;
  Health health_ = Health::kUnknown;
  TimerId timer_ = 0;
};

/// One timer that is set anew after everything that happened.
class Deadline {
 public:
  explicit Deadline(Loop& loop) : loop_(loop) {}
  ~Deadline() { Clear(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// max(): never. Set again to the same moment it costs nothing.
  void Set(MonotonicTime at, std::function<void()> fire);
  void Clear();

 private:
  Loop& loop_;
  TimerId timer_ = 0;
  MonotonicTime at_{};
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_LIVENESS_REPORTER_H_
