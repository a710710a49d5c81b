#ifndef MIMI_SRC_STATE_FIELD_TYPES_H_
#define MIMI_SRC_STATE_FIELD_TYPES_H_

// What every part of this room must know of each FieldType, as one table.
//
// Threads: constants; any.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "mimi/schema.h"

namespace mimi::internal {

struct FieldTypeInfo {
  FieldType type;
  std::string_view name;
  std::uint16_t size;  ///< 0: bytes[N] and text[N], where the schema says N
};

std::span<const FieldTypeInfo> FieldTypes();

/// nullptr for a number, or a name, that is no type.
const FieldTypeInfo* FindFieldType(FieldType type);
const FieldTypeInfo* FindFieldType(std::string_view name);

/// "ipv4", "bytes[16]": a field's type as definitions write it.
std::string FieldTypeText(const Field& field);

/// nullptr when the enum does not list it.
const EnumValue* FindEnumValue(const Field& field, std::uint8_t value);
const EnumValue* FindEnumValue(const Field& field, std::string_view name);

/// Empty when `value` (field.size bytes) can be a value of this field, else what is wrong with it.
std::string_view CheckValue(const Field& field, std::span<const std::byte> value);

/// Appends a field as it stands in schema bytes (FORMAT.md). `with_soft` is off for fingerprints,
/// which leave that flag out.
void AppendField(std::string* out, const Field& field, bool with_soft);

/// At most 63 bytes of [a-z][a-z0-9_]*.
bool IsFieldName(std::string_view name);

inline constexpr std::size_t kMaxNameSize = 63;
inline constexpr std::size_t kMaxVariableSize = 255;  // N of bytes[N] and text[N]

}  // namespace mimi::internal

#endif  // MIMI_SRC_STATE_FIELD_TYPES_H_
