#include <algorithm>

#include "src/wire/syslog.h"

namespace mimi {
namespace {

constexpr std::size_t kCountDigits = 9;  // a gigabyte: nobody means that, but it can be skipped

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

SyslogFramer::Result SyslogFramer::Next(std::string_view input, std::string_view* message,
                                        std::size_t* used, bool* cut) {
  *used = 0;
  *cut = false;
  if (input.empty()) {
    return Result::kMore;
  }
  if (framing_ == Framing::kUnknown) {
    framing_ = input[0] >= '1' && input[0] <= '9' ? Framing::kCounted : Framing::kLines;
  }
  return framing_ == Framing::kCounted ? Counted(input, message, used, cut)
                                       : Line(input, message, used, cut);
}

SyslogFramer::Result SyslogFramer::Counted(std::string_view input, std::string_view* message,
                                           std::size_t* used, bool* cut) {
  if (skip_ != 0) {
    const std::size_t size = std::min(skip_, input.size());
    skip_ -= size;
    *used = size;
    return Result::kMore;
  }
  // Some senders put a newline behind each counted message.
  std::size_t at = 0;
  while (at < input.size() && (input[at] == '\n' || input[at] == '\r' || input[at] == '\0')) {
    ++at;
  }
  std::size_t count = 0;
  const std::size_t first = at;
  while (at < input.size() && IsDigit(input[at]) && at - first < kCountDigits) {
    count = count * 10 + static_cast<std::size_t>(input[at] - '0');
    ++at;
  }
  if (at == input.size()) {
    *used = at == first ? at : 0;
    return Result::kMore;
  }
  if (at == first || input[at] != ' ' || count == 0) {
    return Result::kBroken;
  }
  ++at;
  const std::size_t size = std::min(count, max_message_);
  if (input.size() - at < size) {
    return Result::kMore;
  }
  *message = input.substr(at, size);
  *used = at + size;
  *cut = count > size;
  skip_ = count - size;
  return Result::kMessage;
}

SyslogFramer::Result SyslogFramer::Line(std::string_view input, std::string_view* message,
                                        std::size_t* used, bool* cut) {
  constexpr std::string_view kEnds("\n\0", 2);
  const std::size_t end = input.find_first_of(kEnds);
  if (skip_line_) {
    *used = end == std::string_view::npos ? input.size() : end + 1;
    skip_line_ = end == std::string_view::npos;
    return Result::kMore;
  }
  if (end == std::string_view::npos && input.size() < max_message_) {
    return Result::kMore;
  }
  const std::size_t size = std::min({end, max_message_, input.size()});
  *message = input.substr(0, size);
  *cut = end == std::string_view::npos || end > size;
  skip_line_ = *cut;
  *used = *cut ? size : size + 1;
  if (!message->empty() && message->back() == '\r') {
    message->remove_suffix(1);
  }
  return Result::kMessage;
}

}  // namespace mimi
