#ifndef MIMI_TESTS_CLI_MANAGER_PROCESSES_H_
#define MIMI_TESTS_CLI_MANAGER_PROCESSES_H_

// A pair of real processes: the program serves both boxes over a file store, and managers are
// processes of this test, forked, so that they can die or stand still exactly where they are told.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/builtin/file_store.h"
#include "mimi/builtin/policies.h"
#include "mimi/builtin/steering.h"
#include "mimi/engine.h"

#include "tests/cli/table_boxes.h"
#include "tests/store/temporary_directory.h"
#include "tests/support/real_loop.h"

namespace mimi::testing {

using namespace std::chrono_literals;

/// The end of a manager's process, as exit code.
enum Outcome : int {
  kGood = 0,
  kNeverActing = 10,
  kRefused,
  kNotSettled,
  kTrafficElsewhere,
  kWrongClaimant
};

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Both boxes, and where traffic goes: a file that the steering's programs write. Each writes the
/// process that ran it to another.
class BoxesProcess {
 public:
  explicit BoxesProcess(const std::string& program) {
    const std::string rows = "{\"key\": 1, \"value\": 7}\n{\"key\": 2, \"value\": 8}\n";
    std::ofstream(directory_.Join("rows.jsonl")) << rows;
    std::ofstream(directory_.Join("pair.toml")) << kTwoTableBoxes;
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int log = open(log_path().c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
      dup2(log, STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
      setenv("MIMI_RUNTIME_DIR", directory_.path().c_str(), 1);
      execl(program.c_str(), "mimi", "run", directory_.Join("pair.toml").c_str(), nullptr);
      _exit(127);
    }
  }
  ~BoxesProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  std::string log_path() const { return directory_.Join("log"); }
  std::string store() const { return directory_.Join("store"); }
  std::string Program(const std::string& side) const {
    const std::string at = directory_.path().string() + "/";
    return "echo $PPID " + side + " >> " + at + "moves; echo " + side + " > " + at +
           "traffic.$$ && mv " + at + "traffic.$$ " + at + "traffic";
  }
  std::string Where() const {
    return "cat " + directory_.Join("traffic") + " 2>/dev/null || echo primary";
  }
  std::string traffic() const {
    const std::string text = ReadText(directory_.Join("traffic"));
    return text.empty() ? "primary" : text.substr(0, text.size() - 1);
  }
  /// "PID SIDE" a line.
  std::string moves() const { return ReadText(directory_.Join("moves")); }

 private:
  TemporaryDirectory directory_;
  pid_t pid_ = 0;
};

/// One manager, within its process.
class ManagerHere {
 public:
  ManagerHere(const BoxesProcess& boxes, const std::string& node)
      : boxes_(boxes), loop_(*NewEpollLoop()), policy_(NewManualPolicy()) {
    store_ = *NewFileStore({.path = boxes.store()}, *loop_);
    steering_ = *NewCommandSteering({.divert = {boxes.Program("minion")},
                                     .restore = {boxes.Program("primary")},
                                     .observe = {boxes.Where()},
                                     .shell = true},
                                    *loop_);
    options_.pair = "edge1";
    options_.store = store_.get();
    options_.on_event = [this](const PairEvent& event) {
      std::ofstream(boxes_.log_path(), std::ios::app)
          << "manager " << getpid() << ": " << event.kind << ": " << event.detail << std::endl;
    };
    ManagerOptions& manager = options_.manager.emplace();
    manager.node = node;
    manager.policy = policy_.get();
    manager.steering = steering_.get();
    manager.lease_ttl = 1s;
  }

  EngineOptions& options() { return options_; }
  Engine& engine() { return *engine_; }

  Outcome Begin() {
    engine_ = *NewEngine(std::move(options_), *loop_);
    return engine_->Start().ok() && Until([this] { return engine_->status().acting; })
               ? kGood
               : kNeverActing;
  }
  bool Until(const std::function<bool()>& done) { return RunUntil(*loop_, done, 30s); }
  void SayDown(Side side) {
    engine_->Report({.box = side, .health = Health::kDown, .at = loop_->now(), .reason = "test"});
    Until([&] { return engine_->status().view.box(side).health == Health::kDown; });
  }

  /// Asks until it is not refused any more, and waits for the end.
  Outcome Move(Side to) {
    if (!Until([&] { return engine_->Preview(to).ok(); })) {
      return kRefused;
    }
    std::optional<absl::Status> end;
    const auto done = [&](const absl::Status& status) {
      end = status;
    };
    if (to == Side::kMinion) {
      engine_->Divert(done);
    } else {
      engine_->Restore(done);
    }
    return Until([&] { return end.has_value(); }) && end->ok() ? kGood : kRefused;
  }

  /// It comes to a state in which nothing is under way, and phase, traffic and claim agree. Not at
  /// once: a program of a manager that was killed runs on.
  Outcome CheckSettled() {
    Outcome seen = kNotSettled;
    Until([&] {
      seen = Look();
      return seen == kGood;
    });
    return seen;
  }

 private:
  Outcome Look() const {
    const PairStatus status = engine_->status();
    const Phase phase = status.view.phase;
    const Side side = phase == Phase::kOnMinion ? Side::kMinion : Side::kPrimary;
    if (!status.acting || status.step.has_value() ||
        (phase != Phase::kOnPrimary && phase != Phase::kOnMinion)) {
      return kNotSettled;
    }
    if (status.view.traffic != side || boxes_.traffic() != SideName(side)) {
      return kTrafficElsewhere;
    }
    const Origin owner = OriginOf(side == Side::kPrimary ? "edge1.primary" : "edge1.minion");
    return status.store.claimant == owner ? kGood : kWrongClaimant;
  }

  const BoxesProcess& boxes_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<FailoverPolicy> policy_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

/// Runs `work` in a process of its own; its result is the exit code.
template <class Work>
pid_t Fork(Work work) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);  // doctest's handlers are not this process's
    _exit(work());
  }
  return pid;
}

/// The wait status of `pid`, which is killed if it does not change within a minute.
inline int WaitFor(pid_t pid, int flags = 0) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  int status = 0;
  while (waitpid(pid, &status, flags | WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return status;
    }
    poll(nullptr, 0, 2);
  }
  return status;
}

}  // namespace mimi::testing

#endif  // MIMI_TESTS_CLI_MANAGER_PROCESSES_H_
