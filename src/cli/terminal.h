#ifndef MIMI_SRC_CLI_TERMINAL_H_
#define MIMI_SRC_CLI_TERMINAL_H_

// What commands print, and how.
//
// Threads: any.

#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "mimi/log.h"

namespace mimi::cli {

void Print(std::string_view text);       ///< to standard output, as it is
void PrintError(std::string_view text);  ///< a line to standard error

/// "mimi: what", and the exit code that the status stands for.
int Fail(const absl::Status& status);

bool OutputIsTerminal();
bool ErrorIsTerminal();

/// For `mimi run`: lines to standard error; with priorities where the journal reads them, else with
/// the time.
LogCallback StandardErrorLog(LogLevel least);

/// The whole of a file. Errors: NotFound.
absl::Status ReadWholeFile(const std::string& path, std::string* text);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_TERMINAL_H_
