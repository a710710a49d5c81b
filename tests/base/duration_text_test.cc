#include "src/base/duration_text.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

TEST_CASE("duration text: one unit that fits, cut and never rounded up") {
  using namespace std::chrono_literals;
  const std::vector<std::pair<Duration, std::string>> cases = {
      {-5s, "0 ms"},       {0ns, "0 ms"},   {900ns, "0 µs"},       {850us, "850 µs"},
      {1ms, "1 ms"},       {31ms, "31 ms"}, {999'999us, "999 ms"}, {1s, "1.0 s"},
      {9'990ms, "9.9 s"},  {10s, "10 s"},   {119'999ms, "119 s"},  {2min, "2 min"},
      {119min, "119 min"}, {2h, "2 h"},     {47h, "47 h"},         {48h, "2 d"},
  };
  for (const auto& [duration, text] : cases) {
    CHECK(DurationText(duration) == text);
  }
  CHECK(DurationText(Duration::max()) == "106751 d");
}

}  // namespace
}  // namespace mimi
