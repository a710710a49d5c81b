// Steerings that run programs, with real programs: each writes where traffic goes to a file.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "mimi/builtin/steering.h"

#include "tests/steering/steering_rig.h"

namespace {

using namespace std::chrono_literals;
using mimi::CommandSteeringOptions;
using mimi::PassiveSteeringOptions;
using mimi::Side;
using mimi::testing::RunUntil;
using mimi::testing::SteeringRig;
using mimi::testing::TextOf;

class Directory {
 public:
  Directory() {
    std::string pattern = "/tmp/mimi-steering-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string Read(const std::string& name) const {
    std::ifstream file(path_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

struct Rig : SteeringRig {
  Directory directory;
  std::string log;

  // A shell line each; $D is the directory.
  CommandSteeringOptions Lines(const std::string& divert, const std::string& restore,
                               const std::string& observe) {
    setenv("D", (directory / ".").c_str(), 1);
    return {.divert = {divert},
            .restore = {restore},
            .observe = {observe},
            .shell = true,
            .log = [this](mimi::LogLevel, std::string_view text) {
              log += text;
            }};
  }
  void Make(const CommandSteeringOptions& options) {
    Use(mimi::NewCommandSteering(options, *loop));
  }
};

const std::string kDivert = "echo $MIMI_TO > $D/traffic";
const std::string kObserve = "cat $D/traffic 2>/dev/null || echo primary";

}  // namespace

TEST_CASE("command: it diverts, restores, and sees where traffic goes") {
  Rig rig;
  rig.Make(rig.Lines(kDivert, kDivert, kObserve));
  CHECK(*rig.Observe() == Side::kPrimary);
  for (const Side to : {Side::kMinion, Side::kMinion, Side::kPrimary, Side::kPrimary}) {
    CHECK(rig.Move(to).ok());
    CHECK(*rig.Observe() == to);
  }
  CHECK_FALSE(rig.steering->passive());
}

TEST_CASE("command: without a shell nothing is read into the words") {
  Rig rig;
  const std::string file = rig.directory / "$HOME; exit 1";
  rig.Make({.divert = {"touch", file}, .restore = {"rm", file}, .observe = {"echo", "minion"}});
  CHECK(rig.Move(Side::kMinion).ok());
  CHECK(std::filesystem::exists(file));
  CHECK(*rig.Observe() == Side::kMinion);
  CHECK(rig.Move(Side::kPrimary).ok());
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("command: who may not act any more runs nothing") {
  Rig rig;
  rig.Make(rig.Lines(kDivert, kDivert, kObserve));
  const absl::Status status = rig.Move(Side::kMinion, [] { return false; });
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(rig.directory.Read("traffic").empty());
}

TEST_CASE("command: a program that fails says why") {
  Rig rig;
  rig.Make(rig.Lines("echo the router is away >&2; exit 7", "kill -9 $$", kObserve));
  const absl::Status divert = rig.Move(Side::kMinion);
  CHECK(divert.code() == absl::StatusCode::kUnavailable);
  CHECK(TextOf(divert).ends_with("ended with 7: the router is away"));
  CHECK(TextOf(divert).starts_with("divert ("));
  CHECK(TextOf(rig.Move(Side::kPrimary)).ends_with("ended by signal 9 (Killed)"));
}

TEST_CASE("command: a program that hangs is killed at its deadline, and others need not wait") {
  Rig rig;
  CommandSteeringOptions options =
      rig.Lines("echo $$ > $D/pid; exec tail -f /dev/null", kDivert, kObserve);
  options.deadline = 300ms;
  rig.Make(options);
  std::optional<absl::Status> hung;
  rig.steering->Divert([] { return true; }, [&](const absl::Status& status) { hung = status; });
  CHECK(*rig.Observe() == Side::kPrimary);
  REQUIRE(RunUntil(*rig.loop, [&] { return hung.has_value(); }));
  CHECK(hung->code() == absl::StatusCode::kUnavailable);
  CHECK(TextOf(*hung).ends_with("killed, since it had not ended within 300 ms"));
  CHECK_FALSE(
      std::filesystem::exists("/proc/" + std::to_string(std::stoi(rig.directory.Read("pid")))));
  CHECK(rig.Move(Side::kPrimary).ok());
}

TEST_CASE("command: what tells neither box is not believed") {
  Rig rig;
  for (const std::string line : {"echo both", "true", "echo minion; exit 1", "exit 1"}) {
    CAPTURE(line);
    rig.Make(rig.Lines(kDivert, kDivert, line));
    CHECK(rig.Observe().status().code() == absl::StatusCode::kUnavailable);
  }
  rig.Make(rig.Lines(kDivert, kDivert, "echo both"));
  CHECK(TextOf(rig.Observe().status()) ==
        "observe: expected \"primary\" or \"minion\", got \"both\"");
}

TEST_CASE("command: a program that is not there is said at the move") {
  Rig rig;
  rig.Make({.divert = {"/nowhere/at-all"}, .restore = {"true"}, .observe = {"true"}});
  const absl::Status status = rig.Move(Side::kMinion);
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(TextOf(status) == "divert: /nowhere/at-all: cannot be run: No such file or directory");
}

TEST_CASE("command: its end ends the programs, and nobody is called any more") {
  Rig rig;
  rig.Make(rig.Lines("exec tail -f /dev/null", kDivert, kObserve));
  bool called = false;
  rig.steering->Divert([] { return true; }, [&](const absl::Status&) { called = true; });
  rig.steering->Restore([] { return false; }, [&](const absl::Status&) { called = true; });
  rig.steering.reset();
  rig.loop->RunOnce();
  CHECK_FALSE(called);
}

TEST_CASE("command: options that cannot be are refused") {
  Rig rig;
  const auto refused = [&](const CommandSteeringOptions& options) {
    const auto made = mimi::NewCommandSteering(options, *rig.loop);
    REQUIRE(made.status().code() == absl::StatusCode::kInvalidArgument);
    return TextOf(made.status());
  };
  CHECK(refused({.restore = {"a"}, .observe = {"a"}}) ==
        "command steering: divert: expected a program with its arguments");
  CHECK(refused({.divert = {"a"}, .restore = {"a"}}) ==
        "command steering: observe: expected a program with its arguments");
  CHECK(refused({.divert = {"a", "b"}, .restore = {"a"}, .observe = {"a"}, .shell = true}) ==
        "command steering: divert: with shell it is one line, got 2 words");
  CHECK(refused({.divert = {"a"}, .restore = {"a"}, .observe = {"a"}, .deadline = 0s}) ==
        "command steering: deadline: expected more than 0, got 0 ns");
}

TEST_CASE("passive: it looks, and moves nothing") {
  Rig rig;
  rig.steering = *mimi::NewPassiveSteering({.observe = {"echo", "minion"}}, *rig.loop);
  CHECK(rig.steering->passive());
  CHECK(*rig.Observe() == Side::kMinion);
  CHECK(rig.Move(Side::kMinion).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(rig.Move(Side::kPrimary).code() == absl::StatusCode::kFailedPrecondition);
  rig.steering = *mimi::NewPassiveSteering({}, *rig.loop);
  CHECK(rig.Observe().status().code() == absl::StatusCode::kUnavailable);
}
