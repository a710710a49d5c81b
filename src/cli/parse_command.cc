// mimi parse: log rules on lines of a file, to see what they mean before a driver believes them.

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "mimi/flow.h"

#include "src/base/status.h"
#include "src/cli/commands.h"
#include "src/driver/syslog/log_line.h"
#include "src/rules/pack_files.h"
#include "src/rules/reading_json.h"

namespace mimi::cli {
namespace {

struct Counts {
  std::uint64_t lines = 0;
  std::array<std::uint64_t, 4> matched{};  // by action
  std::uint64_t unmatched = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(rules::Refusal::kCount)> refused{};
  std::uint64_t no_partner = 0;  // notes that would be an erase, had their begin been seen
};

std::uint64_t SumOf(const auto& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void Print(const Counts& counts) {
  fmt::print(stderr, "lines: {}\nmatched: {}\n", counts.lines, SumOf(counts.matched));
  for (const rules::Action action :
       {rules::Action::kPut, rules::Action::kErase, rules::Action::kNote}) {
    const std::uint64_t count = counts.matched[static_cast<std::size_t>(action)];
    if (count != 0) {
      fmt::print(stderr, "  {}: {}\n", rules::ActionName(action), count);
    }
  }
  if (counts.no_partner != 0) {
    fmt::print(stderr, "  of these without the line that began it: {}\n", counts.no_partner);
  }
  fmt::print(stderr, "unmatched: {}\nrefused: {}\n", counts.unmatched, SumOf(counts.refused));
  for (std::size_t i = 0; i < counts.refused.size(); ++i) {
    if (counts.refused[i] != 0) {
      fmt::print(stderr, "  {}: {}\n", rules::RefusalName(static_cast<rules::Refusal>(i)),
                 counts.refused[i]);
    }
  }
}

absl::StatusOr<std::shared_ptr<const rules::RuleSet>> Load(const ParseOptions& options) {
  absl::StatusOr<std::vector<rules::RuleText>> texts =
      rules::ReadRules(options.rule_files, options.packs, options.pack_directory);
  if (!texts.ok()) {
    return texts.status();
  }
  if (texts->empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "expected --pack NAME or --rules FILE");
  }
  if (options.schema.empty()) {
    return rules::CompileRules(*texts, FlowSchema());
  }
  absl::StatusOr<rules::RuleText> definition = rules::ReadRuleFile(options.schema);
  if (!definition.ok()) {
    return definition.status();
  }
  absl::StatusOr<StateSchema> schema = StateSchema::FromToml(definition->text, options.schema);
  return schema.ok() ? rules::CompileRules(*texts, *schema) : schema.status();
}

void PrintRefused(std::uint64_t line, const rules::Reading& reading) {
  fmt::print("{{\"line\": {}, \"pattern\": \"{}\", \"refused\": \"{}\"}}\n", line,
             reading.rule->name, rules::RefusalName(reading.refusal));
}

void ParseLine(std::string_view line, bool show_refused, rules::LineReader& reader,
               std::string* json, Counts* counts) {
  ++counts->lines;
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  const SyslogHeader header = ParseSyslogHeader(line);
  // Lines of a file have no time of their arrival: what is joined is joined whenever it came.
  const rules::Reading reading = reader.Read(internal::LogLineOf(line, header), MonotonicTime{});
  switch (reading.kind) {
    case rules::Reading::Kind::kUnmatched:
      ++counts->unmatched;
      return;
    case rules::Reading::Kind::kRefused:
      ++counts->refused[static_cast<std::size_t>(reading.refusal)];
      if (show_refused) {
        PrintRefused(counts->lines, reading);
      }
      return;
    case rules::Reading::Kind::kMatched:
      break;
  }
  ++counts->matched[static_cast<std::size_t>(reading.action)];
  counts->no_partner += reading.refusal == rules::Refusal::kNoPartner ? 1 : 0;
  json->clear();
  rules::AppendReadingJson(counts->lines, reading, reader, json);
  json->push_back('\n');
  std::fwrite(json->data(), 1, json->size(), stdout);
}

}  // namespace

int ParseCommand(const ParseOptions& options) {
  const absl::StatusOr<std::shared_ptr<const rules::RuleSet>> rules = Load(options);
  if (!rules.ok()) {
    fmt::print(stderr, "mimi: {}\n", Message(rules.status()));
    return kUsage;
  }
  std::ifstream file;
  if (!options.file.empty() && options.file != "-") {
    file.open(options.file, std::ios::binary);
    if (!file) {
      fmt::print(stderr, "mimi: {}: {}\n", options.file, std::strerror(errno));
      return kFailed;
    }
  }
  std::istream& input = file.is_open() ? static_cast<std::istream&>(file) : std::cin;
  rules::LineReader reader(*rules, 0);
  Counts counts;
  std::string json;
  for (std::string line; std::getline(input, line);) {
    ParseLine(line, options.refused, reader, &json, &counts);
  }
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "mimi: {}\n", std::strerror(errno));
    return kFailed;
  }
  Print(counts);
  return kDone;
}

}  // namespace mimi::cli
