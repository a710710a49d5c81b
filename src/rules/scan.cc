#include "src/rules/scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "src/rules/known_names.h"

namespace mimi::rules {
namespace {

constexpr std::uint64_t kSecond = 1000000000;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool IsNameChar(char c) {
  return IsDigit(c) || (Lower(c) >= 'a' && Lower(c) <= 'z') || c == '-' || c == '_';
}

std::size_t NameSize(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && IsNameChar(text[size])) {
    ++size;
  }
  return size;
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(),
                                                   [](char a, char b) { return Lower(a) == b; });
}

constexpr std::array<std::int8_t, 256> kHexValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < 10; ++i) {
    values['0' + i] = static_cast<std::int8_t>(i);
  }
  for (std::size_t i = 0; i < 6; ++i) {
    values['a' + i] = values['A' + i] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}();

int HexValue(char c) {
  return kHexValues[static_cast<unsigned char>(c)];
}

// Groups of an IPv6 address on their way into 16 bytes.
struct Groups {
  std::array<std::uint16_t, 8> group{};
  std::size_t count = 0;
  std::size_t gap = 9;  // where "::" stands; 9: nowhere

  bool Add(std::uint32_t value) {
    if (count == 8) {
      return false;
    }
    group[count++] = static_cast<std::uint16_t>(value);
    return true;
  }
  // An IPv4 address is the last two groups.
  bool Add(const Ip& v4) {
    return Add(static_cast<std::uint32_t>(v4.octets[12] << 8 | v4.octets[13])) &&
           Add(static_cast<std::uint32_t>(v4.octets[14] << 8 | v4.octets[15]));
  }
  bool Finish(Ip* ip) const {
    if (gap == 9 ? count != 8 : count > 7) {
      return false;
    }
    const std::size_t behind = gap == 9 ? 0 : count - gap;
    std::array<std::uint16_t, 8> all{};
    std::copy_n(group.begin(), count - behind, all.begin());
    std::copy_n(group.begin() + static_cast<std::ptrdiff_t>(count - behind), behind,
                all.end() - static_cast<std::ptrdiff_t>(behind));
    for (std::size_t i = 0; i < 8; ++i) {
      ip->octets[2 * i] = static_cast<std::uint8_t>(all[i] >> 8);
      ip->octets[2 * i + 1] = static_cast<std::uint8_t>(all[i]);
    }
    return true;
  }
};

// One group of hexadecimal digits at `at`; how many digits, at most 5 (5: too many).
std::size_t ScanGroup(std::string_view text, std::size_t at, std::uint32_t* value) {
  std::size_t digits = 0;
  *value = 0;
  while (digits < 5 && at + digits < text.size()) {
    const int digit = HexValue(text[at + digits]);
    if (digit < 0) {
      break;
    }
    *value = *value << 4 | static_cast<std::uint32_t>(digit);
    ++digits;
  }
  return digits;
}

// The zone index ("%eth0") that may follow an address is dropped.
std::size_t BehindZone(std::string_view text, std::size_t at) {
  if (at == text.size() || text[at] != '%') {
    return at;
  }
  const std::size_t zone = NameSize(text.substr(at + 1));
  return zone == 0 ? at : at + zone + 1;
}

std::size_t ScanPlainIp(std::string_view text, Ip* ip) {
  const std::size_t size = ScanIpv4(text, ip);
  if (size != 0 || text.empty() || (text[0] != ':' && HexValue(text[0]) < 0)) {
    return size;
  }
  return ScanIpv6(text, ip);
}

// The first digits of a number, at most eight, without a branch per digit; 0 where fewer than eight
// bytes are left.
std::size_t FirstDigits(std::string_view text, std::uint64_t* value) {
  if (std::endian::native != std::endian::little || text.size() < 8) {
    return 0;
  }
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), 8);
  word ^= 0x3030303030303030;  // a digit is 0 … 9 now
  const std::uint64_t others = (word | (word + 0x7676767676767676)) & 0x8080808080808080;
  const auto size = static_cast<std::size_t>(std::countr_zero(others)) / 8;  // 8: all are digits
  if (size == 0) {
    return 0;
  }
  word <<= 64 - 8 * size;          // zeros before it
  word = word * 10 + (word >> 8);  // pairs, then all four of them
  *value = ((word & 0x000000ff000000ff) * 0x000f424000000064 +
            (word >> 16 & 0x000000ff000000ff) * 0x0000271000000001) >>
           32;
  return size;
}

