#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "src/base/document.h"
#include "src/driver/syslog/log_line.h"
#include "src/rules/pack_files.h"
#include "src/rules/reading_json.h"

namespace mimi::rules {
namespace {

const std::string kPacks = MIMI_TEST_PACKS;

constexpr std::string_view kNames[] = {"cisco-asa", "conntrack",   "fortinet",
                                       "iptables",  "juniper-srx", "mikrotik",
                                       "netscaler", "paloalto",    "pfsense"};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.is_open(), path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> Lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.is_open(), path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::shared_ptr<const RuleSet> Load(std::string_view name) {
  absl::StatusOr<RuleText> text = ReadPackFile(std::string(name), kPacks);
  REQUIRE_MESSAGE(text.ok(), std::string(text.status().message()));
  auto rules = CompileRules(std::span(&*text, 1), FlowSchema());
  REQUIRE_MESSAGE(rules.ok(), std::string(rules.status().message()));
  return *rules;
}

// As `mimi parse --refused` prints it; empty: the line means nothing to these rules.
std::string Say(LineReader& reader, std::string_view text, std::size_t number) {
  const Reading reading =
      reader.Read(internal::LogLineOf(text, ParseSyslogHeader(text)), MonotonicTime{});
  std::string json;
  if (reading.kind == Reading::Kind::kRefused) {
    json = "{\"line\": " + std::to_string(number) + ", \"pattern\": \"" + reading.rule->name +
           "\", \"refused\": \"" + std::string(RefusalName(reading.refusal)) + "\"}";
  } else if (reading.kind == Reading::Kind::kMatched) {
    AppendReadingJson(number, reading, reader, &json);
  }
  return json;
}

TEST_CASE("packs: each reads its samples as the JSON beside them says") {
  for (const std::string_view name : kNames) {
    CAPTURE(name);
    LineReader reader(Load(name), 1);
    const std::vector<std::string> lines = Lines(kPacks + "/samples/" + std::string(name) + ".log");
    const std::vector<std::string> wanted =
        Lines(kPacks + "/samples/" + std::string(name) + ".jsonl");
    CHECK(lines.size() >= 40);
    std::size_t at = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string said = Say(reader, lines[i], i + 1);
      if (!said.empty()) {
        CHECK(said == (at < wanted.size() ? wanted[at] : "nothing"));
        ++at;
      }
    }
    CHECK(at == wanted.size());
  }
}

TEST_CASE("packs: all loaded together read each line as the pack alone, or know it better") {
  std::vector<RuleText> texts;
  for (const std::string_view name : kNames) {
    texts.push_back(*ReadPackFile(std::string(name), kPacks));
  }
  auto rules = CompileRules(texts, FlowSchema());
  REQUIRE(rules.ok());
  for (const std::string_view name : kNames) {
    CAPTURE(name);
    LineReader alone(Load(name), 1);
    LineReader together(*rules, 1);
    const std::vector<std::string> lines = Lines(kPacks + "/samples/" + std::string(name) + ".log");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string said = Say(alone, lines[i], i + 1);
      if (said.find("\"op\"") != std::string::npos) {
        CHECK(Say(together, lines[i], i + 1) == said);
      }
    }
  }
}

TEST_CASE("packs: a directory is no rule file") {
  const absl::StatusOr<RuleText> text = ReadRuleFile(kPacks);
  CHECK(text.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(text.status().message()).find(kPacks + ": a directory") == 0);
  CHECK(ReadRuleFile(kPacks + "/no-such.toml").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("packs: those whose vendor logs the end alone never put") {
  for (const std::string_view name : kNames) {
    CAPTURE(name);
    const std::shared_ptr<const RuleSet> rules = Load(name);
    REQUIRE(rules->packs.size() == 1);
    CHECK(!rules->packs[0].facts.title.empty());
    CHECK(!rules->packs[0].facts.limits.empty());
    if (rules->packs[0].facts.begins) {
      continue;
    }
    for (const Rule& rule : rules->rules) {
      CHECK(rule.action.fixed != Action::kPut);
      for (const auto& [word, action] : rule.action.by_text) {
        CHECK(action != Action::kPut);
      }
      for (const auto& [slot, action] : rule.action.by_presence) {
        CHECK(action != Action::kPut);
      }
    }
  }
}

TEST_CASE("packs: each rule names its vendor's page, and has a sample") {
  for (const std::string_view name : kNames) {
    CAPTURE(name);
    const std::string path = kPacks + "/" + std::string(name) + ".toml";
    const auto document = internal::ParseToml(ReadAll(path), path);
    REQUIRE(document.ok());
    const std::string samples = ReadAll(kPacks + "/samples/" + std::string(name) + ".jsonl");
    for (const internal::Node& rule : document->Find("rule")->value.items) {
      const internal::Member* const page = rule.Find("page");
      REQUIRE(page != nullptr);
      CHECK(page->value.text.starts_with("https://"));
      CHECK(samples.find("\"pattern\": \"" + rule.Find("name")->value.text + "\"") !=
            std::string::npos);
    }
  }
}

TEST_CASE("packs: no prefix of a sample makes a row that the whole line does not make") {
  for (const std::string_view name : {"cisco-asa", "juniper-srx", "iptables"}) {
    CAPTURE(name);
    LineReader reader(Load(name), 1);
    for (const std::string& line : Lines(kPacks + "/samples/" + std::string(name) + ".log")) {
      if (line.find("ASA") != std::string::npos && line.find('(') == std::string::npos) {
        continue;  // without its mapped addresses a 302013 ends with a port, cut off or not
      }
      const std::string whole = Say(reader, line, 1);
      for (std::size_t size = 0; size < line.size(); size += 7) {
        const std::string said = Say(reader, line.substr(0, size), 1);
        const std::size_t tuple = said.find("\"orig_src\"");
        const std::size_t end = said.find("\"reply_dst\"");
        if (said.find("\"op\": \"put\"") != std::string::npos && end != std::string::npos) {
          INFO(line.substr(0, size));
          CHECK(whole.find(said.substr(tuple, end - tuple)) != std::string::npos);
        }
      }
    }
  }
}

}  // namespace
}  // namespace mimi::rules
