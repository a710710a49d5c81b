#include "src/wire/http_status.h"

#include <algorithm>

#include <fmt/core.h>

namespace mimi::internal {
namespace {

constexpr std::size_t kLongestLine = 1024;
constexpr std::string_view kVersion = "HTTP/1.";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
}

}  // namespace

// status-line = HTTP-version SP status-code SP [ reason-phrase ]; some servers leave the second
// space out.
HttpStatusProgress ParseHttpStatus(std::string_view received, int* status) {
  const std::size_t end = received.substr(0, kLongestLine).find('\n');
  if (end == std::string_view::npos) {
    const bool hopeless = received.size() >= kLongestLine ||
                          received.substr(0, kVersion.size()) !=
                              kVersion.substr(0, std::min(received.size(), kVersion.size()));
    return hopeless ? HttpStatusProgress::kMalformed : HttpStatusProgress::kMore;
  }
  std::string_view line = received.substr(0, end);
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  // "HTTP/1.1 200" is twelve characters.
  if (line.size() < 12 || line.substr(0, kVersion.size()) != kVersion || !IsDigit(line[7]) ||
      line[8] != ' ' || !IsDigit(line[9]) || !IsDigit(line[10]) || !IsDigit(line[11]) ||
      (line.size() > 12 && line[12] != ' ')) {
    return HttpStatusProgress::kMalformed;
  }
  *status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  return HttpStatusProgress::kDone;
}

std::string HttpGet(std::string_view host, std::string_view uri) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: mimi\r\nAccept: */*\r\nConnection: close\r\n\r\n",
      uri, host);
}

bool IsHttpHost(std::string_view host) {
  return IsPlain(host);
}

bool IsHttpUri(std::string_view uri) {
  return IsPlain(uri) && uri.front() == '/';
}

}  // namespace mimi::internal
