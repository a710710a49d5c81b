#include "src/driver/syslog/prepare.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/rules/pack_files.h"
#include "src/rules/row_writer.h"

namespace mimi {
namespace internal {

absl::StatusOr<std::shared_ptr<const rules::RuleSet>> LoadLogRules(
    const SyslogDriverOptions& options) {
  absl::StatusOr<std::vector<rules::RuleText>> texts =
      rules::ReadRules(options.rule_files, options.packs, options.pack_directory);
  if (!texts.ok()) {
    return texts.status();
  }
  std::vector<rules::RuleText> all;  // in the order of preference
  for (const LogRuleText& text : options.rule_texts) {
    all.push_back({text.text, text.name});
  }
  std::move(texts->begin(), texts->end(), std::back_inserter(all));
  if (all.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "packs: expected rules: a pack, or a file");
  }
  const std::span<const std::byte> start = options.schema.default_row();
  std::vector<std::byte> row(start.begin(), start.end());
  const auto set = [&](std::string_view name, std::uint64_t number) {
    rules::Value value;
    value.kind = rules::ValueKind::kNumber;
    value.number = number;
    const Field* const field = options.schema.FindField(name);
    if (field != nullptr && !field->key) {
      rules::WriteField(*field, value, row);
    }
  };
  set("source", static_cast<std::uint64_t>(FlowSource::kSyslog));
  set("idle_timeout", static_cast<std::uint64_t>(options.idle_timeout.count()));
  return rules::CompileRules(all, options.schema, std::move(row));
}

absl::StatusOr<SyslogParts> PrepareSyslog(const SyslogDriverOptions& options) {
  if (options.listen.empty() || options.max_line < 480 || options.max_line > (1U << 20)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "syslog: expected something to listen at, and max_line from 480 to 1048576");
  }
  absl::StatusOr<AllowList> allow = AllowList::Parse(options.allow);
  if (!allow.ok()) {
    return allow.status();
  }
  absl::StatusOr<std::shared_ptr<const rules::RuleSet>> rules = LoadLogRules(options);
  if (!rules.ok()) {
    return rules.status();
  }
  return SyslogParts{*std::move(allow), *std::move(rules)};
}

}  // namespace internal

absl::Status CheckSyslogOptions(const SyslogDriverOptions& options) {
  return internal::PrepareSyslog(options).status();
}

}  // namespace mimi
