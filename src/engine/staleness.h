#ifndef MIMI_SRC_ENGINE_STALENESS_H_
#define MIMI_SRC_ENGINE_STALENESS_H_

// StalenessWindow: the distribution of durations over the last minute, in fixed memory.
//
// Buckets grow by a quarter of a power of two, so a quantile is at most 25 % above the truth; the
// greatest value is exact. Six parts of ten seconds each: the oldest is emptied when a new one
// begins, so a value counts for 50 to 60 s.
//
// Threads: one at a time. Lifetime: a value; never allocates.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "mimi/types.h"

namespace mimi::internal {

class StalenessWindow {
 public:
  void Add(Duration value, MonotonicTime now) {
    Advance(now);
    Part& part = parts_[current_];
    const std::uint64_t ns = value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count());
    ++part.buckets[BucketOf(ns)];
    ++part.count;
    part.max = std::max(part.max, ns);
  }

  /// The value that `share` (0 to 1) of the values do not exceed; 0 when there are none.
  Duration Quantile(double share) const {
    std::uint64_t total = 0;
    for (const Part& part : parts_) {
      total += part.count;
    }
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total) + 0.9999);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < kBuckets && total > 0; ++bucket) {
      for (const Part& part : parts_) {
        seen += part.buckets[bucket];
      }
      if (seen >= wanted) {
        return std::min(Duration(static_cast<std::int64_t>(UpperOf(bucket))), Max());
      }
    }
    return Duration(0);
  }

  Duration Max() const {
    std::uint64_t max = 0;
    for (const Part& part : parts_) {
      max = std::max(max, part.max);
    }
    return Duration(static_cast<std::int64_t>(max));
  }

  /// Lets go what is older than the window. Add() does as well.
  void Advance(MonotonicTime now) {
    if (!started_) {
      started_ = true;
      part_ends_ = now + kPart;
    }
    for (std::size_t i = 0; i < kParts && now >= part_ends_; ++i) {
      current_ = (current_ + 1) % kParts;
      parts_[current_] = Part();
      part_ends_ += kPart;
    }
    part_ends_ = std::max(part_ends_, now);
  }

 private:
  static constexpr std::size_t kParts = 6;
  static constexpr Duration kPart = std::chrono::seconds(10);
  static constexpr std::size_t kBuckets = 256;

  // Two bits behind the leading one: 0, 1, 2, 3 stand for themselves.
  static std::size_t BucketOf(std::uint64_t ns) {
    if (ns < 4) {
      return static_cast<std::size_t>(ns);
    }
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 3;
    return (shift + 1) * 4 + static_cast<std::size_t>((ns >> shift) & 3);
  }
  static std::uint64_t UpperOf(std::size_t bucket) {
    if (bucket < 4) {
      return bucket;
    }
    const std::size_t shift = bucket / 4 - 1;
    return ((4 + bucket % 4 + 1) << shift) - 1;
  }

  struct Part {
    std::array<std::uint32_t, kBuckets> buckets{};
    std::uint64_t count = 0;
    std::uint64_t max = 0;
  };
  std::array<Part, kParts> parts_{};
  std::size_t current_ = 0;
  MonotonicTime part_ends_;
  bool started_ = false;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_STALENESS_H_
