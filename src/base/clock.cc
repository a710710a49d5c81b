#include <chrono>

#include "mimi/loop.h"

namespace mimi {
namespace {

class SystemClockType final : public Clock {
 public:
  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  UnixTime unix_now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

}  // namespace

const Clock& SystemClock() {
  static const SystemClockType clock;  // without state, and its destructor does nothing
  return clock;
}

}  // namespace mimi
