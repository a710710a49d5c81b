#include "src/rules/reading_json.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "src/base/json_text.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

void AppendNumber(const Field* field, std::uint64_t number, std::string* json) {
  if (field != nullptr && field->type == FieldType::kIpProtocol && number < 256) {
    const std::string_view name = ProtocolName(static_cast<std::uint8_t>(number));
    if (!name.empty()) {
      return internal::AppendQuoted(name, json);
    }
  }
  if (field != nullptr && field->type == FieldType::kEnum) {
    const auto found = std::ranges::find(field->values, number, &EnumValue::value);
    if (found != field->values.end()) {
      return internal::AppendQuoted(found->name, json);
    }
  }
  if (field != nullptr && field->type == FieldType::kDuration) {
    fmt::format_to(std::back_inserter(*json), "{}", static_cast<double>(number) / 1e9);
    return;
  }
  fmt::format_to(std::back_inserter(*json), "{}", number);
}

}  // namespace

std::string_view ActionName(Action action) {
  switch (action) {
    case Action::kPut:
      return "put";
    case Action::kErase:
      return "erase";
    case Action::kNote:
      return "note";
    case Action::kIgnore:
      break;
  }
  return "ignore";
}

void AppendReadingJson(std::uint64_t line, const Reading& reading, const LineReader& reader,
                       std::string* json) {
  const Rule& rule = *reading.rule;
  const StateSchema& schema = reader.rules().schema;
  fmt::format_to(std::back_inserter(*json), "{{\"line\": {}, \"pattern\": ", line);
  internal::AppendQuoted(rule.name, json);
  fmt::format_to(std::back_inserter(*json), ", \"op\": \"{}\"", ActionName(reading.action));
  for (const std::uint8_t slot : rule.shown) {
    if (!reader.values().has(slot)) {
      continue;
    }
    const std::string& name = rule.variables.names()[slot];
    const Value& value = reader.values().at[slot];
    *json += ", ";
    internal::AppendQuoted(name, json);
    *json += ": ";
    switch (value.kind) {
      case ValueKind::kNumber:
        AppendNumber(schema.FindField(name), value.number, json);
        break;
      case ValueKind::kIp:
        internal::AppendQuoted(value.ip.ToString(), json);
        break;
      case ValueKind::kText:
        internal::AppendQuoted(value.text, json);
        break;
    }
  }
  if (reading.action == Action::kErase && reading.abrupt) {
    *json += ", \"abrupt\": true";
  }
  if (reading.refusal != Refusal::kNone) {
    fmt::format_to(std::back_inserter(*json), ", \"without\": \"{}\"",
                   RefusalName(reading.refusal));
  }
  *json += '}';
}

}  // namespace mimi::rules
