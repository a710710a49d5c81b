#include "src/rules/row_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "src/base/bytes.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

Refusal WriteNumber(const Field& field, std::uint64_t number, std::byte* at) {
  if (field.size < 8 && number >> (field.size * 8) != 0) {
    return Refusal::kBadNumber;
  }
  switch (field.size) {  // rows are little-endian
    case 1:
      *at = static_cast<std::byte>(number);
      break;
    case 2:
      StoreLe(at, static_cast<std::uint16_t>(number));
      break;
    case 4:
      StoreLe(at, static_cast<std::uint32_t>(number));
      break;
    default:
      StoreLe(at, number);
      break;
  }
  return Refusal::kNone;
}

Refusal WriteAddress(const Field& field, const Value& value, std::byte* at) {
  if (value.kind != ValueKind::kIp) {
    return Refusal::kBadAddress;
  }
  if (field.type == FieldType::kIpv4) {
    if (!value.ip.is_v4()) {
      return Refusal::kBadAddress;
    }
    std::memcpy(at, value.ip.octets.data() + 12, 4);
    return Refusal::kNone;
  }
  if (field.type == FieldType::kIpv6 && value.ip.is_v4()) {
    return Refusal::kBadAddress;
  }
  std::memcpy(at, value.ip.octets.data(), 16);
  return Refusal::kNone;
}

const EnumValue* FindName(const Field& field, std::string_view name) {
  const auto found = std::ranges::find(field.values, name, &EnumValue::name);
  return found == field.values.end() ? nullptr : &*found;
}

Refusal WriteEnum(const Field& field, const Value& value, std::byte* at) {
  if (value.kind == ValueKind::kText) {
    const EnumValue* const found = FindName(field, value.text);
    if (found == nullptr) {
      return Refusal::kUnknownWord;
    }
    *at = static_cast<std::byte>(found->value);
    return Refusal::kNone;
  }
  const bool listed = std::ranges::any_of(
      field.values, [&](const EnumValue& known) { return known.value == value.number; });
  if (value.kind != ValueKind::kNumber || !listed) {
    return Refusal::kUnknownWord;
  }
  *at = static_cast<std::byte>(value.number);
  return Refusal::kNone;
}

}  // namespace

Refusal WriteField(const Field& field, const Value& value, std::span<std::byte> row) {
  std::byte* const at = row.data() + field.offset;
  switch (field.type) {
    case FieldType::kIp:
    case FieldType::kIpv4:
    case FieldType::kIpv6:
      return WriteAddress(field, value, at);
    case FieldType::kEnum:
      return WriteEnum(field, value, at);
    case FieldType::kText: {
      const std::size_t size = std::min<std::size_t>(value.text.size(), field.size);
      std::memset(at, 0, field.size);
      if (size != 0 && std::memchr(value.text.data(), 0, size) == nullptr) {
        std::memcpy(at, value.text.data(), size);
      }
      return Refusal::kNone;
    }
    case FieldType::kBool:
      return value.kind == ValueKind::kNumber && value.number <= 1
                 ? WriteNumber(field, value.number, at)
                 : Refusal::kBadNumber;
    case FieldType::kDuration:
    case FieldType::kTime:
    case FieldType::kI64:
      if (value.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return Refusal::kBadNumber;
      }
      [[fallthrough]];
    case FieldType::kU8:
    case FieldType::kU16:
    case FieldType::kU32:
    case FieldType::kU64:
    case FieldType::kPort:
    case FieldType::kIpProtocol:
      return value.kind == ValueKind::kNumber ? WriteNumber(field, value.number, at)
                                              : Refusal::kBadNumber;
    default:
      return Refusal::kForm;  // f64, mac, bytes: refused when the rule is compiled
  }
}

Value ReadField(const Field& field, std::span<const std::byte> row) {
  const std::byte* const at = row.data() + field.offset;
  Value value;
  switch (field.type) {
    case FieldType::kIp:
    case FieldType::kIpv6:
      value.kind = ValueKind::kIp;
      std::memcpy(value.ip.octets.data(), at, 16);
      break;
    case FieldType::kIpv4: {
      Ipv4 v4;
      std::memcpy(v4.octets.data(), at, 4);
      value.kind = ValueKind::kIp;
      value.ip = Ip(v4);
      break;
    }
    case FieldType::kText:
    case FieldType::kBytes:
    case FieldType::kMac: {
      const std::string_view all(reinterpret_cast<const char*>(at), field.size);
      value.text = all.substr(0, all.find('\0'));
      break;
    }
    default:
      value.kind = ValueKind::kNumber;
      for (std::size_t i = 0; i < field.size; ++i) {
        value.number |= static_cast<std::uint64_t>(at[i]) << (8 * i);
      }
      break;
  }
  return value;
}

bool ConstantFor(const Field& field, std::string_view text, Value* value) {
  value->text = text;
  value->kind = ValueKind::kNumber;
  switch (field.type) {
    case FieldType::kIp:
    case FieldType::kIpv4:
    case FieldType::kIpv6:
      value->kind = ValueKind::kIp;
      return ScanIp(text, &value->ip) == text.size() && !text.empty();
    case FieldType::kPort:
      return ScanPort(text, &value->number) == text.size() && !text.empty();
    case FieldType::kIpProtocol:
      return ScanProtocol(text, &value->number) == text.size() && !text.empty();
    case FieldType::kDuration:
      return ScanDuration(text, &value->number) == text.size() && !text.empty();
    case FieldType::kEnum:
      value->kind = ValueKind::kText;
      if (const EnumValue* const found = FindName(field, text)) {
        value->kind = ValueKind::kNumber;
        value->number = found->value;
        return true;
      }
      return false;
    case FieldType::kText:
      value->kind = ValueKind::kText;
      return text.size() <= field.size;
    default:
      return ScanNumber(text, std::numeric_limits<std::uint64_t>::max(), &value->number) ==
                 text.size() &&
             !text.empty();
  }
}

}  // namespace mimi::rules
