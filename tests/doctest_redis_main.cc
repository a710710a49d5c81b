// The main of test programs that start a redis-server: skipped, with the reason, where there is
// none.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/redis_lab.h"

int main(int argc, char** argv) {
  const std::string why = mimi::WhyNoRedis();
  if (!why.empty()) {
    std::printf("skipped: needs a Redis server: %s\n", why.c_str());
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
