#include "src/state/schema_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/state/field_types.h"
#include "src/state/schema_check.h"
#include "src/state/value_text.h"

namespace mimi {
namespace internal {
namespace {

constexpr std::array<std::string_view, 4> kSchemaMembers = {"name", "version", "key", "value"};
constexpr std::array<std::string_view, 4> kFieldMembers = {"type", "values", "default", "soft"};
constexpr std::array<std::string_view, 5> kListedFieldMembers = {"name", "type", "values",
                                                                 "default", "soft"};

// Reads one definition; every mistake goes to the Problems with its place and path.
class DefinitionReader {
 public:
  DefinitionReader(const Member& definition, Problems* problems)
      : definition_(definition),
        path_(fmt::format("schema.{}", definition.name)),
        problems_(problems) {}

  std::optional<StateSchema> Read() {
    if (definition_.value.kind != Node::Kind::kTable) {
      Refuse(definition_.value.place, path_,
             fmt::format("expected a table, got {}", KindName(definition_.value.kind)));
      return std::nullopt;
    }
    CheckMembers(definition_.value, path_, kSchemaMembers);
    ReadHead();
    ReadFields("key", true);
    ReadFields("value", false);
    if (wrong_) {
      return std::nullopt;
    }
    std::vector<Field> checked = fields_;
    ForgetFixedSizes(&checked);
    const std::vector<SchemaMistake> mistakes = CheckSchema(name_, &checked);
    for (const SchemaMistake& mistake : mistakes) {
      const Source whole{definition_.place, path_};
      const Source& source = mistake.field ? sources_[*mistake.field] : whole;
      Refuse(source.place, source.path, mistake.what);
    }
    return mistakes.empty() ? std::optional(Build()) : std::nullopt;
  }

 private:
  struct Source {
    Place place;
    std::string path;
  };

  void Refuse(Place place, std::string_view path, std::string_view what) {
    wrong_ = true;
    problems_->Add(place, path, what);
  }

  void CheckMembers(const Node& table, std::string_view path,
                    std::span<const std::string_view> known) {
    for (const Member& member : table.members) {
      if (std::ranges::find(known, member.name) == known.end()) {
        Refuse(member.place, path,
               fmt::format("unknown member \"{}\"{}", member.name, DidYouMean(member.name, known)));
      }
    }
  }

  void ReadHead() {
    name_ = definition_.name;
    if (const Member* const name = definition_.value.Find("name")) {
      if (name->value.kind != Node::Kind::kText) {
        Refuse(name->value.place, path_ + ".name", "expected text");
      }
      name_ = name->value.text;
    }
    if (const Member* const version = definition_.value.Find("version")) {
      const Node& node = version->value;
      if (node.kind != Node::Kind::kInteger || node.negative ||
          node.magnitude > std::numeric_limits<std::uint32_t>::max()) {
        Refuse(node.place, path_ + ".version", "expected an integer of 32 bits");
      }
      version_ = static_cast<std::uint32_t>(node.magnitude);
    }
  }

  void ReadFields(std::string_view part, bool key) {
    const Member* const member = definition_.value.Find(part);
    if (member == nullptr) {
      return;  // CheckSchema tells a missing key
    }
    const std::string path = fmt::format("{}.{}", path_, part);
    const Node& node = member->value;
    if (node.kind == Node::Kind::kTable) {
      for (const Member& field : node.members) {
        ReadField(field.name, field.place, field.value, path, key, kFieldMembers);
      }
    } else if (node.kind == Node::Kind::kList) {
      for (const Node& item : node.items) {
        const Member* const name = item.Find("name");
        if (name == nullptr || name->value.kind != Node::Kind::kText) {
          Refuse(item.place, path, "expected tables with name and type");
          continue;
        }
        ReadField(name->value.text, name->value.place, item, path, key, kListedFieldMembers);
      }
    } else {
      Refuse(node.place, path,
             fmt::format("expected a table or a list of fields, got {}", KindName(node.kind)));
    }
  }

