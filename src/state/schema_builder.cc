#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "mimi/schema.h"

#include "src/base/bytes.h"
#include "src/base/hash.h"
#include "src/base/status.h"
#include "src/state/field_types.h"
#include "src/state/schema_check.h"

namespace mimi {

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
  std::string text;
  const auto add = [&](std::string_view path, std::string_view what) {
    text += fmt::format("{}schema.{}{}: {}", text.empty() ? "" : "\n", name_, path, what);
  };
  if (misplaced_) {
    add("", "Default, Enum or Soft before the first field");
  }
  for (const internal::SchemaMistake& mistake : internal::CheckSchema(name_, &fields_)) {
    std::string path;
    if (mistake.field) {
      const Field& field = fields_[*mistake.field];
      path = fmt::format(".{}.{}", field.key ? "key" : "value", field.name);
    }
    add(path, mistake.what);
  }
  if (!text.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "{}", text);
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
