#ifndef MIMI_SRC_RULES_SCAN_H_
#define MIMI_SRC_RULES_SCAN_H_

// Readers of single values at the front of a text: how many bytes they took, 0 when there is none.
// They never allocate, and never look behind text.size().
//
// Threads: any.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "mimi/types.h"

namespace mimi::rules {

inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
inline bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

inline std::uint64_t Load8(const char* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

/// The first eight bytes, or all there are and zeros: most words are told apart by it.
inline std::uint64_t HeadOf(std::string_view text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size() < 8 ? text.size() : 8);
  return word;
}

/// The same, where eight bytes can be read from `from` on.
inline std::uint64_t HeadOf(const char* from, std::size_t size) {
  if constexpr (std::endian::native == std::endian::little) {
    return size >= 8 ? Load8(from) : Load8(from) & ((std::uint64_t{1} << 8 * size) - 1);
  }
  return HeadOf(std::string_view(from, size));
}

/// Whether `size` bytes are the same, the first eight being known to be.
inline bool SameTail(const char* a, const char* b, std::size_t size) {
  return size <= 8 || (size <= 16 ? Load8(a + size - 8) == Load8(b + size - 8)
                                  : std::memcmp(a + 8, b + 8, size - 8) == 0);
}

/// Decimal, at most `max`; a longer number is none.
std::size_t ScanNumber(std::string_view text, std::uint64_t max, std::uint64_t* number);
/// With or without 0x.
std::size_t ScanHex(std::string_view text, std::uint64_t* number);
/// "192.0.2.1". What follows must not continue it: "192.0.2.1.5" and "192.0.2.1000" are none.
std::size_t ScanIpv4(std::string_view text, Ip* ip);
/// RFC 4291 section 2.2; a zone index ("%eth0") is taken and dropped.
std::size_t ScanIpv6(std::string_view text, Ip* ip);
/// Either, and in square brackets.
std::size_t ScanIp(std::string_view text, Ip* ip);
/// A number, or the name of a service as boxes print it ("https", "www", "domain").
std::size_t ScanPort(std::string_view text, std::uint64_t* port);
/// A number, or a name in any case ("TCP", "ipv6-icmp").
std::size_t ScanProtocol(std::string_view text, std::uint64_t* protocol);
/// "0:00:30", "1h2m3s", "30s", "30", "1.5": in nanoseconds. A number alone is seconds.
std::size_t ScanDuration(std::string_view text, std::uint64_t* nanoseconds);

std::optional<std::uint8_t> FindProtocol(std::string_view name);
/// "tcp", …; empty when it has no name here.
std::string_view ProtocolName(std::uint8_t protocol);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_SCAN_H_
