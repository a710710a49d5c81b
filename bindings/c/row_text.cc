// Fields as people write them.

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "mimi/types.h"

#include "bindings/c/row.h"
#include "bindings/c/wall.h"
#include "src/base/bytes.h"
#include "src/base/duration.h"
#include "src/state/row.h"

namespace mimi::c {
namespace {

struct ProtocolName {
  std::uint8_t number;
  std::string_view name;
};
constexpr ProtocolName kProtocols[] = {
    {1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmpv6"}, {132, "sctp"}};

template <class T>
std::string AddressText(std::span<const std::byte> value) {
  T address;
  std::memcpy(address.octets.data(), value.data(), value.size());
  return address.ToString();
}

template <class T>
bool SetAddress(std::string_view text, std::byte* to) {
  const std::optional<T> address = T::Parse(text);
  if (address.has_value()) {
    std::memcpy(to, address->octets.data(), address->octets.size());
  }
  return address.has_value();
}

template <class T>
std::optional<T> Whole(std::string_view text, int base = 10) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return failed == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                   : std::nullopt;
}

std::optional<std::uint64_t> NumberOf(const Field& field, std::string_view text) {
  if (field.type == FieldType::kBool && (text == "true" || text == "false")) {
    return text == "true" ? 1 : 0;
  }
  if (field.type == FieldType::kEnum) {
    const auto known = std::ranges::find(field.values, text, &EnumValue::name);
    return known == field.values.end() ? std::nullopt : std::optional<std::uint64_t>(known->value);
  }
  if (field.type == FieldType::kIpProtocol) {
    const auto* known = std::ranges::find(kProtocols, text, &ProtocolName::name);
    if (known != std::end(kProtocols)) {
      return known->number;
    }
  }
  return Whole<std::uint64_t>(text);
}

std::string NumberText(const Field& field, std::uint64_t number) {
  if (field.type == FieldType::kBool && number <= 1) {
    return number == 1 ? "true" : "false";
  }
  if (field.type == FieldType::kEnum) {
    const auto known = std::ranges::find(field.values, number, &EnumValue::value);
    return known == field.values.end() ? std::to_string(number) : known->name;
  }
  if (field.type == FieldType::kIpProtocol) {
    const auto* known = std::ranges::find(kProtocols, number, &ProtocolName::number);
    return known == std::end(kProtocols) ? std::to_string(number) : std::string(known->name);
  }
  return std::to_string(number);
}

bool SetHex(std::string_view text, std::span<std::byte> to) {
  if (text.size() != 2 * to.size()) {
    return false;
  }
  return std::ranges::all_of(to, [&, at = std::size_t{0}](std::byte& byte) mutable {
    const auto value = Whole<std::uint8_t>(text.substr(std::exchange(at, at + 2), 2), 16);
    byte = static_cast<std::byte>(value.value_or(0));
    return value.has_value();
  });
}

bool SetReal(std::string_view text, std::byte* to) {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  if (whole) {
    StoreLe(to, std::bit_cast<std::uint64_t>(value));
  }
  return whole;
}

template <class T>
bool SetTime(const std::optional<T>& value, std::int64_t ns, std::byte* to) {
  if (value.has_value()) {
    StoreLe(to, static_cast<std::uint64_t>(ns));
  }
  return value.has_value();
}

/// False when `text` is no value of the field's type (numbers apart).
bool SetOther(const Field& field, std::string_view text, std::byte* to) {
  switch (field.type) {
    case FieldType::kIpv4:
      return SetAddress<Ipv4>(text, to);
    case FieldType::kIpv6:
      return SetAddress<Ipv6>(text, to);
    case FieldType::kIp:
      return SetAddress<Ip>(text, to);
    case FieldType::kMac:
      return SetAddress<Mac>(text, to);
    case FieldType::kBytes:
      return SetHex(text, {to, field.size});
    case FieldType::kF64:
      return SetReal(text, to);
    case FieldType::kDuration: {
      const auto value = ParseDuration(text);
      return SetTime(value, value.value_or(Duration()).count(), to);
    }
    case FieldType::kTime: {
      const auto value = ParseTime(text);
      return SetTime(value, value.value_or(UnixTime()).time_since_epoch().count(), to);
    }
    case FieldType::kI64: {
      const auto value = Whole<std::int64_t>(text);
      return SetTime(value, value.value_or(0), to);
    }
    case FieldType::kText: {
      const bool fits = text.size() <= field.size;
      std::memset(to, 0, field.size);
      std::memcpy(to, text.data(), fits ? text.size() : 0);
      return fits;
    }
    default:
      return false;
  }
}

}  // namespace

std::string GetText(const Field& field, std::span<const std::byte> value) {
  const auto ns = [&] {
    return static_cast<std::int64_t>(LoadLe<std::uint64_t>(value.data()));
  };
  switch (field.type) {
    case FieldType::kIpv4:
      return AddressText<Ipv4>(value);
    case FieldType::kIpv6:
      return AddressText<Ipv6>(value);
    case FieldType::kIp:
      return AddressText<Ip>(value);
    case FieldType::kMac:
      return AddressText<Mac>(value);
    case FieldType::kF64:
      return fmt::format("{}", std::bit_cast<double>(LoadLe<std::uint64_t>(value.data())));
    case FieldType::kI64:
      return std::to_string(ns());
    case FieldType::kDuration:
      return FormatDuration(Duration(ns()));
    case FieldType::kTime:
      return FormatTime(UnixTime(Duration(ns())));
    case FieldType::kText:
      return std::string(AsText(value).substr(0, AsText(value).find('\0')));
    case FieldType::kBytes: {
      std::string text;
      for (const std::byte byte : value) {
        fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned>(byte));
      }
      return text;
    }
    default:
      break;
  }
  std::uint64_t number = 0;
  for (std::size_t i = field.size; i-- > 0;) {
    number = number << 8 | static_cast<std::uint64_t>(value[i]);
  }
  return NumberText(field, number);
}

absl::Status SetText(const StateSchema& schema, const Field& field, std::string_view text,
                     std::byte* row) {
  const auto wrong = [&] {
    return Error(absl::StatusCode::kInvalidArgument, "{}.{}: \"{}\" is no {}", schema.name(),
                 field.name, text, FieldTypeName(field.type));
  };
  if (IsUnsigned(field)) {
    const std::optional<std::uint64_t> number = NumberOf(field, text);
    return number.has_value() ? SetNumber(schema, field, *number, row) : wrong();
  }
  std::byte value[kMaxRowSize];
  if (!SetOther(field, text, value)) {
    return wrong();
  }
  std::memcpy(row + field.offset, value, field.size);
  return absl::OkStatus();
}

}  // namespace mimi::c
