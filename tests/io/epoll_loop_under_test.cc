#include "tests/io/loop_under_test.h"

std::unique_ptr<mimi::Loop> NewLoopUnderTest() {
  return *mimi::NewEpollLoop();
}
