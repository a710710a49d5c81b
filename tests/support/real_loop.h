#ifndef MIMI_TESTS_SUPPORT_REAL_LOOP_H_
#define MIMI_TESTS_SUPPORT_REAL_LOOP_H_

// Running a loop with real descriptors until something has come, be it the loop's doing or not,
// with a bound that only a hang reaches.

#include <poll.h>

#include <chrono>

#include "mimi/loop.h"

namespace mimi::testing {

/// False: not within `limit`.
template <class Done>
bool RunUntil(Loop& loop, Done done, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
    pollfd door = {.fd = loop.PollFd(), .events = POLLIN, .revents = 0};
    poll(&door, 1, 10);
    loop.RunOnce();
  }
  return true;
}

}  // namespace mimi::testing

#endif  // MIMI_TESTS_SUPPORT_REAL_LOOP_H_
