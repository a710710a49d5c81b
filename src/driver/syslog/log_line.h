#ifndef MIMI_SRC_DRIVER_SYSLOG_LOG_LINE_H_
#define MIMI_SRC_DRIVER_SYSLOG_LOG_LINE_H_

// A line of syslog as log rules read it.
//
// Threads: any.

#include <string_view>

#include "src/rules/line_reader.h"
#include "src/wire/syslog.h"

namespace mimi::internal {

inline rules::LogLine LogLineOf(std::string_view text, const SyslogHeader& header) {
  return {.text = text,
          .message = header.message,
          .tag = header.tag,
          .host = header.host,
          .program = header.program,
          .process = header.process};
}

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_SYSLOG_LOG_LINE_H_
