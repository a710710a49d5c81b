#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "mimi/json.h"

#include "src/base/document.h"
#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/state/field_types.h"
#include "src/state/value_text.h"

namespace mimi {
namespace {

using internal::Member;
using internal::Node;
using internal::Problems;

constexpr std::string_view kFile = "row";
constexpr internal::DocumentLimits kLimits = {
    .bytes = kMaxJsonRowSize, .depth = 3, .nodes = 1024, .members = 2 * kMaxFields};
constexpr std::array<std::string_view, 6> kRecordMembers = {"op",       "origin", "term",
                                                            "sequence", "row",    "key"};

void AppendFields(std::span<const Field> fields, std::span<const std::byte> row,
                  std::string* json) {
  char separator = '{';
  for (const Field& field : fields) {
    if (field.offset + std::size_t{field.size} > row.size()) {
      break;
    }
    *json += separator;
    separator = ',';
    *json += fmt::format("\"{}\":", field.name);
    internal::AppendValue(field, row.subspan(field.offset, field.size), json);
  }
  *json += separator == '{' ? "{}" : "}";
}

std::span<const Field> KeyFields(const StateSchema& schema) {
  const auto all = schema.fields();
  const auto end = std::ranges::find(all, false, &Field::key);
  return all.first(static_cast<std::size_t>(end - all.begin()));
}

// Fills `row`, which holds the defaults, from the object's members.
void ReadFields(const StateSchema& schema, std::span<const Field> fields, const Node& object,
                std::span<std::byte> row, Problems* problems) {
  if (object.kind != Node::Kind::kTable) {
    return problems->Add(
        object.place, schema.name(),
        fmt::format("expected an object with the fields, got {}", KindName(object.kind)));
  }
  for (const Field& field : fields) {
    const std::string path = fmt::format("{}.{}", schema.name(), field.name);
    const Member* const member = object.Find(field.name);
    if (member == nullptr) {
      if (field.key) {
        problems->Add(object.place, path, "missing, and part of the key");
      }
      continue;
    }
    if (const auto wrong =
            internal::ReadValue(field, member->value, row.subspan(field.offset, field.size))) {
      problems->Add(member->value.place, path, *wrong);
    }
  }
  for (const Member& member : object.members) {
    if (std::ranges::find(fields, member.name, &Field::name) == fields.end()) {
      std::vector<std::string_view> names;
      for (const Field& field : fields) {
        names.push_back(field.name);
      }
      problems->Add(member.place, schema.name(),
                    fmt::format("no field \"{}\"{}", member.name, DidYouMean(member.name, names)));
    }
  }
}

std::vector<std::byte> DefaultRow(const StateSchema& schema) {
  const auto row = schema.default_row();
  return {row.begin(), row.end()};
}

std::uint64_t ReadCount(const Node& object, std::string_view name, Problems* problems) {
  const Member* const member = object.Find(name);
  if (member == nullptr) {
    return 0;
  }
  if (member->value.kind != Node::Kind::kInteger || member->value.negative) {
    problems->Add(member->value.place, name, "expected an integer of 64 bits without sign");
  }
  return member->value.magnitude;
}

Origin ReadOrigin(const Node& object, Problems* problems) {
  const Member* const member = object.Find("origin");
  if (member == nullptr) {
    return 0;
  }
  const std::string& text = member->value.text;
  Origin origin = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), origin, /*base=*/16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size()) {
    problems->Add(member->value.place, "origin", "expected 16 hexadecimal digits");
  }
  return origin;
}

void CheckRecordMembers(const Node& object, Problems* problems) {
  for (const Member& member : object.members) {
    if (std::ranges::find(kRecordMembers, member.name) == kRecordMembers.end()) {
      problems->Add(member.place, "",
                    fmt::format("unknown member \"{}\"{}", member.name,
                                DidYouMean(member.name, kRecordMembers)));
    }
  }
}

}  // namespace

std::string RowToJson(const StateSchema& schema, std::span<const std::byte> row) {
  std::string json;
  AppendFields(schema.fields(), row, &json);
  return json;
}

