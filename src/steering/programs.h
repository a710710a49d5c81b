#ifndef MIMI_SRC_STEERING_PROGRAMS_H_
#define MIMI_SRC_STEERING_PROGRAMS_H_

// Programs: what an operator's programs have in common, whoever calls them.
//
// Threads: the loop thread only. Lifetime: the loop outlives it; its end kills what still runs, and
// what would have answered is dropped.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/steering.h"

#include "src/base/log.h"
#include "src/io/loop_child.h"

namespace mimi::internal {

/// An operator's program as options have it: words, or with `shell` one line.
struct Program {
  std::string_view name;  ///< of the option
  std::vector<std::string> words;
};

class Programs {
 public:
  using OutputCallback = std::function<void(absl::StatusOr<std::string>)>;

  Programs(Loop& loop, bool shell, Duration deadline, LogCallback log);

  /// Errors: InvalidArgument, with what is wrong.
  static absl::Status Check(const Program& program, bool shell);
  static absl::Status CheckDeadline(Duration deadline);

  /// Asks `guard`, if there is one, and runs the program at once; `done` gets what it printed,
  /// never inside the call. Errors: Aborted (guard), FailedPrecondition (cannot be run),
  /// Unavailable (it failed, or took too long; with its last words).
  void Run(const Program& program, std::vector<std::string> environment,
           const Steering::Guard& guard, OutputCallback done);
  /// Runs a program that tells where traffic goes. Errors: those of Run, Unavailable (what it said
  /// is neither).
  void Ask(const Program& program, Steering::ObserveCallback done);

 private:
  void OnEnd(std::uint64_t id, const std::string& what, MonotonicTime began, const ChildEnd& end,
             const OutputCallback& done);

  Loop& loop_;
  const bool shell_;
  const Duration deadline_;
  const Logger log_;
  std::map<std::uint64_t, std::unique_ptr<LoopChild>> children_;
  std::uint64_t last_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STEERING_PROGRAMS_H_
