#ifndef MIMI_SRC_BASE_SUGGEST_H_
#define MIMI_SRC_BASE_SUGGEST_H_

// "did you mean": the word that somebody who mistyped another one probably meant.
//
// Threads: any.

#include <span>
#include <string>
#include <string_view>

namespace mimi {

/// `, did you mean "ipv4"?` for the nearest of `known`, or nothing when none is near (a third of
/// the letters).
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_SUGGEST_H_
