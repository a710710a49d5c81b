#ifndef MIMI_INTERNAL_ROW_FIELDS_H_
#define MIMI_INTERNAL_ROW_FIELDS_H_

// FieldOf<T>: which field type a C++ type is, and how its value stands in a
// row. Part of typed.h; the encodings are those of FORMAT.md.

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mimi/schema.h"
#include "mimi/types.h"

namespace mimi {

/// One name of an enum in a row; see EnumNames.
template <class E>
struct EnumName {
  std::string_view name;
  E value;
};

/// The names of an `enum class E : std::uint8_t`, for enums that are fields of
/// rows. All values that a row may hold must be listed.
///
///     template <>
///     struct mimi::EnumNames<LbState> {
///       static constexpr EnumName<LbState> kNames[] = {{"new", LbState::kNew},
///       {"open", LbState::kOpen}};
///     };
template <class E>
struct EnumNames;

namespace internal {

template <class U>
inline void StoreLittle(std::byte* to, U value) {
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof(U); ++i) {
      to[i] = static_cast<std::byte>(value >> (8 * i));
    }
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}

template <class U>
inline U LoadLittle(const std::byte* from) {
  U value{};
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof(U); ++i) {
      value = static_cast<U>(value | static_cast<U>(std::to_integer<U>(from[i]) << (8 * i)));
    }
  } else {
    std::memcpy(&value, from, sizeof value);
  }
  return value;
}

// What all of them have. `Wire` is the unsigned integer that stands in the row.
template <FieldType kFieldType, class Wire>
struct NumberField {
  static constexpr FieldType kType = kFieldType;
  static constexpr std::size_t kSize = sizeof(Wire);
  static constexpr std::size_t kVariableSize = 0;
  static std::vector<EnumValue> Values() { return {}; }
};

template <FieldType kFieldType, std::size_t kBytes, bool kVariable = false>
struct ArrayField {
  static constexpr FieldType kType = kFieldType;
  static constexpr std::size_t kSize = kBytes;
  static constexpr std::size_t kVariableSize = kVariable ? kBytes : 0;
  static std::vector<EnumValue> Values() { return {}; }
};

template <class T>
concept RowUnsigned =
    std::unsigned_integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t> &&
    !std::same_as<T, wchar_t>;

template <class T>
concept RowSigned = std::signed_integral<T> && sizeof(T) == 8;

template <class T>
concept RowAddress =
    std::same_as<T, Ipv4> || std::same_as<T, Ipv6> || std::same_as<T, Ip> || std::same_as<T, Mac>;

template <class T>
concept RowEnum = std::is_enum_v<T> && sizeof(T) == 1 && !std::same_as<T, IpProtocol> &&
                  !std::same_as<T, std::byte>;

template <class T>
inline constexpr bool kNever = false;

template <class T>
struct FieldOf {
  static_assert(kNever<T>,
                "mimi: not a type that a row can hold: use std::uint8_t to "
                "std::uint64_t, std::int64_t, double, "
                "bool, enum class of one byte, or one of mimi/types.h (no "
                "pointers, strings, int, nested structs)");
};

template <RowUnsigned T>
struct FieldOf<T> : NumberField<sizeof(T) == 1   ? FieldType::kU8
                                : sizeof(T) == 2 ? FieldType::kU16
                                : sizeof(T) == 4 ? FieldType::kU32
                                                 : FieldType::kU64,
                                T> {
  static void Store(std::byte* to, T value) { StoreLittle(to, value); }
  static void Load(const std::byte* from, T* value) { *value = LoadLittle<T>(from); }
};

template <RowSigned T>
struct FieldOf<T> : NumberField<FieldType::kI64, std::uint64_t> {
  static void Store(std::byte* to, T value) { StoreLittle(to, static_cast<std::uint64_t>(value)); }
  static void Load(const std::byte* from, T* value) {
    *value = static_cast<T>(LoadLittle<std::uint64_t>(from));
  }
};

template <>
struct FieldOf<double> : NumberField<FieldType::kF64, std::uint64_t> {
  static void Store(std::byte* to, double value) {
    StoreLittle(to, std::bit_cast<std::uint64_t>(value));
  }
  static void Load(const std::byte* from, double* value) {
    *value = std::bit_cast<double>(LoadLittle<std::uint64_t>(from));
  }
};

