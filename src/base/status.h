#ifndef MIMI_SRC_BASE_STATUS_H_
#define MIMI_SRC_BASE_STATUS_H_

// Error: how every absl::Status of ours is made, and the one bridge between std::string_view and
// absl::string_view (in some distributions' Abseil a type of its own, which neither converts from
// nor to the standard one).
//
//   return Error(absl::StatusCode::kInvalidArgument, "{}: key has {} bytes, expected {}", table, n,
//   m);
//
// A message says what, which one, what was seen, what was expected. The codes that carry meaning:
// InvalidArgument (fix the call), FailedPrecondition (wrong order), NotFound, Unavailable (retry),
// ResourceExhausted (back-pressure), DataLoss (resync), Aborted (a newer term exists),
// Unimplemented (built without it).
//
// Threads: any.

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include <fmt/core.h>

namespace mimi {

inline absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view ToStd(absl::string_view text) {
  return {text.data(), text.size()};
}

/// The message of a status, as the standard's type.
inline std::string_view Message(const absl::Status& status) {
  return ToStd(status.message());
}

namespace internal {
absl::Status FormatError(absl::StatusCode code, fmt::string_view format, fmt::format_args args);
}  // namespace internal

template <class... Args>
absl::Status Error(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return internal::FormatError(code, format, fmt::make_format_args(args...));
}

/// The same code, with "context: " in front of the message. OK stays OK.
absl::Status Prepend(std::string_view context, const absl::Status& status);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_STATUS_H_
