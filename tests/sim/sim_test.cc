// The simulator as a test, and as a program:
//
//     test_sim                          what ctest runs beside the shards: planted bugs
//     test_sim --seeds=1..100000        so many worlds; the first broken promises are told, with how to see them again
//     test_sim --seed=42 --trace        one world, told step by step
//     test_sim --bug=fence_off …        with a planted bug
//     test_sim --cuts=9 --divert        cut apart (sim_world.h: Cut, one bit each)

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/sim/sim_world.h"

namespace mimi::sim {
namespace {

struct NamedBug {
  std::string_view name;
  Bug bug;
  std::uint64_t within;  // seeds
};

// How many seeds each may take before the checks count as blind to it.
constexpr std::array kBugs = {
    NamedBug{"fence_off", Bug::kFenceOff, 400},
    NamedBug{"tombstones_off", Bug::kTombstonesOff, 1000},
    NamedBug{"end_skipped", Bug::kEndSkipped, 400},
    NamedBug{"term_reused", Bug::kTermReused, 400},
    NamedBug{"gap_ignored", Bug::kGapIgnored, 400},
    NamedBug{"loss_hidden", Bug::kLossHidden, 400},
    NamedBug{"claim_first", Bug::kClaimFirst, 400},
};

std::optional<std::string> RunSeed(std::uint64_t seed, Bug bug, bool trace) {
  World world({.seed = seed, .cuts = {}, .bug = bug, .trace = trace});
  return world.Run();
}

int RunSeeds(std::uint64_t first, std::uint64_t last, Bug bug, bool trace) {
  constexpr int kMostTold = 10;
  int failures = 0;
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t seed = first;
  for (; seed <= last && failures < kMostTold; ++seed) {
    if (const std::optional<std::string> broken = RunSeed(seed, bug, trace); broken.has_value()) {
      ++failures;
      std::printf("seed %llu: %s\n    again: test_sim --seed=%llu --trace\n",
                  static_cast<unsigned long long>(seed), broken->c_str(),
                  static_cast<unsigned long long>(seed));
      std::fflush(stdout);
    }
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto seeds = static_cast<double>(seed - first);
  std::printf("%.0f seeds, %d broken, %.1f s, %.2f ms a seed\n", seeds, failures, took,
              1000 * took / std::max(1.0, seeds));
  return failures == 0 ? 0 : 1;
}

TEST_CASE("sim: planted bugs are found") {
  for (const NamedBug& planted : kBugs) {
    std::optional<std::string> broken;
    std::uint64_t seed = 0;
    while (!broken.has_value() && seed < planted.within) {
      broken = RunSeed(++seed, planted.bug, false);
      if (broken.has_value() && RunSeed(seed, Bug::kNone, false).has_value()) {
        broken.reset();  // not the planted bug's doing
      }
    }
    CHECK_MESSAGE(broken.has_value(), planted.name, " was not found in ", planted.within, " seeds");
    if (broken.has_value()) {
      std::printf("%.*s: found with seed %llu: %s\n", static_cast<int>(planted.name.size()),
                  planted.name.data(), static_cast<unsigned long long>(seed), broken->c_str());
    }
  }
}

// Each bit of `which` is a Cut.
std::optional<std::string> RunCuts(unsigned which, bool divert, bool trace) {
  WorldOptions options{.seed = which, .cuts = {}, .divert = divert, .trace = trace};
  for (std::size_t cut = 0; cut < kCuts; ++cut) {
    if ((which >> cut & 1U) != 0) {
      options.cuts.push_back(static_cast<Cut>(cut));
    }
  }
  World world(options);
  return world.Run();
}

TEST_CASE("sim: however two managers, two boxes and the store are cut apart, one path is left") {
  for (unsigned which = 1; which < 1U << kCuts; ++which) {
    if (std::popcount(which) > 3) {
      continue;
    }
    for (const bool divert : {false, true}) {
      const std::string broken = RunCuts(which, divert, false).value_or("");
      CHECK_MESSAGE(broken.empty(), broken, "; again: test_sim --cuts=", which,
                    std::string(divert ? " --divert" : ""), " --trace");
    }
  }
}

std::optional<std::string_view> Value(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name)) {
    return std::nullopt;
  }
  return argument.substr(name.size());
}

}  // namespace

int Main(int argc, char** argv);

int Main(int argc, char** argv) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  unsigned cuts = 0;
  bool divert = false;
  bool trace = false;
  Bug bug = Bug::kNone;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (const auto seed = Value(argument, "--seed=")) {
      first = last = std::strtoull(std::string(*seed).c_str(), nullptr, 10);
    } else if (const auto seeds = Value(argument, "--seeds=")) {
      const std::string text(*seeds);
      char* end = nullptr;
      first = std::strtoull(text.c_str(), &end, 10);
      last = std::string_view(end).starts_with("..") ? std::strtoull(end + 2, nullptr, 10) : first;
    } else if (const auto which = Value(argument, "--cuts=")) {
      cuts = static_cast<unsigned>(std::strtoul(std::string(*which).c_str(), nullptr, 10));
    } else if (argument == "--divert") {
      divert = true;
    } else if (argument == "--trace") {
      trace = true;
    } else if (const auto name = Value(argument, "--bug=")) {
      for (const NamedBug& planted : kBugs) {
        bug = planted.name == *name ? planted.bug : bug;
      }
    }
  }
  if (cuts != 0) {
    const std::optional<std::string> broken = RunCuts(cuts, divert, trace);
    std::printf("%s\n", broken.value_or("no promise is broken").c_str());
    return broken.has_value() ? 1 : 0;
  }
  if (last != 0) {
    return RunSeeds(first, last, bug, trace);
  }
  doctest::Context context(argc, argv);
  return context.run();
}

}  // namespace mimi::sim

int main(int argc, char** argv) {
  return mimi::sim::Main(argc, argv);
}
