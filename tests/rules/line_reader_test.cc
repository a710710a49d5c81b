#include "src/rules/line_reader.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "src/rules/reading_json.h"
#include "src/rules/rule_set.h"

namespace mimi::rules {
namespace {

constexpr std::string_view kRules = R"toml(
[pack]
name = "test"
lead = "%BOX-{:u8}-"

[enum.backend]
web1 = "10.0.0.5"
web2 = "10.0.0.6"

[join.session]
within = "10s"
max = 4
fields = ["reply_src", "reply_sport"]

[[rule]]
name = "begin"
match = "100: new {protocol:protocol} {orig_src:ip}/{orig_sport:port} > {orig_dst:ip}/{orig_dport:port}"
op = "put"
take = { join = "session", key = ["orig_src", "orig_sport"] }

[[rule]]
name = "chosen"
match = "101: {orig_src:ip}/{orig_sport:port} served by {reply_src:backend}{?:{reply_sport:port}}"
op = "note"
keep = { join = "session", key = ["orig_src", "orig_sport"] }

[[rule]]
name = "end"
match = "102: end {protocol:protocol} {orig_src:ip}/{orig_sport:port} > {orig_dst:ip}/{orig_dport:port} {reason}"
op = "erase"
abrupt = { of = "reason", unless = ["FIN", "RST"] }

[[rule]]
name = "awkward"
regex = '103: (?P<what>\w+) from (?P<orig_src__ip>[0-9.]+)'
anchor = "103: "
op = { of = "what", ignore = ["nothing"], otherwise = "note" }
)toml";

std::shared_ptr<const RuleSet> Compile(std::string_view text) {
  const RuleText one{std::string(text), "test.toml"};
  auto rules = CompileRules(std::span(&one, 1), FlowSchema());
  REQUIRE_MESSAGE(rules.ok(), std::string(rules.status().message()));
  return *rules;
}

std::string Mistake(std::string_view text) {
  const RuleText one{std::string(text), "test.toml"};
  auto rules = CompileRules(std::span(&one, 1), FlowSchema());
  REQUIRE(!rules.ok());
  return std::string(rules.status().message());
}

// What the reader says of a line: its JSON, or its refusal, or nothing.
std::string Say(LineReader& reader, std::string_view text, int seconds = 0) {
  const Reading reading = reader.Read({.text = text}, MonotonicTime(std::chrono::seconds(seconds)));
  if (reading.kind == Reading::Kind::kUnmatched) {
    return "";
  }
  if (reading.kind == Reading::Kind::kRefused) {
    return std::string(RefusalName(reading.refusal));
  }
  std::string json;
  AppendReadingJson(1, reading, reader, &json);
  return json;
}

TEST_CASE("rules: a put without translation answers itself") {
  LineReader reader(Compile(kRules), 1);
  CHECK(
      Say(reader, "<13>fw %BOX-6-100: new tcp 192.0.2.1/1000 > 192.0.2.9/https") ==
      R"({"line": 1, "pattern": "begin", "op": "put", "protocol": "tcp", "orig_src": "192.0.2.1", )"
      R"("orig_sport": 1000, "orig_dst": "192.0.2.9", "orig_dport": 443, "reply_src": "192.0.2.9", )"
      R"("reply_sport": 443, "reply_dst": "192.0.2.1", "reply_dport": 1000})");
}

TEST_CASE("rules: two kinds of line are joined within their time") {
  LineReader reader(Compile(kRules), 1);
  const std::string_view chosen = "%BOX-6-101: 192.0.2.1/1000 served by web2:8443";
  const std::string_view begin = "%BOX-6-100: new tcp 192.0.2.1/1000 > 192.0.2.9/443";
  Say(reader, chosen, 1);
  CHECK(Say(reader, begin, 5).find(R"("reply_src": "10.0.0.6", "reply_sport": 8443)") !=
        std::string::npos);
  CHECK(Say(reader, begin, 50).find(R"("reply_src": "192.0.2.9", "reply_sport": 443)") !=
        std::string::npos);
}

TEST_CASE("rules: an end says whether the protocol made it") {
  LineReader reader(Compile(kRules), 1);
  CHECK(Say(reader, "%BOX-6-102: end tcp 192.0.2.1/1 > 192.0.2.9/2 FIN").find("abrupt") ==
        std::string::npos);
  CHECK(Say(reader, "%BOX-6-102: end tcp 192.0.2.1/1 > 192.0.2.9/2 idle").find("abrupt") !=
        std::string::npos);
}

TEST_CASE("rules: what cannot be read has a reason, what is not ours has none") {
  LineReader reader(Compile(kRules), 1);
  CHECK(Say(reader, "%BOX-6-100: new tcp 192.0.2.1/1000 > 192.0.2") == "truncated");
  CHECK(Say(reader, "%BOX-6-100: new tcp 192.0.2.1/1000 > host/443") == "bad_address");
  CHECK(Say(reader, "%BOX-6-100: new tcp 192.0.2.1/99999 > 192.0.2.9/443") == "bad_port");
  CHECK(Say(reader, "%BOX-6-100: new what 192.0.2.1/1 > 192.0.2.9/443") == "unknown_word");
  CHECK(Say(reader, "%BOX-6-100: new tcp 192.0.2.1/1 > 2001:db8::1/443") == "mixed_families");
  CHECK(Say(reader, "something else") == "");
  CHECK(Say(reader, "%BOX-6-103: nothing from 192.0.2.1") == "");
}

TEST_CASE("rules: a message inside another message forges nothing") {
  LineReader reader(Compile(kRules), 1);
  CHECK(Say(reader, "%BOX-5-304: page http://x/%BOX-6-100: new tcp 192.0.2.1/1 > 192.0.2.9/2") ==
        "");
  CHECK(Say(reader, "%BOX-5-304: page 100: new tcp 192.0.2.1/1 > 192.0.2.9/2") == "");
}

TEST_CASE("rules: a mistake is shown with its place") {
  const std::string unknown =
      Mistake("[[rule]]\nname = \"a\"\nmatch = \"begins {orig_src:ipp} here\"\nop = \"put\"\n");
  CHECK(unknown ==
        "test.toml:3:27: rule \"a\": unknown type \"ipp\", did you mean \"ip\"?\n"
        "    match = \"begins {orig_src:ipp} here\"\n"
        "                              ^");
  CHECK(
      Mistake("[[rule]]\nname = 'a'\nmatch = 'begins'\nop = 'note'\nmach = 1\n")
          .starts_with("test.toml:5:1: a rule: there is no key \"mach\", did you mean \"match\"?"));
  CHECK(Mistake("[[rule]]\nname = 'a'\nmatch = 'begins'\nop = 'note'\n"
                "keep = { join = 'x', key = ['y'] }\n")
            .find("there is no such [join.") != std::string::npos);
  CHECK(Mistake("[[rule]]\nname = 'a'\nmatch = '''\nbegins\n{\n'''\nop = 'note'\n")
            .starts_with("test.toml:5:1: "));
}

TEST_CASE("rules: without a seed to guess, many lines keep joins bounded") {
  LineReader reader(Compile(kRules), 12345);
  for (int i = 1; i < 1000; ++i) {
    Say(reader, "%BOX-6-101: 192.0.2.1/" + std::to_string(i) + " served by web1");
  }
  CHECK(reader.join_size() == 4);
  CHECK(reader.join_evicted() == 995);
}

}  // namespace
}  // namespace mimi::rules
