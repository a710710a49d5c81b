#ifndef MIMI_TYPES_H_
#define MIMI_TYPES_H_

/// \file
/// The value types that a row can hold, beyond C++'s own integers.
///
/// A row is plain bytes (schema.h), so every type here has one size and one encoding: two equal
/// values are equal bytes, which is what lets rows be hashed, compared and copied without being
/// parsed. Addresses are kept in network order, exactly as they stand in a packet header.
///
///     mimi::Ipv4 a = *mimi::Ipv4::Parse("192.0.2.1");
///     mimi::Ip   b = a;                 // IPv4 inside the either-family type
///     std::string text = b.ToString();  // "192.0.2.1"
///
/// Threads: values; any.
/// Lifetime: values; nothing here allocates except ToString().

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace mimi {

/// A moment of the steady clock: what every comparison of times uses.
using MonotonicTime = std::chrono::steady_clock::time_point;
/// A moment of the wall clock, in nanoseconds since 1970 (field type `time`). Shown, sent, never
/// compared.
using UnixTime = std::chrono::sys_time<std::chrono::nanoseconds>;
/// A length of time (field type `duration`).
using Duration = std::chrono::nanoseconds;

/// An IPv4 address, 4 bytes in network order.
struct Ipv4 {
  std::array<std::uint8_t, 4> octets{};

  /// Dotted decimal ("192.0.2.1"), nothing else; nullopt when `text` is anything else.
  static std::optional<Ipv4> Parse(std::string_view text);
  std::string ToString() const;
  friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

/// An IPv6 address, 16 bytes in network order.
struct Ipv6 {
  std::array<std::uint8_t, 16> octets{};

  /// RFC 4291 section 2.2 text, without a zone index; nullopt when `text` is anything else.
  static std::optional<Ipv6> Parse(std::string_view text);
  /// The form of RFC 5952.
  std::string ToString() const;
  friend auto operator<=>(const Ipv6&, const Ipv6&) = default;
};

/// An address of either family in 16 bytes: IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so
/// that one address has one encoding. Default: `::`, which stands for "none".
struct Ip {
  std::array<std::uint8_t, 16> octets{};

  constexpr Ip() = default;
  constexpr Ip(const Ipv6& v6) : octets(v6.octets) {}  // NOLINT(google-explicit-constructor)
  constexpr Ip(const Ipv4& v4)                         // NOLINT(google-explicit-constructor)
      : octets{0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0xff,
               0xff,
               v4.octets[0],
               v4.octets[1],
               v4.octets[2],
               v4.octets[3]} {}

  static std::optional<Ip> Parse(std::string_view text);
  bool is_v4() const;
  /// The IPv4 address; nullopt when this is IPv6.
  std::optional<Ipv4> v4() const;
  std::string ToString() const;
  friend auto operator<=>(const Ip&, const Ip&) = default;
};

/// An Ethernet address, as on the wire.
struct Mac {
  std::array<std::uint8_t, 6> octets{};

  /// Six colon- or hyphen-separated hexadecimal pairs; nullopt when `text` is anything else.
  static std::optional<Mac> Parse(std::string_view text);
  std::string ToString() const;
  friend auto operator<=>(const Mac&, const Mac&) = default;
};

/// A transport port. A type of its own so that a schema derived from a struct knows what it is.
struct Port {
  std::uint16_t value = 0;

  constexpr Port() = default;
  constexpr Port(std::uint16_t number) : value(number) {}  // NOLINT(google-explicit-constructor)
  friend auto operator<=>(const Port&, const Port&) = default;
};

/// An IP protocol number (IANA "Protocol Numbers"); any value of the byte is legal.
enum class IpProtocol : std::uint8_t {
  kNone = 0,
  kIcmp = 1,
  kTcp = 6,
  kUdp = 17,
  kIcmpv6 = 58,
  kSctp = 132
};

/// Exactly N bytes (field type `bytes[N]`).
template <std::size_t N>
using Bytes = std::array<std::byte, N>;

/// At most N bytes of UTF-8 text (field type `text[N]`), padded with NUL. It holds no NUL itself.
template <std::size_t N>
struct Text {
  std::array<char, N> bytes{};

  constexpr Text() = default;
  /// Keeps the first N bytes; use TryAssign where cutting would be wrong.
  constexpr Text(std::string_view text) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < N && i < text.size() && text[i] != '\0'; ++i) {
      bytes[i] = text[i];
    }
  }
  /// False, and no change, when `text` does not fit or holds a NUL.
  bool TryAssign(std::string_view text) {
    if (text.size() > N || text.find('\0') != std::string_view::npos) {
      return false;
    }
    *this = Text(text);
    return true;
  }
  std::string_view view() const {
    const void* end = std::memchr(bytes.data(), '\0', N);
    return {bytes.data(), end == nullptr ? N
                                         : static_cast<std::size_t>(static_cast<const char*>(end) -
                                                                    bytes.data())};
  }
  friend auto operator<=>(const Text&, const Text&) = default;
};

}  // namespace mimi

#endif  // MIMI_TYPES_H_
