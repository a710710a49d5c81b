// Text of addresses, for mimi/types.h.

#include <arpa/inet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "mimi/types.h"

namespace mimi {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// inet_pton wants a terminated string; no address is longer than INET6_ADDRSTRLEN.
template <class Octets>
bool FromText(int family, std::string_view text, Octets* octets) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) {
    return false;
  }
  std::memcpy(terminated.data(), text.data(), text.size());
  return inet_pton(family, terminated.data(), octets->data()) == 1;
}

bool IsMapped(const std::array<std::uint8_t, 16>& octets) {
  return std::memcmp(octets.data(), kMapped.data(), kMapped.size()) == 0;
}

// The longest run of zero groups, the first of equals; only two or more are worth "::" (RFC
// 5952, 4.2).
struct Run {
  std::size_t begin = 8;
  std::size_t size = 1;
};

Run LongestZeros(const std::array<std::uint16_t, 8>& groups) {
  Run longest;
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) {
      ++end;
    }
    if (end - i > longest.size) {
      longest = {i, end - i};
    }
    i = end + 1;
  }
  return longest;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::optional<Ipv4> Ipv4::Parse(std::string_view text) {
  Ipv4 address;
  return FromText(AF_INET, text, &address.octets) ? std::optional(address) : std::nullopt;
}

std::string Ipv4::ToString() const {
  return fmt::format("{}.{}.{}.{}", octets[0], octets[1], octets[2], octets[3]);
}

std::optional<Ipv6> Ipv6::Parse(std::string_view text) {
  Ipv6 address;
  return FromText(AF_INET6, text, &address.octets) ? std::optional(address) : std::nullopt;
}

std::string Ipv6::ToString() const {
  if (IsMapped(octets)) {
    return fmt::format("::ffff:{}.{}.{}.{}", octets[12], octets[13], octets[14], octets[15]);
  }
  std::array<std::uint16_t, 8> groups;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<std::uint16_t>(octets[2 * i] << 8 | octets[2 * i + 1]);
  }
  const Run zeros = LongestZeros(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == zeros.begin) {
      text += "::";
      i += zeros.size - 1;
      continue;
    }
    if (i != 0 && text.back() != ':') {
      text += ':';
    }
    text += fmt::format("{:x}", groups[i]);
  }
  return text;
}

std::optional<Ip> Ip::Parse(std::string_view text) {
  if (const std::optional<Ipv4> v4 = Ipv4::Parse(text)) {
    return Ip(*v4);
  }
  if (const std::optional<Ipv6> v6 = Ipv6::Parse(text)) {
    return Ip(*v6);
  }
  return std::nullopt;
}

bool Ip::is_v4() const {
  return IsMapped(octets);
}

std::optional<Ipv4> Ip::v4() const {
  if (!is_v4()) {
    return std::nullopt;
  }
  return Ipv4{{octets[12], octets[13], octets[14], octets[15]}};
}

std::string Ip::ToString() const {
  const std::optional<Ipv4> mapped = v4();
  return mapped ? mapped->ToString() : Ipv6{octets}.ToString();
}

std::optional<Mac> Mac::Parse(std::string_view text) {
  Mac mac;
  if (text.size() != 17 || (text[2] != ':' && text[2] != '-')) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < mac.octets.size(); ++i) {
    const int high = HexDigit(text[3 * i]);
    const int low = HexDigit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i > 0 && text[3 * i - 1] != text[2])) {
      return std::nullopt;
    }
    mac.octets[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return mac;
}

std::string Mac::ToString() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", octets[0], octets[1], octets[2],
                     octets[3], octets[4], octets[5]);
}

}  // namespace mimi
