#ifndef MIMI_LOG_H_
#define MIMI_LOG_H_

/// \file
/// How the library says something to people: through a callback of yours, or
/// not at all.
///
/// It writes to no stream and keeps no global logger. A LogCallback is a member
/// of the options of what logs; without one, nothing is said. Lines are rare:
/// state changes, losses and repairs, never one per packet or record (those are
/// counted, metrics.h).
///
///     options.log = [](LogLevel level, std::string_view text) {
///       std::fprintf(stderr, "%s %.*s\n", LogLevelName(level).data(),
///       int(text.size()), text.data());
///     };
///
/// Threads: called on the thread of what logs, mostly the loop's; it must not
/// call back. Lifetime: `text` is valid until the callback returns.

#include <cstdint>
#include <functional>
#include <string_view>

namespace mimi {

enum class LogLevel : std::uint8_t {
  kDebug,    ///< for those who work on the library
  kInfo,     ///< a step that an operator may want to see: claimed, diverting,
             ///< loaded
  kWarning,  ///< works on, but something was lost, refused or late
  kError,    ///< something that it should do does not work until somebody acts
};

/// "debug", "info", "warning", "error"; NUL-terminated.
constexpr std::string_view LogLevelName(LogLevel level) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  return kNames[static_cast<std::uint8_t>(level) & 3];
}

using LogCallback = std::function<void(LogLevel level, std::string_view text)>;

}  // namespace mimi

#endif  // MIMI_LOG_H_