  void ReadField(const std::string& name, Place place, const Node& node, std::string_view part,
                 bool key, std::span<const std::string_view> known) {
    const std::string path = fmt::format("{}.{}", part, name);
    Field field;
    field.name = name;
    field.key = key;
    const Node* type = &node;
    if (node.kind == Node::Kind::kTable) {
      CheckMembers(node, path, known);
      const Member* const member = node.Find("type");
      if (member == nullptr) {
        return Refuse(place, path, "needs a type");
      }
      type = &member->value;
    }
    if (!ReadType(*type, path, &field)) {
      return;
    }
    if (const Member* const values = node.Find("values")) {
      ReadValues(values->value, path + ".values", &field);
    }
    if (const Member* const soft = node.Find("soft")) {
      if (soft->value.kind != Node::Kind::kBool) {
        Refuse(soft->value.place, path + ".soft", "expected true or false");
      }
      field.soft = soft->value.boolean;
    }
    if (const Member* const given = node.Find("default")) {
      field.default_value.resize(field.size);
      if (const auto wrong = ReadValue(field, given->value, field.default_value)) {
        Refuse(given->value.place, path + ".default", *wrong);
      }
    }
    fields_.push_back(std::move(field));
    sources_.push_back({place, path});
  }

  // "ipv4", "bytes[16]".
  bool ReadType(const Node& node, const std::string& path, Field* field) {
    if (node.kind != Node::Kind::kText) {
      Refuse(node.place, path, fmt::format("expected a type, got {}", KindName(node.kind)));
      return false;
    }
    const std::string_view text = node.text;
    const std::size_t bracket = std::min(text.find('['), text.size());
    const FieldTypeInfo* const info = FindFieldType(text.substr(0, bracket));
    if (info == nullptr) {
      std::vector<std::string_view> names;
      for (const FieldTypeInfo& known : FieldTypes()) {
        names.push_back(known.name);
      }
      Refuse(
          node.place, path,
          fmt::format("unknown type \"{}\"{}", text, DidYouMean(text.substr(0, bracket), names)));
      return false;
    }
    field->type = info->type;
    field->size = info->size;
    if ((info->size == 0) != (bracket != text.size())) {
      Refuse(node.place, path,
             info->size == 0
                 ? fmt::format("\"{}\" needs a size: \"{}[16]\"", text, info->name)
                 : fmt::format("\"{}\" takes no size, expected \"{}\"", text, info->name));
      return false;
    }
    if (info->size == 0 && !ReadSize(text.substr(bracket), &field->size)) {
      Refuse(node.place, path,
             fmt::format("unknown type \"{}\", expected \"{}[N]\" with N from 1 to {}", text,
                         info->name, kMaxVariableSize));
      return false;
    }
    return true;
  }

  static bool ReadSize(std::string_view brackets, std::uint16_t* size) {
    if (brackets.size() < 3 || brackets.back() != ']') {
      return false;
    }
    const char* const end = brackets.data() + brackets.size() - 1;
    const auto [stop, error] = std::from_chars(brackets.data() + 1, end, *size);
    return error == std::errc() && stop == end && *size >= 1 && *size <= kMaxVariableSize;
  }

  void ReadValues(const Node& node, const std::string& path, Field* field) {
    if (node.kind == Node::Kind::kList) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        AddValue(node.items[i].place, path, node.items[i].text, i, field);
      }
    } else if (node.kind == Node::Kind::kTable) {
      for (const Member& member : node.members) {
        const Node& number = member.value;
        const bool fits = number.kind == Node::Kind::kInteger && !number.negative;
        AddValue(number.place, path, member.name, fits ? number.magnitude : 256, field);
      }
    } else {
      Refuse(node.place, path, "expected a list of names, or a table of names and numbers");
    }
  }

  void AddValue(Place place, const std::string& path, const std::string& name, std::uint64_t number,
                Field* field) {
    if (number > 255) {
      return Refuse(place, path, fmt::format("\"{}\": expected a number from 0 to 255", name));
    }
    field->values.push_back({name, static_cast<std::uint8_t>(number)});
  }

