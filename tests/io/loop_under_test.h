// What loop_test.cc runs on: each test program brings its own.
#ifndef MIMI_TESTS_IO_LOOP_UNDER_TEST_H_
#define MIMI_TESTS_IO_LOOP_UNDER_TEST_H_

#include <memory>

#include "mimi/loop.h"

std::unique_ptr<mimi::Loop> NewLoopUnderTest();

#endif  // MIMI_TESTS_IO_LOOP_UNDER_TEST_H_
