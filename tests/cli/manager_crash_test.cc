// Managers that are real processes die by SIGKILL at every step of every move, and stand still past
// their lease. The steps are the controller's own tables, so that a new step is tested by being
// there.
#include <string>

#include <doctest/doctest.h>

#include "src/engine/move_plan.h"
#include "tests/cli/manager_processes.h"

namespace mimi::testing {
namespace {

struct Death {
  Side to;
  bool planned;
  Step step;
  StepEdge edge;
};

// A manager that moves the traffic and dies on the way.
pid_t StartMortal(const BoxesProcess& boxes, const Death& death, int signal) {
  return Fork([&boxes, death, signal]() -> int {
    ManagerHere manager(boxes, "edge1.manager");
    manager.options().manager->on_step = [&](Side, Step step, StepEdge edge) {
      if (step == death.step && edge == death.edge) {
        kill(getpid(), signal);
      }
    };
    if (const Outcome begun = manager.Begin(); begun != kGood) {
      return begun;
    }
    if (!manager.Until([&] { return manager.engine().Preview(death.to).ok(); })) {
      return kRefused;
    }
    if (!death.planned) {
      manager.SayDown(OtherSide(death.to));
    }
    return manager.Move(death.to);
  });
}

// The next one, without a memory: what it finds must come to a correct state by itself. Then the
// move is made for good, as what is found may have been undone.
pid_t StartHeir(const BoxesProcess& boxes, const Death& death) {
  return Fork([&boxes, death]() -> int {
    ManagerHere manager(boxes, "edge1.manager");
    if (const Outcome begun = manager.Begin(); begun != kGood) {
      return begun;
    }
    if (!death.planned) {
      manager.SayDown(OtherSide(death.to));
    }
    if (const Outcome settled = manager.CheckSettled(); settled != kGood) {
      return settled;
    }
    if (const Outcome moved = manager.Move(death.to); moved != kGood) {
      return moved;
    }
    return manager.CheckSettled();
  });
}

void DieEverywhere(bool planned) {
  const BoxesProcess boxes(MIMI_PROGRAM);
  const std::size_t most = std::max(internal::PlanOf(Side::kMinion, planned).size(),
                                    internal::PlanOf(Side::kPrimary, planned).size());
  for (const StepEdge edge : {StepEdge::kBefore, StepEdge::kAfter}) {
    for (std::size_t at = 0; at < most; ++at) {
      for (const Side to : {Side::kMinion, Side::kPrimary}) {  // each ends where the next begins
        const auto plan = internal::PlanOf(to, planned);
        const Death death{to, planned, plan[std::min(at, plan.size() - 1)].step, edge};
        CAPTURE(SideName(to));
        CAPTURE(planned);
        CAPTURE(StepName(death.step));
        CAPTURE((edge == StepEdge::kBefore));
        const int end = WaitFor(StartMortal(boxes, death, SIGKILL));
        const bool killed = WIFSIGNALED(end) && WTERMSIG(end) == SIGKILL;
        REQUIRE_MESSAGE(killed, ReadText(boxes.log_path()));
        const int left = WaitFor(StartHeir(boxes, death));
        const bool good = WIFEXITED(left) && WEXITSTATUS(left) == kGood;
        REQUIRE_MESSAGE(good, "status " << left << "\n" << ReadText(boxes.log_path()));
        CHECK(boxes.traffic() == SideName(to));
      }
    }
  }
}

}  // namespace

TEST_CASE(
    "a manager that is killed at any step of a planned move leaves what its heir puts right") {
  DieEverywhere(true);
}

TEST_CASE(
    "a manager that is killed at any step of an unplanned move leaves what its heir puts right") {
  DieEverywhere(false);
}

TEST_CASE("a manager that stood still past its lease, right before it steers, does not steer") {
  const BoxesProcess boxes(MIMI_PROGRAM);
  const pid_t sleeper =
      StartMortal(boxes, {Side::kMinion, true, Step::kSteer, StepEdge::kBefore}, SIGSTOP);
  int status = WaitFor(sleeper, WUNTRACED);
  const bool stopped = WIFSTOPPED(status);
  REQUIRE_MESSAGE(stopped, ReadText(boxes.log_path()));
  // Another takes over when the lease has run out, and undoes what was never done. It stays.
  const std::string settled = boxes.store() + "/../settled";
  const pid_t other = Fork([&]() -> int {
    ManagerHere manager(boxes, "edge1.other");
    if (const Outcome begun = manager.Begin(); begun != kGood) {
      return begun;
    }
    if (const Outcome found = manager.CheckSettled(); found != kGood) {
      return found;
    }
    std::ofstream(settled) << "yes";
    manager.Until([] { return false; });
    return kGood;
  });
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (ReadText(settled).empty() && std::chrono::steady_clock::now() < deadline) {
    poll(nullptr, 0, 5);
  }
  REQUIRE_MESSAGE(!ReadText(settled).empty(), ReadText(boxes.log_path()));
  kill(sleeper, SIGCONT);
  status = WaitFor(sleeper);
  kill(other, SIGKILL);
  WaitFor(other);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kRefused);  // "not the acting manager any more"
  CHECK(boxes.traffic() == "primary");
  CHECK_MESSAGE(boxes.moves().empty(), boxes.moves());
}

}  // namespace mimi::testing
