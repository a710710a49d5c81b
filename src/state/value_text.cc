#include "src/state/value_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <fmt/core.h>

#include "mimi/types.h"

#include "src/base/bytes.h"
#include "src/base/duration.h"
#include "src/base/json_text.h"
#include "src/base/suggest.h"
#include "src/base/utf8.h"
#include "src/state/field_types.h"
#include "src/state/row.h"

namespace mimi::internal {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

struct ProtocolName {
  std::string_view name;
  IpProtocol number;
};
constexpr std::array<ProtocolName, 5> kProtocols = {{{"icmp", IpProtocol::kIcmp},
                                                     {"tcp", IpProtocol::kTcp},
                                                     {"udp", IpProtocol::kUdp},
                                                     {"icmpv6", IpProtocol::kIcmpv6},
                                                     {"sctp", IpProtocol::kSctp}}};

template <class Address>
Address LoadAddress(std::span<const std::byte> value) {
  Address address;
  std::memcpy(address.octets.data(), value.data(), address.octets.size());
  return address;
}

std::string RealText(double value) {
  if (!std::isfinite(value)) {  // JSON has no numbers for these
    return std::isnan(value) ? "\"nan\"" : value < 0 ? "\"-inf\"" : "\"inf\"";
  }
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) {
    text += ".0";  // "-0" would come back as an integer, without its sign
  }
  return text;
}

// --- reading ---

using Wrong = std::optional<std::string>;

std::string Expected(std::string_view what, const Node& node) {
  return node.kind == Node::Kind::kText
             ? fmt::format("expected {}, got \"{}\"", what, node.text.substr(0, 64))
             : fmt::format("expected {}, got {}", what, KindName(node.kind));
}

Wrong ReadInteger(const Field& field, const Node& node, std::span<std::byte> value) {
  if (node.kind != Node::Kind::kInteger) {
    return Expected("an integer", node);
  }
  const std::size_t bits = 8 * field.size;
  if (field.type == FieldType::kI64) {
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
    if (node.magnitude > (node.negative ? kLimit : kLimit - 1)) {
      return fmt::format("{}{} does not fit into 64 bits", node.negative ? "-" : "",
                         node.magnitude);
    }
  } else if (node.negative || (bits < 64 && node.magnitude >> bits != 0)) {
    return fmt::format("{}{} is not in 0 to {}", node.negative ? "-" : "", node.magnitude,
                       std::numeric_limits<std::uint64_t>::max() >> (64 - bits));
  }
  const std::uint64_t number = node.negative ? 0 - node.magnitude : node.magnitude;
  for (std::size_t i = 0; i < field.size; ++i) {
    value[i] = static_cast<std::byte>(number >> (8 * i));
  }
  return std::nullopt;
}

void StoreNumber(std::uint64_t number, std::span<std::byte> value) {
  StoreLe(value.data(), number);
}

Wrong ReadReal(const Node& node, std::span<std::byte> value) {
  double number = 0;
  if (node.kind == Node::Kind::kReal) {
    number = node.real;
  } else if (node.kind == Node::Kind::kInteger) {
    number = static_cast<double>(node.magnitude) * (node.negative ? -1 : 1);
  } else if (node.text == "nan") {
    number = std::numeric_limits<double>::quiet_NaN();
  } else if (node.text == "inf" || node.text == "-inf") {
    number = std::numeric_limits<double>::infinity() * (node.text[0] == '-' ? -1 : 1);
  } else {
    return Expected("a number, \"nan\", \"inf\" or \"-inf\"", node);
  }
  StoreNumber(std::bit_cast<std::uint64_t>(number), value);
  return std::nullopt;
}

template <class Address>
Wrong ReadAddress(const Node& node, std::string_view what, std::span<std::byte> value) {
  const std::optional<Address> address =
      node.kind == Node::Kind::kText ? Address::Parse(node.text) : std::nullopt;
  if (!address) {
    return Expected(what, node);
  }
  std::memcpy(value.data(), address->octets.data(), address->octets.size());
  return std::nullopt;
}

