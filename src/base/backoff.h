#ifndef MIMI_SRC_BASE_BACKOFF_H_
#define MIMI_SRC_BASE_BACKOFF_H_

// Backoff: how long to wait before the next attempt: twice as long each time, with jitter, so that
// many who lost the same thing do not all come back at once.
//
// Threads: one at a time. Lifetime: a value.

#include <algorithm>
#include <cstdint>

#include "mimi/types.h"

namespace mimi::internal {

class Backoff {
 public:
  Backoff(Duration least, Duration most, std::uint64_t seed)
      : least_(least), most_(most), state_(seed) {}

  /// The next wait: between half and all of least, 2 least, 4 least, … up to most.
  Duration Next() {
    const unsigned doublings = std::min(attempts_, 30U);
    ++attempts_;
    const Duration whole = least_ > most_ / (std::int64_t{1} << doublings)
                               ? most_
                               : least_ * (std::int64_t{1} << doublings);
    const std::int64_t half = whole.count() / 2;
    return Duration(half +
                    static_cast<std::int64_t>(Random() % static_cast<std::uint64_t>(half + 1)));
  }
  void Reset() { attempts_ = 0; }
  unsigned attempts() const { return attempts_; }

 private:
  // SplitMix64 (Steele, Lea, Flood 2014): any seed will do.
  std::uint64_t Random() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  Duration least_;
  Duration most_;
  std::uint64_t state_;
  unsigned attempts_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_BASE_BACKOFF_H_
