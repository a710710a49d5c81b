#include "src/state/field_types.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/core.h>

#include "src/base/bytes.h"
#include "src/base/utf8.h"

namespace mimi {
namespace internal {
namespace {

constexpr std::array kFieldTypes = {
    FieldTypeInfo{FieldType::kU8, "u8", 1},
    FieldTypeInfo{FieldType::kU16, "u16", 2},
    FieldTypeInfo{FieldType::kU32, "u32", 4},
    FieldTypeInfo{FieldType::kU64, "u64", 8},
    FieldTypeInfo{FieldType::kI64, "i64", 8},
    FieldTypeInfo{FieldType::kF64, "f64", 8},
    FieldTypeInfo{FieldType::kBool, "bool", 1},
    FieldTypeInfo{FieldType::kIpv4, "ipv4", 4},
    FieldTypeInfo{FieldType::kIpv6, "ipv6", 16},
    FieldTypeInfo{FieldType::kIp, "ip", 16},
    FieldTypeInfo{FieldType::kMac, "mac", 6},
    FieldTypeInfo{FieldType::kPort, "port", 2},
    FieldTypeInfo{FieldType::kIpProtocol, "ip_protocol", 1},
    FieldTypeInfo{FieldType::kTime, "time", 8},
    FieldTypeInfo{FieldType::kDuration, "duration", 8},
    FieldTypeInfo{FieldType::kEnum, "enum", 1},
    FieldTypeInfo{FieldType::kBytes, "bytes", 0},
    FieldTypeInfo{FieldType::kText, "text", 0},
};

bool IsPaddedText(std::span<const std::byte> value) {
  const auto end = std::find(value.begin(), value.end(), std::byte{0});
  return std::all_of(end, value.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::string_view TextOf(std::span<const std::byte> value) {
  const std::string_view text = AsText(value);
  return text.substr(0, std::min(text.find('\0'), text.size()));
}

}  // namespace

std::span<const FieldTypeInfo> FieldTypes() {
  return kFieldTypes;
}

const FieldTypeInfo* FindFieldType(FieldType type) {
  const auto* const found = std::ranges::find(kFieldTypes, type, &FieldTypeInfo::type);
  return found == kFieldTypes.end() ? nullptr : found;
}

const FieldTypeInfo* FindFieldType(std::string_view name) {
  const auto* const found = std::ranges::find(kFieldTypes, name, &FieldTypeInfo::name);
  return found == kFieldTypes.end() ? nullptr : found;
}

std::string FieldTypeText(const Field& field) {
  const FieldTypeInfo* const info = FindFieldType(field.type);
  if (info == nullptr) {
    return fmt::format("type {}", static_cast<unsigned>(field.type));
  }
  return info->size == 0 ? fmt::format("{}[{}]", info->name, field.size) : std::string(info->name);
}

const EnumValue* FindEnumValue(const Field& field, std::uint8_t value) {
  const auto found = std::ranges::find(field.values, value, &EnumValue::value);
  return found == field.values.end() ? nullptr : &*found;
}

const EnumValue* FindEnumValue(const Field& field, std::string_view name) {
  const auto found = std::ranges::find(field.values, name, &EnumValue::name);
  return found == field.values.end() ? nullptr : &*found;
}

std::string_view CheckValue(const Field& field, std::span<const std::byte> value) {
  switch (field.type) {
    case FieldType::kBool:
      return value[0] <= std::byte{1} ? "" : "a bool that is neither 0 nor 1";
    case FieldType::kEnum:
      return FindEnumValue(field, std::to_integer<std::uint8_t>(value[0])) != nullptr
                 ? ""
                 : "a value that the enum does not list";
    case FieldType::kText:
      if (!IsPaddedText(value)) {
        return "text that goes on after its first NUL";
      }
      return IsUtf8(TextOf(value)) ? "" : "text that is not UTF-8";
    default:
      return "";
  }
}

void AppendField(std::string* out, const Field& field, bool with_soft) {
  const unsigned flags = (field.key ? 1U : 0U) | (field.soft && with_soft ? 2U : 0U);
  AppendText8(out, field.name);
  AppendLe(out, static_cast<std::uint8_t>(field.type));
  AppendLe(out, static_cast<std::uint8_t>(flags));
  AppendLe(out, field.size);
  if (field.type == FieldType::kEnum) {
    AppendLe(out, static_cast<std::uint16_t>(field.values.size()));
    for (const EnumValue& entry : field.values) {
      AppendLe(out, entry.value);
      AppendText8(out, entry.name);
    }
  }
  if (!field.key) {
    out->append(AsText(field.default_value));
  }
}

bool IsFieldName(std::string_view name) {
  const auto lower = [](char c) {
    return c >= 'a' && c <= 'z';
  };
  return !name.empty() && name.size() <= kMaxNameSize && lower(name[0]) &&
         std::ranges::all_of(
             name, [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_'; });
}

}  // namespace internal

std::string_view FieldTypeName(FieldType type) {
  const internal::FieldTypeInfo* const info = internal::FindFieldType(type);
  return info == nullptr ? "unknown" : info->name;
}

}  // namespace mimi