Wrong ReadProtocol(const Field& field, const Node& node, std::span<std::byte> value) {
  if (node.kind == Node::Kind::kText) {
    const auto* const found = std::ranges::find(kProtocols, node.text, &ProtocolName::name);
    if (found == kProtocols.end()) {
      return Expected("an IP protocol's number, or icmp, tcp, udp, icmpv6 or sctp", node);
    }
    value[0] = static_cast<std::byte>(found->number);
    return std::nullopt;
  }
  return ReadInteger(field, node, value);
}

Wrong ReadEnum(const Field& field, const Node& node, std::span<std::byte> value) {
  const EnumValue* const entry =
      node.kind == Node::Kind::kText ? FindEnumValue(field, node.text) : nullptr;
  if (entry == nullptr) {
    std::vector<std::string_view> names;
    std::string list;
    for (const EnumValue& known : field.values) {
      names.push_back(known.name);
      list += fmt::format("{}{}", list.empty() ? "" : ", ", known.name);
    }
    return Expected(fmt::format("one of {}", list), node) +
           (node.kind == Node::Kind::kText ? DidYouMean(node.text, names) : "");
  }
  value[0] = static_cast<std::byte>(entry->value);
  return std::nullopt;
}

Wrong ReadBytes(const Field& field, const Node& node, std::span<std::byte> value) {
  const std::string_view text = node.text;
  if (node.kind != Node::Kind::kText || text.size() != 2 * std::size_t{field.size} ||
      text.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
    return Expected(fmt::format("{} bytes as {} hexadecimal digits", field.size, 2 * field.size),
                    node);
  }
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  };
  for (std::size_t i = 0; i < field.size; ++i) {
    value[i] = static_cast<std::byte>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  return std::nullopt;
}

Wrong ReadText(const Field& field, const Node& node, std::span<std::byte> value) {
  if (node.kind != Node::Kind::kText || node.text.size() > field.size ||
      node.text.find('\0') != std::string::npos || !IsUtf8(node.text)) {
    return Expected(fmt::format("text of at most {} bytes, without NUL", field.size), node);
  }
  std::fill(value.begin(), value.end(), std::byte{0});
  std::memcpy(value.data(), node.text.data(), node.text.size());
  return std::nullopt;
}

// Text in the form that ParseX takes, or an integer of nanoseconds.
template <class Parse>
Wrong ReadNanoseconds(const Node& node, std::string_view what, Parse parse,
                      std::span<std::byte> value) {
  if (node.kind == Node::Kind::kInteger) {
    Field nanoseconds;
    nanoseconds.type = FieldType::kI64;
    nanoseconds.size = 8;
    return ReadInteger(nanoseconds, node, value);
  }
  const std::optional<std::int64_t> count =
      node.kind == Node::Kind::kText ? parse(node.text) : std::nullopt;
  if (!count) {
    return Expected(what, node);
  }
  StoreNumber(static_cast<std::uint64_t>(*count), value);
  return std::nullopt;
}

Wrong ReadTime(const Node& node, std::span<std::byte> value) {
  const auto parse = [](std::string_view text) -> std::optional<std::int64_t> {
    const std::optional<UnixTime> time = ParseTime(text);
    return time ? std::optional(time->time_since_epoch().count()) : std::nullopt;
  };
  return ReadNanoseconds(node, "a time like \"2023-11-14T22:13:20.5Z\", or nanoseconds since 1970",
                         parse, value);
}

Wrong ReadDuration(const Node& node, std::span<std::byte> value) {
  const auto parse = [](std::string_view text) -> std::optional<std::int64_t> {
    const std::optional<Duration> duration = ParseDuration(text);
    return duration ? std::optional(duration->count()) : std::nullopt;
  };
  return ReadNanoseconds(node, "a duration like \"250ms\" (ns us ms s m h d), or nanoseconds",
                         parse, value);
}

Wrong ReadBool(const Node& node, std::span<std::byte> value) {
  if (node.kind != Node::Kind::kBool) {
    return Expected("true or false", node);
  }
  value[0] = std::byte{node.boolean};
  return std::nullopt;
}

