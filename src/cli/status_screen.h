#ifndef MIMI_SRC_CLI_STATUS_SCREEN_H_
#define MIMI_SRC_CLI_STATUS_SCREEN_H_

// The screen of `mimi status`, out of the JSON of status_json.h.
//
// Threads: any.

#include <string>

#include "src/state/document.h"

namespace mimi::cli {

/// Lines for a terminal of at least 80 columns; `colour`: with ANSI colours.
std::string StatusScreen(const internal::Node& status, bool colour);

/// A row as people read it: its members as name=value. What is no object stays as it is.
std::string RowLine(const std::string& json);

/// Whether the pair's word is "ready".
bool IsReady(const internal::Node& status);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_STATUS_SCREEN_H_
