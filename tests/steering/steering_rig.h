#ifndef MIMI_TESTS_STEERING_STEERING_RIG_H_
#define MIMI_TESTS_STEERING_STEERING_RIG_H_

// A steering on a loop of its own, asked and waited for.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/loop.h"
#include "mimi/steering.h"

#include "tests/support/real_loop.h"

namespace mimi::testing {

inline std::string TextOf(const absl::Status& status) {
  return std::string(status.message());
}

struct SteeringRig {
  std::unique_ptr<Loop> loop = *NewEpollLoop();
  std::unique_ptr<Steering> steering;

  void Use(absl::StatusOr<std::unique_ptr<Steering>> made) {
    REQUIRE_MESSAGE(made.ok(), made.status().ToString());
    steering = *std::move(made);
  }
  absl::Status Move(
      Side to, Steering::Guard guard = [] { return true; }) {
    std::optional<absl::Status> answer;
    const auto done = [&](const absl::Status& status) {
      answer = status;
    };
    if (to == Side::kMinion) {
      steering->Divert(std::move(guard), done);
    } else {
      steering->Restore(std::move(guard), done);
    }
    CHECK_FALSE(answer.has_value());  // never inside the call
    REQUIRE(RunUntil(*loop, [&] { return answer.has_value(); }));
    return *answer;
  }
  absl::StatusOr<Side> Observe() {
    std::optional<absl::StatusOr<Side>> answer;
    steering->Observe([&](const absl::StatusOr<Side>& side) { answer = side; });
    CHECK_FALSE(answer.has_value());
    REQUIRE(RunUntil(*loop, [&] { return answer.has_value(); }));
    return *answer;
  }
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_STEERING_STEERING_RIG_H_