  // Whoever adds a field gives no size where the type has one.
  static void ForgetFixedSizes(std::vector<Field>* fields) {
    for (Field& field : *fields) {
      if (FindFieldType(field.type)->size != 0) {
        field.size = 0;
      }
    }
  }

  StateSchema Build() {
    ForgetFixedSizes(&fields_);
    StateSchema::Builder builder(name_, version_);
    for (Field& field : fields_) {
      if (field.key) {
        builder.Key(field.name, field.type, field.size);
      } else {
        builder.Value(field.name, field.type, field.size).Default(field.default_value);
      }
      if (field.soft) {
        builder.Soft();
      }
      builder.Enum(std::move(field.values));
    }
    return *builder.Build();  // CheckSchema found nothing
  }

  const Member& definition_;
  std::string path_;
  Problems* problems_;
  bool wrong_ = false;
  std::string name_;
  std::uint32_t version_ = 1;
  std::vector<Field> fields_;
  std::vector<Source> sources_;
};

std::vector<StateSchema> ReadSchemas(const Node& root, Problems* problems) {
  std::vector<StateSchema> schemas;
  const Member* const all = root.Find("schema");
  if (all == nullptr) {
    return schemas;
  }
  if (all->value.kind != Node::Kind::kTable) {
    problems->Add(all->value.place, "schema", "expected a table of schemas");
    return schemas;
  }
  for (const Member& definition : all->value.members) {
    std::optional<StateSchema> schema = DefinitionReader(definition, problems).Read();
    if (!schema) {
      continue;
    }
    if (std::ranges::find(schemas, schema->name(), &StateSchema::name) != schemas.end()) {
      problems->Add(definition.place, "schema." + definition.name,
                    fmt::format("a second schema of the table {}", schema->name()));
    }
    schemas.push_back(*std::move(schema));
  }
  return schemas;
}

absl::StatusOr<std::vector<StateSchema>> AllOf(const absl::StatusOr<Node>& root,
                                               std::string_view file) {
  if (!root.ok()) {
    return root.status();
  }
  Problems problems(file);
  std::vector<StateSchema> schemas = ReadSchemas(*root, &problems);
  if (!problems.empty()) {
    return problems.status();
  }
  return schemas;
}

// The one schema of a text that holds nothing else.
absl::StatusOr<StateSchema> OneOf(const absl::StatusOr<Node>& root, std::string_view file) {
  if (!root.ok()) {
    return root.status();
  }
  Problems problems(file);
  for (const Member& member : root->members) {
    if (member.name != "schema") {
      constexpr std::array<std::string_view, 1> kKnown = {"schema"};
      problems.Add(member.place, "",
                   fmt::format("unknown member \"{}\", expected \"schema\"{}", member.name,
                               DidYouMean(member.name, kKnown)));
    }
  }
  std::vector<StateSchema> schemas = ReadSchemas(*root, &problems);
  if (problems.empty() && schemas.size() != 1) {
    problems.Add(root->place, "schema", fmt::format("{} schemas, expected one", schemas.size()));
  }
  if (!problems.empty()) {
    return problems.status();
  }
  return std::move(schemas.front());
}

}  // namespace
}  // namespace internal

absl::StatusOr<std::vector<StateSchema>> SchemasFromToml(std::string_view text,
                                                         std::string_view file) {
  return internal::AllOf(internal::ParseToml(text, file), file);
}

absl::StatusOr<std::vector<StateSchema>> SchemasFromJson(std::string_view text,
                                                         std::string_view file) {
  return internal::AllOf(internal::ParseJson(text, file), file);
}

absl::StatusOr<StateSchema> StateSchema::FromToml(std::string_view text, std::string_view file) {
  return internal::OneOf(internal::ParseToml(text, file), file);
}

absl::StatusOr<StateSchema> StateSchema::FromJson(std::string_view text, std::string_view file) {
  return internal::OneOf(internal::ParseJson(text, file), file);
}

}  // namespace mimi
