// The main of test programs that need root and network namespaces: skipped, with the reason, where
// there are none.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/net_namespace.h"

int main(int argc, char** argv) {
  const std::string why = mimi::testing::WhyNoNamespaces();
  if (!why.empty()) {
    std::printf("skipped: needs root, network namespaces and nft: %s\n", why.c_str());
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
