#include "src/cli/terminal.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/core.h>

#include "mimi/types.h"

#include "src/base/duration.h"
#include "src/base/status.h"
#include "src/cli/commands.h"

namespace mimi::cli {

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void PrintError(std::string_view text) {
  // One write per line, so that lines of several processes do not mix.
  const std::string line = std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int Fail(const absl::Status& status) {
  PrintError(fmt::format("mimi: {}", Message(status)));
  return status.code() == absl::StatusCode::kInvalidArgument ? kUsage : kFailed;
}

bool OutputIsTerminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool ErrorIsTerminal() {
  return isatty(STDERR_FILENO) == 1;
}

LogCallback StandardErrorLog(LogLevel least) {
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr && !ErrorIsTerminal();
  return [least, journal](LogLevel level, std::string_view text) {
    if (level < least) {
      return;
    }
    if (journal) {
      constexpr int kPriorities[] = {7, 6, 4, 3};  // sd-daemon(3)
      PrintError(fmt::format("<{}>{}", kPriorities[static_cast<std::uint8_t>(level) & 3], text));
      return;
    }
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    PrintError(fmt::format("{} {:<7} {}", FormatTime(now), LogLevelName(level), text));
  };
}

absl::Status ReadWholeFile(const std::string& path, std::string* text) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf())) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: {}", path,
                 errno != 0 ? std::strerror(errno) : "empty");
  }
  *text = std::move(content).str();
  return absl::OkStatus();
}

}  // namespace mimi::cli