// An address of at most fifteen bytes; two more are read.
std::size_t ScanOctets(const char* const text, Ip* ip) {
  const auto digit = [text](std::size_t i) {
    return static_cast<unsigned>(text[i] - '0');
  };
  std::array<std::uint8_t, 4> octets{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0 && text[at++] != '.') {
      return 0;
    }
    // One to three digits, taken together: how many there are cannot be predicted.
    const unsigned first = digit(at);
    const unsigned second = digit(at + 1);
    const unsigned third = digit(at + 2);
    const bool two = second < 10;
    const bool three = two && third < 10;
    const unsigned value = three ? first * 100 + second * 10 + third
                           : two ? first * 10 + second
                                 : first;
    if (first > 9 || value > 255) {
      return 0;
    }
    octets[i] = static_cast<std::uint8_t>(value);
    at += std::size_t{1} + (two ? 1 : 0) + (three ? 1 : 0);
  }
  if (digit(at) < 10 || (text[at] == '.' && digit(at + 1) < 10)) {
    return 0;
  }
  *ip = Ip(Ipv4{octets});
  return at;
}

std::size_t ScanUnits(std::string_view text, std::uint64_t* nanoseconds) {
  std::size_t at = 0;
  std::uint64_t total = 0;
  while (at < text.size()) {
    std::uint64_t number = 0;
    const std::size_t digits = ScanNumber(text.substr(at), 1000000000, &number);
    if (digits == 0 || at + digits == text.size()) {
      break;
    }
    const char unit = text[at + digits];
    const std::uint64_t seconds = unit == 'd'   ? 86400
                                  : unit == 'h' ? 3600
                                  : unit == 'm' ? 60
                                  : unit == 's' ? 1
                                                : 0;
    if (seconds == 0 || number > 10000000) {
      break;
    }
    total += number * seconds * kSecond;
    at += digits + 1;
  }
  *nanoseconds = total;
  return at;
}

}  // namespace

std::size_t ScanNumber(std::string_view text, std::uint64_t max, std::uint64_t* number) {
  constexpr std::size_t kAlwaysFits = 19;  // digits in 64 bits
  std::uint64_t value = 0;
  std::size_t size = FirstDigits(text, &value);
  for (; size < text.size() && IsDigit(text[size]); ++size) {
    const auto digit = static_cast<std::uint64_t>(text[size] - '0');
    if (size >= kAlwaysFits && value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) {
      return 0;
    }
    value = value * 10 + digit;
  }
  *number = value;
  return value <= max ? size : 0;
}

std::size_t ScanHex(std::string_view text, std::uint64_t* number) {
  const std::size_t start = text.starts_with("0x") || text.starts_with("0X") ? 2 : 0;
  std::uint64_t value = 0;
  std::size_t size = start;
  while (size < text.size() && HexValue(text[size]) >= 0) {
    if (size - start == 16) {
      return 0;
    }
    value = value << 4 | static_cast<std::uint64_t>(HexValue(text[size]));
    ++size;
  }
  *number = value;
  return size == start ? 0 : size;
}

std::size_t ScanIpv4(std::string_view text, Ip* ip) {
  constexpr std::size_t kLongest = 17;  // "255.255.255.255" and what must not follow
  if (text.size() >= kLongest) {
    return ScanOctets(text.data(), ip);
  }
  std::array<char, kLongest> copy{};  // bytes of zero behind the end, which belong to no address
  std::copy_n(text.data(), text.size(), copy.data());
  return ScanOctets(copy.data(), ip);
}

