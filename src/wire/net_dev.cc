#include "src/wire/net_dev.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace mimi::internal {
namespace {

constexpr std::size_t kReceivedAt = 1, kSentAt = 9;  // among the numbers

std::string_view WithoutBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

std::optional<NetDevPackets> ParseNumbers(std::string_view text) {
  NetDevPackets packets;
  for (std::size_t i = 0; i <= kSentAt; ++i) {
    text = WithoutBlanks(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i == kReceivedAt) {
      packets.received = number;
    } else if (i == kSentAt) {
      packets.sent = number;
    }
  }
  return packets;
}

}  // namespace

std::optional<NetDevPackets> FindNetDev(std::string_view text, std::string_view interface) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = WithoutBlanks(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // A name holds no colon, but an alias of old has one of its own: the last colon ends the name.
    const std::size_t colon = line.rfind(':');
    if (colon != std::string_view::npos && line.substr(0, colon) == interface) {
      return ParseNumbers(line.substr(colon + 1));
    }
  }
  return std::nullopt;
}

}  // namespace mimi::internal
