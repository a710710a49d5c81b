#ifndef MIMI_SRC_BASE_LOG_H_
#define MIMI_SRC_BASE_LOG_H_

// Logger: formatting in front of the callback that options hand in.
//
//   Logger log(options.log);
//   log.Warn("{}: {} records lost, asking for a resync", table, lost);
//
// Nothing is formatted when there is no callback.
//
// Threads: any, as far as the callback allows it.

#include <string>
#include <utility>

#include <fmt/core.h>

#include "mimi/log.h"

namespace mimi {

class Logger {
 public:
  Logger() = default;
  explicit Logger(LogCallback callback) : callback_(std::move(callback)) {}

  template <class... Args>
  void Debug(fmt::format_string<Args...> format, Args&&... args) const {
    Say(LogLevel::kDebug, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void Info(fmt::format_string<Args...> format, Args&&... args) const {
    Say(LogLevel::kInfo, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void Warn(fmt::format_string<Args...> format, Args&&... args) const {
    Say(LogLevel::kWarning, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) const {
    Say(LogLevel::kError, format, fmt::make_format_args(args...));
  }

 private:
  void Say(LogLevel level, fmt::string_view format, fmt::format_args args) const {
    if (callback_) {
      callback_(level, fmt::vformat(format, args));
    }
  }

  LogCallback callback_;
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_LOG_H_