void AppendProtocol(std::uint64_t number, std::string* json) {
  for (const ProtocolName& known : kProtocols) {
    if (static_cast<std::uint64_t>(known.number) == number) {
      return AppendQuoted(known.name, json);
    }
  }
  *json += fmt::format("{}", number);
}

void AppendEnum(const Field& field, std::uint64_t number, std::string* json) {
  const EnumValue* const entry = FindEnumValue(field, static_cast<std::uint8_t>(number));
  if (entry != nullptr) {
    return AppendQuoted(entry->name, json);
  }
  *json += fmt::format("{}", number);
}

void AppendHex(std::span<const std::byte> value, std::string* json) {
  *json += '"';
  for (const std::byte b : value) {
    *json += kHexDigits[std::to_integer<std::size_t>(b >> 4)];
    *json += kHexDigits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
  *json += '"';
}

}  // namespace

void AppendValue(const Field& field, std::span<const std::byte> value, std::string* json) {
  switch (field.type) {
    case FieldType::kU8:
    case FieldType::kU16:
    case FieldType::kU32:
    case FieldType::kU64:
    case FieldType::kPort:
      *json += fmt::format("{}", ValueNumber(value));
      return;
    case FieldType::kI64:
      *json += fmt::format("{}", static_cast<std::int64_t>(ValueNumber(value)));
      return;
    case FieldType::kF64:
      *json += RealText(std::bit_cast<double>(ValueNumber(value)));
      return;
    case FieldType::kBool:
      *json += value[0] == std::byte{0} ? "false" : "true";
      return;
    case FieldType::kIpv4:
      return AppendQuoted(LoadAddress<Ipv4>(value).ToString(), json);
    case FieldType::kIpv6:
      return AppendQuoted(LoadAddress<Ipv6>(value).ToString(), json);
    case FieldType::kIp:
      return AppendQuoted(LoadAddress<Ip>(value).ToString(), json);
    case FieldType::kMac:
      return AppendQuoted(LoadAddress<Mac>(value).ToString(), json);
    case FieldType::kIpProtocol:
      return AppendProtocol(ValueNumber(value), json);
    case FieldType::kTime:
      return AppendQuoted(
          FormatTime(UnixTime(Duration(static_cast<std::int64_t>(ValueNumber(value))))), json);
    case FieldType::kDuration:
      return AppendQuoted(FormatDuration(Duration(static_cast<std::int64_t>(ValueNumber(value)))),
                          json);
    case FieldType::kEnum:
      return AppendEnum(field, ValueNumber(value), json);
    case FieldType::kBytes:
      return AppendHex(value, json);
    case FieldType::kText:
      return AppendQuoted(AsText(value).substr(0, AsText(value).find('\0')), json);
  }
}

std::optional<std::string> ReadValue(const Field& field, const Node& node,
                                     std::span<std::byte> value) {
  switch (field.type) {
    case FieldType::kU8:
    case FieldType::kU16:
    case FieldType::kU32:
    case FieldType::kU64:
    case FieldType::kPort:
    case FieldType::kI64:
      return ReadInteger(field, node, value);
    case FieldType::kF64:
      return ReadReal(node, value);
    case FieldType::kBool:
      return ReadBool(node, value);
    case FieldType::kIpv4:
      return ReadAddress<Ipv4>(node, "an IPv4 address", value);
    case FieldType::kIpv6:
      return ReadAddress<Ipv6>(node, "an IPv6 address", value);
    case FieldType::kIp:
      return ReadAddress<Ip>(node, "an IP address", value);
    case FieldType::kMac:
      return ReadAddress<Mac>(node, "a MAC address", value);
    case FieldType::kIpProtocol:
      return ReadProtocol(field, node, value);
    case FieldType::kTime:
      return ReadTime(node, value);
    case FieldType::kDuration:
      return ReadDuration(node, value);
    case FieldType::kEnum:
      return ReadEnum(field, node, value);
    case FieldType::kBytes:
      return ReadBytes(field, node, value);
    case FieldType::kText:
      return ReadText(field, node, value);
  }
  return "a field of unknown type";
}

}  // namespace mimi::internal
