#include "src/state/schema_check.h"

#include <algorithm>
#include <bitset>
#include <set>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "src/state/field_types.h"

namespace mimi::internal {
namespace {

// Dotted words, each of which could be a field's name.
bool IsTableName(std::string_view name) {
  if (name.size() > kMaxNameSize) {
    return false;
  }
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!IsFieldName(name.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    name.remove_prefix(dot + 1);
  }
}

class Mistakes {
 public:
  template <class... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    all_.push_back({std::nullopt, fmt::format(format, std::forward<Args>(args)...)});
  }
  template <class... Args>
  void At(std::size_t field, fmt::format_string<Args...> format, Args&&... args) {
    all_.push_back({field, fmt::format(format, std::forward<Args>(args)...)});
  }
  std::vector<SchemaMistake> Take() { return std::move(all_); }

 private:
  std::vector<SchemaMistake> all_;
};

void CheckSize(std::size_t index, Field* field, Mistakes* mistakes) {
  const FieldTypeInfo* const info = FindFieldType(field->type);
  if (info == nullptr) {
    mistakes->At(index, "unknown type {}", static_cast<unsigned>(field->type));
  } else if (info->size == 0) {
    if (field->size < 1 || field->size > kMaxVariableSize) {
      mistakes->At(index, "{} of {} bytes, expected 1 to {}", info->name, field->size,
                   kMaxVariableSize);
    }
  } else if (field->size != 0) {
    mistakes->At(index, "{} takes no size, got {}", info->name, field->size);
  } else {
    field->size = info->size;
  }
  if (field->key && field->type == FieldType::kF64) {
    mistakes->At(index, "f64 cannot be in a key (0.0 and -0.0 are equal, their bytes are not)");
  }
}

// Their order says nothing, so that of the numbers is made the one: two schemas differ only in what
// counts.
void CheckEnum(std::size_t index, Field* field, Mistakes* mistakes) {
  if (field->type != FieldType::kEnum) {
    if (!field->values.empty()) {
      mistakes->At(index, "{} lists values, only an enum does", FieldTypeName(field->type));
    }
    return;
  }
  if (field->values.empty()) {
    mistakes->At(index, "an enum without values");
  }
  std::bitset<256> numbers;
  std::set<std::string_view> names;
  for (const EnumValue& entry : field->values) {
    if (!IsFieldName(entry.name)) {
      mistakes->At(index,
                   "\"{}\" cannot be a value's name (lower case, digits, _; at most {} bytes)",
                   entry.name, kMaxNameSize);
    } else if (!names.insert(entry.name).second) {
      mistakes->At(index, "two values are named \"{}\"", entry.name);
    }
    if (numbers.test(entry.value)) {
      mistakes->At(index, "two values have the number {}", entry.value);
    }
    numbers.set(entry.value);
  }
  std::ranges::stable_sort(field->values, {}, &EnumValue::value);
}

void CheckDefault(std::size_t index, Field* field, Mistakes* mistakes) {
  if (field->key) {
    if (!field->default_value.empty()) {
      mistakes->At(index, "a key field has no default");
    }
    if (field->soft) {
      mistakes->At(index, "a key field cannot be soft");
    }
    field->default_value.assign(field->size, std::byte{0});
    return;
  }
  if (field->default_value.empty()) {
    field->default_value.assign(field->size, std::byte{0});
  } else if (field->default_value.size() != field->size) {
    mistakes->At(index, "a default of {} bytes, expected {}", field->default_value.size(),
                 field->size);
    return;
  }
  const std::string_view wrong = field->size == 0 ? "" : CheckValue(*field, field->default_value);
  if (!wrong.empty()) {
    mistakes->At(index, "the default is {}", wrong);
  }
}

void CheckNames(std::span<const Field> fields, Mistakes* mistakes) {
  std::set<std::string_view> names;
  bool value_seen = false;
  for (std::size_t index = 0; index < fields.size(); ++index) {
    const Field& field = fields[index];
    if (!IsFieldName(field.name)) {
      mistakes->At(index, "not a name (lower case, digits, _; a letter first; at most {} bytes)",
                   kMaxNameSize);
    } else if (!names.insert(field.name).second) {
      mistakes->At(index, "a second field of this name");
    }
    if (field.key && value_seen) {
      mistakes->At(index, "a key field after a value field");
    }
    value_seen = value_seen || !field.key;
  }
}

}  // namespace

std::vector<SchemaMistake> CheckSchema(std::string_view name, std::vector<Field>* fields) {
  Mistakes mistakes;
  if (!IsTableName(name)) {
    mistakes.Add("not a table's name (dotted words of lower case, digits, _; at most {} bytes)",
                 kMaxNameSize);
  }
  if (fields->empty() || !fields->front().key) {
    mistakes.Add("needs at least one key field, before the value fields");
  }
  if (fields->size() > kMaxFields) {
    mistakes.Add("more than {} fields", kMaxFields);
  }
  CheckNames(*fields, &mistakes);
  std::size_t row_size = 0;
  for (std::size_t index = 0; index < fields->size(); ++index) {
    Field& field = (*fields)[index];
    CheckSize(index, &field, &mistakes);
    CheckEnum(index, &field, &mistakes);
    CheckDefault(index, &field, &mistakes);
    field.offset = static_cast<std::uint16_t>(std::min<std::size_t>(row_size, kMaxRowSize));
    row_size += field.size;
  }
  if (row_size > kMaxRowSize) {
    mistakes.Add("a row of {} bytes, at most {} are allowed", row_size, kMaxRowSize);
  }
  return mistakes.Take();
}

}  // namespace mimi::internal
