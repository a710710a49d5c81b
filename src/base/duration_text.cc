#include "src/base/duration_text.h"

#include <chrono>

#include <fmt/core.h>

namespace mimi {

std::string DurationText(Duration duration) {
  using std::chrono::duration_cast;
  if (duration <= Duration::zero()) {
    return "0 ms";
  }
  if (duration < std::chrono::milliseconds(1)) {
    return fmt::format("{} µs", duration_cast<std::chrono::microseconds>(duration).count());
  }
  if (duration < std::chrono::seconds(1)) {
    return fmt::format("{} ms", duration_cast<std::chrono::milliseconds>(duration).count());
  }
  const auto seconds = duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 10) {
    // Cut, not rounded: 9.99 s shall not read as 10.0 s.
    const auto tenths = duration_cast<std::chrono::milliseconds>(duration).count() / 100;
    return fmt::format("{}.{} s", tenths / 10, tenths % 10);
  }
  if (seconds < 120) {
    return fmt::format("{} s", seconds);
  }
  if (seconds < 2 * 3600) {
    return fmt::format("{} min", seconds / 60);
  }
  if (seconds < 48 * 3600) {
    return fmt::format("{} h", seconds / 3600);
  }
  return fmt::format("{} d", seconds / 86400);
}

}  // namespace mimi
