#ifndef MIMI_BUILTIN_COMBINED_LIVENESS_H_
#define MIMI_BUILTIN_COMBINED_LIVENESS_H_

/// \file
/// Several livenesses of one box as one: any, all, or k of n.
///
///     CombinedLivenessOptions options{.box = Side::kPrimary, .down = 2};   // 2 of 3
///     options.parts.push_back(std::move(bfd));
///     options.parts.push_back(std::move(http));
///     options.parts.push_back(std::move(traffic));
///     auto liveness = NewCombinedLiveness(std::move(options));
///
/// The box is down when `down` parts say so: 1 is *any* (fast, and as nervous as the most nervous
/// part), all of them is *all* (slow, and as calm as the calmest). Parts that do not know (yet) do
/// not vote: with *all*, one part that never learns anything keeps the box from being called down.
/// It is up when fewer say down and at least one says up; else unknown. An engine takes the last
/// word about a box whoever says it, so whatever watches one box belongs in one combination.
///
/// Threads: the loop thread of its parts.
/// Lifetime: owns its parts.

#include <memory>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/liveness.h"

namespace mimi {

struct CombinedLivenessOptions {
  Side box = Side::kPrimary;
  /// How many parts have to say down; 0: all.
  int down = 1;
  /// What they say about the other box is ignored.
  std::vector<std::unique_ptr<Liveness>> parts{};
};

/// Errors: InvalidArgument (no parts, or `down` outside 0 to their number).
absl::StatusOr<std::unique_ptr<Liveness>> NewCombinedLiveness(CombinedLivenessOptions options);

}  // namespace mimi

#endif  // MIMI_BUILTIN_COMBINED_LIVENESS_H_
