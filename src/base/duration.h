#ifndef MIMI_SRC_BASE_DURATION_H_
#define MIMI_SRC_BASE_DURATION_H_

// Durations and times as people write them, in configurations and in JSON: exact both ways. (For
// messages, where three digits are enough, duration_text.h.)
//
// Threads: any.

#include <optional>
#include <string>
#include <string_view>

#include "mimi/types.h"

namespace mimi {

/// A whole number and a unit, "250ms" or "250 ms": ns, us, ms, s, m, h, d. nullopt for anything
/// else, and for what does not fit.
std::optional<Duration> ParseDuration(std::string_view text);

/// In the largest unit up to seconds that needs no fraction: "1500ms", "300s", "0s".
std::string FormatDuration(Duration duration);

/// RFC 3339 in UTC: "2023-11-14T22:13:20.5Z", up to nine digits of a second. nullopt for anything
/// else.
std::optional<UnixTime> ParseTime(std::string_view text);
std::string FormatTime(UnixTime time);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_DURATION_H_