absl::StatusOr<std::vector<std::byte>> RowFromJson(const StateSchema& schema,
                                                   std::string_view text) {
  const absl::StatusOr<Node> object = internal::ParseJson(text, kFile, kLimits);
  if (!object.ok()) {
    return object.status();
  }
  Problems problems(kFile);
  std::vector<std::byte> row = DefaultRow(schema);
  ReadFields(schema, schema.fields(), *object, row, &problems);
  if (!problems.empty()) {
    return problems.status();
  }
  return row;
}

std::string RecordToJson(const StateSchema& schema, const RecordView& record) {
  const bool put = record.op == Op::kPut;
  std::string json = fmt::format(R"({{"op":"{}","origin":"{:016x}","term":{},"sequence":{},"{}":)",
                                 put ? "put" : "erase", record.origin, record.version.term,
                                 record.version.sequence, put ? "row" : "key");
  if (put) {
    AppendFields(schema.fields(), record.row, &json);
  } else {
    AppendFields(KeyFields(schema), record.key, &json);
  }
  return json + "}";
}

absl::StatusOr<OwnedRecord> RecordFromJson(const StateSchema& schema, std::string_view text) {
  const absl::StatusOr<Node> object = internal::ParseJson(text, "record", kLimits);
  if (!object.ok()) {
    return object.status();
  }
  Problems problems("record");
  CheckRecordMembers(*object, &problems);
  OwnedRecord record;
  const Member* const op = object->Find("op");
  if (op == nullptr || (op->value.text != "put" && op->value.text != "erase")) {
    problems.Add(object->place, "op", "expected \"put\" or \"erase\"");
    return problems.status();
  }
  const bool put = op->value.text == "put";
  const Member* const body = object->Find(put ? "row" : "key");
  if (body == nullptr || object->Find(put ? "key" : "row") != nullptr) {
    problems.Add(
        object->place, "",
        put ? "a put has a \"row\" and no \"key\"" : "an erase has a \"key\" and no \"row\"");
    return problems.status();
  }
  record.op = put ? Op::kPut : Op::kErase;
  record.origin = ReadOrigin(*object, &problems);
  record.version = {ReadCount(*object, "term", &problems),
                    ReadCount(*object, "sequence", &problems)};
  record.bytes = DefaultRow(schema);
  record.bytes.resize(put ? schema.row_size() : schema.key_size());
  ReadFields(schema, put ? schema.fields() : KeyFields(schema), body->value, record.bytes,
             &problems);
  if (!problems.empty()) {
    return problems.status();
  }
  return record;
}

std::string StateSchema::ToJson() const {
  std::string id = name();
  std::ranges::replace(id, '.', '_');
  std::string json =
      fmt::format(R"({{"schema":{{"{}":{{"name":"{}","version":{})", id, name(), version());
  const auto append = [&](std::string_view part, std::span<const Field> some) {
    json += fmt::format(",\"{}\":[", part);
    for (const Field& field : some) {
      json += fmt::format(R"({}{{"name":"{}","type":"{}")", json.back() == '[' ? "" : ",",
                          field.name, internal::FieldTypeText(field));
      if (!field.values.empty()) {
        json += ",\"values\":";
        char separator = '{';
        for (const EnumValue& entry : field.values) {
          json += fmt::format("{}\"{}\":{}", separator, entry.name, entry.value);
          separator = ',';
        }
        json += '}';
      }
      const bool zeros =
          std::ranges::all_of(field.default_value, [](std::byte b) { return b == std::byte{0}; });
      if (!field.key && !zeros) {
        json += ",\"default\":";
        internal::AppendValue(field, field.default_value, &json);
      }
      json += field.soft ? ",\"soft\":true}" : "}";
    }
    json += ']';
  };
  const auto key = KeyFields(*this);
  append("key", key);
  append("value", fields().subspan(key.size()));
  return json + "}}}";
}

}  // namespace mimi
