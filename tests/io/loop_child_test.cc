// Programs beside a loop, with real processes.
#include "src/io/loop_child.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/real_loop.h"

namespace {

using namespace std::chrono_literals;
using mimi::ChildEnd;
using mimi::ChildOptions;
using mimi::Loop;
using mimi::LoopChild;
using mimi::testing::RunUntil;

struct Rig {
  std::unique_ptr<Loop> loop = *mimi::NewEpollLoop();
  std::optional<ChildEnd> end;
  std::unique_ptr<LoopChild> child;

  absl::Status Start(std::string line, ChildOptions options = {}) {
    options.command = {"sh", "-c", std::move(line)};
    return StartProgram(std::move(options));
  }
  absl::Status StartProgram(ChildOptions options) {
    absl::StatusOr<std::unique_ptr<LoopChild>> started =
        LoopChild::Start(std::move(options), *loop, [this](const ChildEnd& ended) {
          end = ended;
          child.reset();
        });
    if (started.ok()) {
      child = *std::move(started);
    }
    return started.status();
  }
  ChildEnd Wait() {
    REQUIRE(RunUntil(*loop, [this] { return end.has_value(); }));
    return *end;
  }
};

bool IsRunning(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return static_cast<bool>(stat >> number >> name >> state) && state != "Z";
}

}  // namespace

TEST_CASE("child: its words and its exit code are told") {
  Rig rig;
  REQUIRE(rig.Start("echo minion; echo oh >&2; exit 3").ok());
  CHECK_FALSE(rig.end.has_value());
  const ChildEnd end = rig.Wait();
  CHECK_FALSE(end.ok());
  CHECK(end.exit_code == 3);
  CHECK(end.output == "minion\n");
  CHECK(end.errors == "oh\n");
}

TEST_CASE("child: its environment is ours, with what is given replaced") {
  Rig rig;
  setenv("MIMI_TO", "nowhere", 1);
  setenv("MIMI_TOP", "kept", 1);
  REQUIRE(rig.Start("echo $MIMI_TO $MIMI_TOP", {.environment = {"MIMI_TO=minion"}}).ok());
  CHECK(rig.Wait().output == "minion kept\n");
}

TEST_CASE("child: more than is kept does not block it: first of the output, last of the errors") {
  Rig rig;
  REQUIRE(rig.Start("seq 100000; seq 100000 >&2", {.max_output = 4, .max_errors = 7}).ok());
  const ChildEnd end = rig.Wait();
  CHECK(end.ok());
  CHECK(end.output == "1\n2\n");
  CHECK(end.errors == "100000\n");
}

TEST_CASE("child: blocked and ignored signals are not inherited") {
  Rig rig;
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  signal(SIGPIPE, SIG_IGN);
  REQUIRE(rig.Start("kill -PIPE $$; kill -TERM $$; exit 0").ok());
  signal(SIGPIPE, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const ChildEnd end = rig.Wait();
  CHECK(end.signal == SIGPIPE);
  CHECK(end.exit_code == -1);
}

TEST_CASE("child: past the deadline it is killed, and its children with it") {
  Rig rig;
  REQUIRE(rig.Start("tail -f /dev/null & echo $!; wait", {.deadline = 200ms}).ok());
  const ChildEnd end = rig.Wait();
  CHECK(end.timed_out);
  CHECK_FALSE(end.ok());
  CHECK(end.signal == SIGKILL);
  const pid_t grandchild = std::stoi(end.output);
  CHECK(RunUntil(*rig.loop, [&] { return !IsRunning(grandchild); }));
}

TEST_CASE("child: what it leaves running does not hold up its end") {
  Rig rig;
  REQUIRE(rig.Start("tail -f /dev/null & echo $!").ok());
  const ChildEnd end = rig.Wait();
  CHECK(end.ok());
  const pid_t left = std::stoi(end.output);
  CHECK(IsRunning(left));
  kill(left, SIGKILL);
}

TEST_CASE("child: it goes with its owner") {
  Rig rig;
  REQUIRE(rig.Start("exec tail -f /dev/null").ok());
  const pid_t pid = rig.child->pid();
  CHECK(IsRunning(pid));
  rig.child.reset();
  CHECK_FALSE(IsRunning(pid));
  CHECK_FALSE(rig.end.has_value());
}

TEST_CASE("child: a program that is not there is an error at once") {
  Rig rig;
  const absl::Status started = rig.StartProgram({.command = {"/nowhere/at-all"}});
  CHECK(started.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(started.message()) ==
        "/nowhere/at-all: cannot be run: No such file or directory");
}

TEST_CASE("child: it does not outlive a process that is killed") {
  int words[2];
  REQUIRE(pipe(words) == 0);
  const pid_t owner = fork();
  if (owner == 0) {
    Rig rig;
    (void)rig.Start("echo $$ >&2; exec sleep 60", {.deadline = 60s});
    (void)RunUntil(*rig.loop, [&] {
      const pid_t pid = rig.child->pid();
      return IsRunning(pid) && write(words[1], &pid, sizeof(pid)) == sizeof(pid);
    });
    pause();
  }
  pid_t pid = 0;
  REQUIRE(read(words[0], &pid, sizeof(pid)) == sizeof(pid));
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  Rig rig;
  const bool gone = RunUntil(*rig.loop, [pid] { return !IsRunning(pid); });
  CHECK(gone);
  if (!gone) {
    kill(pid, SIGKILL);
  }
  close(words[0]);
  close(words[1]);
}
