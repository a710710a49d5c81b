#include "src/liveness/probe_schedule.h"

#include <doctest/doctest.h>

#include "src/liveness/traffic_watch.h"

namespace mimi::internal {
namespace {

using std::chrono::milliseconds;

constexpr MonotonicTime kStart = MonotonicTime(std::chrono::hours(1));

TEST_CASE("probe: three failures in a row are down, two successes up, and one is neither") {
  ProbeSchedule schedule({.interval = milliseconds(100), .timeout = milliseconds(50)}, kStart);
  MonotonicTime now = kStart;
  const auto probe = [&](bool success) {
    CHECK(schedule.Tick(now).begin);
    const ProbeActions actions = schedule.OnResult(success, success ? "fine" : "refused");
    now += milliseconds(100);
    return actions.change;
  };
  CHECK_FALSE(probe(true).has_value());
  const auto up = probe(true);
  REQUIRE(up.has_value());
  CHECK(up->up);
  CHECK_FALSE(probe(false).has_value());
  CHECK_FALSE(probe(false).has_value());
  CHECK_FALSE(probe(true).has_value());
  CHECK_FALSE(probe(false).has_value());
  CHECK_FALSE(probe(false).has_value());
  const auto down = probe(false);
  REQUIRE(down.has_value());
  CHECK_FALSE(down->up);
  CHECK(down->reason == "refused, 3 times in a row");
  CHECK_FALSE(probe(false).has_value());
}

TEST_CASE("probe: one without an answer is abandoned at its time-out and counts as failed") {
  ProbeSchedule schedule(
      {.interval = milliseconds(100), .timeout = milliseconds(50), .fall = 1, .rise = 1}, kStart);
  CHECK(schedule.Tick(kStart).begin);
  CHECK(schedule.NextDeadline() == kStart + milliseconds(50));
  CHECK_FALSE(schedule.Tick(kStart + milliseconds(49)).abandon);
  const ProbeActions late = schedule.Tick(kStart + milliseconds(50));
  CHECK(late.abandon);
  CHECK_FALSE(late.begin);
  REQUIRE(late.change.has_value());
  CHECK(late.change->reason == "no answer for 50 ms");
  // What comes after that is not counted.
  CHECK_FALSE(schedule.OnResult(true, "late").change.has_value());
  CHECK(schedule.NextDeadline() == kStart + milliseconds(100));
}

TEST_CASE("traffic: packets that go in and do not come out are down; silence says nothing") {
  TrafficWatch watch(10, 0, milliseconds(300));
  MonotonicTime now = kStart;
  const auto sample = [&](std::uint64_t in, std::uint64_t out) {
    now += milliseconds(100);
    return watch.OnSample(in, out, now);
  };
  CHECK_FALSE(sample(0, 0).has_value());
  CHECK(sample(5, 5)->up);
  for (int i = 0; i < 20; ++i) {
    CHECK_FALSE(sample(5, 5).has_value());
  }
  CHECK_FALSE(sample(10, 5).has_value());
  CHECK_FALSE(sample(13, 5).has_value());
  const auto down = sample(30, 5);
  REQUIRE(down.has_value());
  CHECK_FALSE(down->up);
  CHECK_FALSE(sample(60, 5).has_value());
  CHECK(sample(61, 6)->up);
  // An interface that was made anew counts from zero.
  CHECK_FALSE(sample(0, 0).has_value());
}

TEST_CASE("traffic: what the box says by itself does not make it forward") {
  TrafficWatch watch(10, 2, milliseconds(300));
  MonotonicTime now = kStart;
  std::uint64_t in = 0, out = 0;
  const auto sample = [&](std::uint64_t more_in, std::uint64_t more_out) {
    now += milliseconds(100);
    return watch.OnSample(in += more_in, out += more_out, now);
  };
  CHECK_FALSE(sample(50, 50).has_value());
  CHECK(sample(50, 50)->up);
  CHECK_FALSE(sample(50, 1).has_value());
  CHECK_FALSE(sample(50, 0).has_value());
  const auto down = sample(50, 1);
  REQUIRE(down.has_value());
  CHECK(down->reason == "150 packets went in within 300 ms and 2 came out");
  CHECK_FALSE(sample(50, 0).has_value());
  CHECK(sample(50, 3)->up);
}

}  // namespace
}  // namespace mimi::internal
