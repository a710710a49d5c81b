#ifndef MIMI_SRC_IO_LOOP_CHILD_H_
#define MIMI_SRC_IO_LOOP_CHILD_H_

// LoopChild: a program that runs beside a loop, with a deadline.
//
//   absl::StatusOr<std::unique_ptr<LoopChild>> child = LoopChild::Start(
//       {.command = {"/etc/mimi/to-minion"}, .environment = {"MIMI_TO=minion"}, .deadline = 5s},
//       loop, [](const ChildEnd& end) { … });
//
// It has a process group of its own, no input, and the caller's environment and working directory;
// what the caller blocks or ignores of signals is not its affair. Its end is the end of its first
// process: what that left running in the background, with the streams still open, runs on.
// Past the deadline, and when its owner goes, the whole group is killed. When the thread that
// started it dies without a word (kill -9 of the process), the program itself is killed by the
// kernel; not what it had started, and not a program with rights of its own (setuid, file
// capabilities).
//
// Needs pidfd_open (Linux 5.3).
//
// Threads: the loop thread only. Start() does not wait for the program, but for its exec.
// Lifetime: the loop outlives it. It may be destroyed from inside the callback.

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/loop.h"

#include "src/base/unique_fd.h"

namespace mimi {

struct ChildOptions {
  /// The program, searched for in PATH, and its arguments. REQUIRES: not empty.
  std::vector<std::string> command{};
  /// NAME=value, instead of or besides what the caller has.
  std::vector<std::string> environment{};
  Duration deadline = std::chrono::seconds(10);
  /// Bytes that are kept: the first of what it printed, the last of its complaints.
  std::size_t max_output = 4096;
  std::size_t max_errors = 512;
};

struct ChildEnd {
  bool timed_out = false;  ///< it was killed at its deadline
  int exit_code = -1;      ///< -1: it has none
  int signal = 0;          ///< that ended it; 0: none
  std::string output;
  std::string errors;

  bool ok() const { return !timed_out && exit_code == 0; }
};

class LoopChild {
 public:
  using EndCallback = std::function<void(const ChildEnd&)>;

  /// `done` runs once, on the loop thread, never inside the call. Errors: FailedPrecondition (no
  /// such program, no right to run it), ResourceExhausted (descriptors, processes).
  static absl::StatusOr<std::unique_ptr<LoopChild>> Start(ChildOptions options, Loop& loop,
                                                          EndCallback done);
  ~LoopChild();
  LoopChild(const LoopChild&) = delete;
  LoopChild& operator=(const LoopChild&) = delete;

  pid_t pid() const { return pid_; }

 private:
  struct Stream {
    UniqueFd fd;
    std::string text;
  };

  LoopChild(ChildOptions options, Loop& loop, EndCallback done);
  absl::Status Spawn();
  absl::Status Watch();
  void ReadOutput();
  void ReadErrors();
  void Close(Stream& stream);
  void KillGroup() const;
  void OnEnd();

  const ChildOptions options_;
  Loop& loop_;
  EndCallback done_;
  pid_t pid_ = 0;  // 0: none that has to be waited for
  UniqueFd process_;
  Stream output_, errors_;
  TimerId timer_ = 0;
  bool timed_out_ = false;
};

}  // namespace mimi

#endif  // MIMI_SRC_IO_LOOP_CHILD_H_