std::size_t ScanIpv6(std::string_view text, Ip* ip) {
  Groups groups;
  std::size_t at = 0;
  if (text.starts_with("::")) {
    groups.gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    std::uint32_t value = 0;
    const std::size_t digits = ScanGroup(text, at, &value);
    if (digits == 0) {
      break;
    }
    if (digits <= 3 && at + digits < text.size() && text[at + digits] == '.') {
      Ip v4;
      const std::size_t size = ScanIpv4(text.substr(at), &v4);
      if (size != 0 && !groups.Add(v4)) {
        return 0;
      }
      at += size;
      if (size != 0) {
        break;
      }
    }
    if (digits > 4 || !groups.Add(value)) {
      return 0;
    }
    at += digits;
    if (at + 1 < text.size() && text[at] == ':') {
      if (text[at + 1] == ':' && groups.gap == 9) {
        groups.gap = groups.count;
        at += 2;
        continue;
      }
      // A colon that no group follows is somebody else's.
      if (groups.count < 8 && HexValue(text[at + 1]) >= 0) {
        ++at;
        continue;
      }
    }
    break;
  }
  if (!groups.Finish(ip)) {
    return 0;
  }
  return BehindZone(text, at);
}

std::size_t ScanIp(std::string_view text, Ip* ip) {
  if (!text.starts_with('[')) {
    return ScanPlainIp(text, ip);
  }
  const std::size_t size = ScanPlainIp(text.substr(1), ip);
  return size != 0 && size + 1 < text.size() && text[size + 1] == ']' ? size + 2 : 0;
}

std::size_t ScanPort(std::string_view text, std::uint64_t* port) {
  if (!text.empty() && IsDigit(text[0])) {
    return ScanNumber(text, 65535, port);
  }
  const std::size_t size = NameSize(text);
  const std::string_view name = text.substr(0, size);
  const auto found =
      std::lower_bound(kServices.begin(), kServices.end(), name,
                       [](const KnownName& a, std::string_view b) { return a.name < b; });
  if (size == 0 || found == kServices.end() || found->name != name) {
    return 0;
  }
  *port = found->number;
  return size;
}

std::size_t ScanProtocol(std::string_view text, std::uint64_t* protocol) {
  if (!text.empty() && IsDigit(text[0])) {
    return ScanNumber(text, 255, protocol);
  }
  const std::size_t size = NameSize(text);
  const std::optional<std::uint8_t> found = FindProtocol(text.substr(0, size));
  if (!found) {
    return 0;
  }
  *protocol = *found;
  return size;
}

std::size_t ScanDuration(std::string_view text, std::uint64_t* nanoseconds) {
  const std::size_t units = ScanUnits(text, nanoseconds);
  if (units != 0) {
    return units;
  }
  std::uint64_t total = 0;
  std::size_t at = ScanNumber(text, 1000000000, &total);
  if (at == 0) {
    return 0;
  }
  const std::size_t first = at;
  for (int parts = 1; parts < 3 && at + 2 < text.size() && text[at] == ':'; ++parts) {
    std::uint64_t part = 0;
    if (ScanNumber(text.substr(at + 1, 2), 59, &part) != 2) {
      break;
    }
    total = total * 60 + part;
    at += 3;
  }
  *nanoseconds = total * kSecond;
  if (at == first && at + 1 < text.size() && text[at] == '.' && IsDigit(text[at + 1])) {
    ++at;
    for (std::uint64_t unit = kSecond / 10; at < text.size() && IsDigit(text[at]); unit /= 10) {
      *nanoseconds += unit * static_cast<std::uint64_t>(text[at] - '0');
      ++at;
    }
  }
  return at;
}

std::optional<std::uint8_t> FindProtocol(std::string_view name) {
  for (const KnownName& known : kProtocols) {
    if (EqualsIgnoringCase(name, known.name)) {
      return static_cast<std::uint8_t>(known.number);
    }
  }
  return std::nullopt;
}

std::string_view ProtocolName(std::uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    case 132:
      return "sctp";
    default:
      return "";
  }
}

}  // namespace mimi::rules
