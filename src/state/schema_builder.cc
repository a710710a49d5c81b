#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "mimi/schema.h"

#include "src/base/bytes.h"
#include "src/base/hash.h"
#include "src/base/status.h"
#include "src/state/field_types.h"

namespace mimi {
namespace {

using internal::kMaxNameSize;

// Dotted words, each of which could be a field's name.
bool IsTableName(std::string_view name) {
  if (name.size() > kMaxNameSize) {
    return false;
  }
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!internal::IsFieldName(name.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    name.remove_prefix(dot + 1);
  }
}

// Collects what is wrong, a line for each, with the path "schema.lb.flow.value.port".
class Mistakes {
 public:
  explicit Mistakes(std::string_view schema) : schema_(schema) {}

  template <class... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    AddLine("", fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void At(const Field& field, fmt::format_string<Args...> format, Args&&... args) {
    AddLine(fmt::format(".{}.{}", field.key ? "key" : "value", field.name),
            fmt::format(format, std::forward<Args>(args)...));
  }
  void AddLine(std::string_view path, std::string_view what) {
    text_ += fmt::format("{}schema.{}{}: {}", text_.empty() ? "" : "\n", schema_, path, what);
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view schema_;
  std::string text_;
};

void CheckSize(Field* field, Mistakes* mistakes) {
  const internal::FieldTypeInfo* const info = internal::FindFieldType(field->type);
  if (info == nullptr) {
    mistakes->At(*field, "unknown type {}", static_cast<unsigned>(field->type));
  } else if (info->size == 0) {
    if (field->size < 1 || field->size > internal::kMaxVariableSize) {
      mistakes->At(*field, "{} of {} bytes, expected 1 to {}", info->name, field->size,
                   internal::kMaxVariableSize);
    }
  } else if (field->size != 0) {
    mistakes->At(*field, "{} takes no size, got {}", info->name, field->size);
  } else {
    field->size = info->size;
  }
  if (field->key && field->type == FieldType::kF64) {
    mistakes->At(*field, "f64 cannot be in a key (0.0 and -0.0 are equal, their bytes are not)");
  }
}

void CheckEnum(const Field& field, Mistakes* mistakes) {
  if (field.type != FieldType::kEnum) {
    if (!field.values.empty()) {
      mistakes->At(field, "{} lists values, only an enum does", FieldTypeName(field.type));
    }
    return;
  }
  if (field.values.empty()) {
    mistakes->At(field, "an enum without values");
  }
  std::bitset<256> numbers;
  std::set<std::string_view> names;
  for (const EnumValue& entry : field.values) {
    if (!internal::IsFieldName(entry.name)) {
      mistakes->At(field,
                   "\"{}\" cannot be a value's name (lower case, digits, _; at most {} bytes)",
                   entry.name, kMaxNameSize);
    } else if (!names.insert(entry.name).second) {
      mistakes->At(field, "two values are named \"{}\"", entry.name);
    }
    if (numbers.test(entry.value)) {
      mistakes->At(field, "two values have the number {}", entry.value);
    }
    numbers.set(entry.value);
  }
}

void CheckDefault(Field* field, Mistakes* mistakes) {
  if (field->key) {
    if (!field->default_value.empty()) {
      mistakes->At(*field, "a key field has no default");
    }
    if (field->soft) {
      mistakes->At(*field, "a key field cannot be soft");
    }
    field->default_value.assign(field->size, std::byte{0});
    return;
  }
  if (field->default_value.empty()) {
    field->default_value.assign(field->size, std::byte{0});
  } else if (field->default_value.size() != field->size) {
    mistakes->At(*field, "a default of {} bytes, expected {}", field->default_value.size(),
                 field->size);
    return;
  }
  const std::string_view wrong =
      field->size == 0 ? "" : internal::CheckValue(*field, field->default_value);
  if (!wrong.empty()) {
    mistakes->At(*field, "the default is {}", wrong);
  }
}

void CheckNames(std::span<const Field> fields, Mistakes* mistakes) {
  std::set<std::string_view> names;
  bool value_seen = false;
  for (const Field& field : fields) {
    if (!internal::IsFieldName(field.name)) {
      mistakes->At(field, "not a name (lower case, digits, _; a letter first; at most {} bytes)",
                   kMaxNameSize);
    } else if (!names.insert(field.name).second) {
      mistakes->At(field, "a second field of this name");
    }
    if (field.key && value_seen) {
      mistakes->At(field, "a key field after a value field");
    }
    value_seen = value_seen || !field.key;
  }
}

}  // namespace

StateSchema::Builder::Builder(std::string_view name, std::uint32_t version)
    : name_(name), version_(version) {
}

StateSchema::Builder& StateSchema::Builder::Add(std::string_view name, FieldType type,
                                                std::size_t size, bool key) {
  // One more than is allowed stays, so that Build() can tell; hostile definitions cost no memory.
  if (fields_.size() <= kMaxFields) {
    Field& field = fields_.emplace_back();
    field.name = name;
    field.type = type;
    field.size = static_cast<std::uint16_t>(std::min<std::size_t>(size, kMaxRowSize));
    field.key = key;
  }
  return *this;
}

StateSchema::Builder& StateSchema::Builder::Key(std::string_view name, FieldType type,
                                                std::size_t size) {
  return Add(name, type, size, true);
}

StateSchema::Builder& StateSchema::Builder::Value(std::string_view name, FieldType type,
                                                  std::size_t size) {
  return Add(name, type, size, false);
}

StateSchema::Builder& StateSchema::Builder::Default(std::span<const std::byte> encoded) {
  if (Field* const field = Last()) {
    field->default_value.assign(encoded.begin(), encoded.end());
  }
  return *this;
}

StateSchema::Builder& StateSchema::Builder::Enum(std::vector<EnumValue> values) {
  if (Field* const field = Last()) {
    field->values = std::move(values);
  }
  return *this;
}

StateSchema::Builder& StateSchema::Builder::Soft() {
  if (Field* const field = Last()) {
    field->soft = true;
  }
  return *this;
}

Field* StateSchema::Builder::Last() {
  if (fields_.empty()) {
    misplaced_ = true;
    return nullptr;
  }
  return &fields_.back();
}

absl::StatusOr<StateSchema> StateSchema::Builder::Build() {
  Mistakes mistakes(name_);
  if (!IsTableName(name_)) {
    mistakes.Add("not a table's name (dotted words of lower case, digits, _; at most {} bytes)",
                 kMaxNameSize);
  }
  if (misplaced_) {
    mistakes.Add("Default, Enum or Soft before the first field");
  }
  if (fields_.empty() || !fields_.front().key) {
    mistakes.Add("needs at least one key field, before the value fields");
  }
  if (fields_.size() > kMaxFields) {
    mistakes.Add("more than {} fields", kMaxFields);
  }
  CheckNames(fields_, &mistakes);
  std::size_t row_size = 0;
  for (Field& field : fields_) {
    CheckSize(&field, &mistakes);
    CheckEnum(field, &mistakes);
    CheckDefault(&field, &mistakes);
    field.offset = static_cast<std::uint16_t>(std::min<std::size_t>(row_size, kMaxRowSize));
    row_size += field.size;
  }
  if (row_size > kMaxRowSize) {
    mistakes.Add("a row of {} bytes, at most {} are allowed", row_size, kMaxRowSize);
  }
  if (!mistakes.text().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "{}", mistakes.text());
  }
  return StateSchema(Describe());
}

std::shared_ptr<const StateSchema::Description> StateSchema::Builder::Describe() {
  auto description = std::make_shared<Description>();
  description->name = std::move(name_);
  description->version = version_;
  description->table = TableIdOf(description->name);
  description->fields = std::move(fields_);

  Fnv1a64 hash;
  std::string bytes;
  AppendText8(&bytes, description->name);
  hash.Add(bytes);
  for (std::size_t i = 0; i < description->fields.size(); ++i) {
    const Field& field = description->fields[i];
    if (!field.key) {
      description->prefixes.push_back(
          {hash.value(), static_cast<std::uint16_t>(description->row_size)});
    }
    bytes.clear();
    internal::AppendField(&bytes, field, /*with_soft=*/false);
    hash.Add(bytes);
    description->row_size += field.size;
    description->key_size += field.key ? field.size : 0U;
    description->default_row.insert(description->default_row.end(), field.default_value.begin(),
                                    field.default_value.end());
  }
  description->prefixes.push_back(
      {hash.value(), static_cast<std::uint16_t>(description->row_size)});
  return description;
}

}  // namespace mimi