template <>
struct FieldOf<bool> : NumberField<FieldType::kBool, std::uint8_t> {
  static void Store(std::byte* to, bool value) { *to = static_cast<std::byte>(value ? 1 : 0); }
  static void Load(const std::byte* from, bool* value) { *value = *from != std::byte{0}; }
};

template <RowAddress T>
struct FieldOf<T> : ArrayField<std::same_as<T, Ipv4>   ? FieldType::kIpv4
                               : std::same_as<T, Ipv6> ? FieldType::kIpv6
                               : std::same_as<T, Ip>   ? FieldType::kIp
                                                       : FieldType::kMac,
                               sizeof(T::octets)> {
  static void Store(std::byte* to, const T& value) {
    std::memcpy(to, value.octets.data(), sizeof value.octets);
  }
  static void Load(const std::byte* from, T* value) {
    std::memcpy(value->octets.data(), from, sizeof value->octets);
  }
};

template <>
struct FieldOf<Port> : NumberField<FieldType::kPort, std::uint16_t> {
  static void Store(std::byte* to, Port value) { StoreLittle(to, value.value); }
  static void Load(const std::byte* from, Port* value) {
    value->value = LoadLittle<std::uint16_t>(from);
  }
};

template <>
struct FieldOf<IpProtocol> : NumberField<FieldType::kIpProtocol, std::uint8_t> {
  static void Store(std::byte* to, IpProtocol value) { *to = static_cast<std::byte>(value); }
  static void Load(const std::byte* from, IpProtocol* value) {
    *value = static_cast<IpProtocol>(*from);
  }
};

template <>
struct FieldOf<UnixTime> : NumberField<FieldType::kTime, std::uint64_t> {
  static void Store(std::byte* to, UnixTime value) {
    FieldOf<std::int64_t>::Store(to, value.time_since_epoch().count());
  }
  static void Load(const std::byte* from, UnixTime* value) {
    std::int64_t count;
    FieldOf<std::int64_t>::Load(from, &count);
    *value = UnixTime(Duration(count));
  }
};

template <>
struct FieldOf<Duration> : NumberField<FieldType::kDuration, std::uint64_t> {
  static void Store(std::byte* to, Duration value) {
    FieldOf<std::int64_t>::Store(to, value.count());
  }
  static void Load(const std::byte* from, Duration* value) {
    std::int64_t count;
    FieldOf<std::int64_t>::Load(from, &count);
    *value = Duration(count);
  }
};

template <RowEnum T>
struct FieldOf<T> : NumberField<FieldType::kEnum, std::uint8_t> {
  static void Store(std::byte* to, T value) { *to = static_cast<std::byte>(value); }
  static void Load(const std::byte* from, T* value) { *value = static_cast<T>(*from); }
  static std::vector<EnumValue> Values() {
    static_assert(
        requires { EnumNames<T>::kNames; },
        "mimi: an enum in a row needs its names: specialise mimi::EnumNames");
    std::vector<EnumValue> values;
    for (const EnumName<T>& entry : EnumNames<T>::kNames) {
      values.push_back({std::string(entry.name), static_cast<std::uint8_t>(entry.value)});
    }
    return values;
  }
};

template <std::size_t N>
struct FieldOf<Bytes<N>> : ArrayField<FieldType::kBytes, N, true> {
  static void Store(std::byte* to, const Bytes<N>& value) { std::memcpy(to, value.data(), N); }
  static void Load(const std::byte* from, Bytes<N>* value) { std::memcpy(value->data(), from, N); }
};

template <std::size_t N>
struct FieldOf<Text<N>> : ArrayField<FieldType::kText, N, true> {
  static void Store(std::byte* to, const Text<N>& value) { std::memcpy(to, value.bytes.data(), N); }
  static void Load(const std::byte* from, Text<N>* value) {
    std::memcpy(value->bytes.data(), from, N);
  }
};

}  // namespace internal
}  // namespace mimi

#endif  // MIMI_INTERNAL_ROW_FIELDS_H_
