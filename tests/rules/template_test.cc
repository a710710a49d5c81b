#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "src/base/find_byte.h"
#include "src/rules/anchors.h"
#include "src/rules/join_memory.h"
#include "src/rules/pairs.h"
#include "src/rules/program.h"
#include "src/rules/scan.h"
#include "src/rules/template_compiler.h"

namespace mimi::rules {
namespace {

constexpr std::string_view kBuilt =
    "302013: Built {|inbound|outbound} TCP connection {id:u32} for {a_if}:{a:ip}/{a_port:port}"
    "{ }({a_mapped:ip}/{a_mport:port}){?({a_user})} to {b_if}:{b:ip}/{b_port:port}"
    "{ }({b_mapped:ip}/{b_mport:port})";

struct Compiled {
  VariableNames names;
  Program program;
  Values values;
  explicit Compiled(std::string_view text) {
    const auto mistake = CompileTemplate(text, {}, &names, &program);
    REQUIRE_MESSAGE(!mistake, (mistake ? mistake->what : ""));
  }
  const Value& at(std::string_view name) const { return values.at[*names.Find(name)]; }
};

TEST_CASE("template: a line with both families and a blank in an interface name is read") {
  Compiled built(kBuilt);
  const MatchResult result = MatchProgram(
      built.program,
      "302013: Built inbound TCP connection 8 for inside:2001:db8::2/12523(2001:db8::2/12523) to "
      "NP Identity Ifc:10.1.1.1/ssh (10.1.1.9/22)",
      &built.values);
  REQUIRE(result.matched);
  CHECK(built.at("id").number == 8);
  CHECK(built.at("a").ip.ToString() == "2001:db8::2");
  CHECK(built.at("b_if").text == "NP Identity Ifc");
  CHECK(built.at("b_port").number == 22);
  CHECK(built.at("b_mapped").ip.ToString() == "10.1.1.9");
}

TEST_CASE("template: a line that ends too early is truncated, a bad value is named") {
  Compiled built(kBuilt);
  CHECK(MatchProgram(built.program, "302013: Built inbound TCP conn", &built.values).refusal ==
        Refusal::kTruncated);
  Compiled port("port {p:port} is");
  CHECK(MatchProgram(port.program, "port 70000 is", &port.values).refusal == Refusal::kBadPort);
}

TEST_CASE("template: mistakes are found with their place") {
  VariableNames names;
  Program program;
  const auto mistake = CompileTemplate("src {a:ipp} dst", {}, &names, &program);
  REQUIRE(mistake);
  CHECK(mistake->offset == 7);
  CHECK(mistake->what == R"(unknown type "ipp", did you mean "ip"?)");
}

TEST_CASE("pairs: a key that comes twice gives two values") {
  VariableNames names;
  Program first;
  Program second;
  REQUIRE(!CompileTemplate("{a:ip}", {}, &names, &first));
  REQUIRE(!CompileTemplate("{b:ip}", {}, &names, &second));
  PairsPlan plan;
  plan.Add("src", {first, second}, {.required = true});
  Values values;
  CHECK(plan.Match("src=10.0.0.1 [UNREPLIED] src=\"10.0.0.2\" x=y", 0, &values).matched);
  CHECK(values.at[1].ip.ToString() == "10.0.0.2");
  CHECK(plan.Match("src=10.0.0.1 src=10.0.0", 0, &values).refusal == Refusal::kTruncated);
}

// What is read in large pieces must not depend on how much text is behind it.
TEST_CASE("scan: values are the same at every distance from the end of the text") {
  for (std::size_t behind = 0; behind < 24; ++behind) {
    const std::string rest = behind == 0 ? "" : " " + std::string(behind - 1, '7');
    for (const std::string_view number :
         {"0", "65535", "12345678", "123456789", "9999999999999999999", "18446744073709551615"}) {
      std::uint64_t value = 0;
      CHECK(ScanNumber(std::string(number) + rest, UINT64_MAX, &value) == number.size());
      CHECK(std::to_string(value) == number);
      CHECK(ScanNumber("x" + std::string(number) + rest, UINT64_MAX, &value) == 0);
    }
    std::uint64_t value = 0;
    CHECK(ScanNumber("18446744073709551616" + rest, UINT64_MAX, &value) == 0);
    CHECK(ScanNumber("65536" + rest, 65535, &value) == 0);
    for (const std::string_view address : {"1.2.3.4", "255.255.255.255", "10.0.200.99"}) {
      Ip ip;
      CHECK(ScanIpv4(std::string(address) + rest, &ip) == address.size());
      CHECK(ip.ToString() == address);
      CHECK(ScanIpv4(std::string(address) + ".5" + rest, &ip) == 0);
    }
    for (const std::string_view wrong : {"1.2.3", "1.2.3.256", "1.2.3.1000", "1..2.3", ".1.2.3"}) {
      Ip ip;
      CHECK(ScanIpv4(std::string(wrong) + rest, &ip) == 0);
    }
  }
}

TEST_CASE("find byte: the first of several, wherever it is") {
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t at = 0; at <= size; ++at) {
      std::string text(size, '<');  // one less than = and one more than ;
      if (at < size) {
        text[at] = at % 2 == 0 ? '=' : ' ';
        text.back() = '=';
      }
      for (std::size_t from = 0; from <= size; ++from) {
        CHECK(FindByte<'=', ' '>(text, from) == std::min(size, text.find_first_of("= ", from)));
      }
    }
  }
}

TEST_CASE("anchors: all literals of a text are found in order") {
  Anchors anchors;
  anchors.Add("302013: ", 1);
  anchors.Add("302013: Built", 2);
  anchors.Add("RT_FLOW", 3);
  anchors.Build();
  Anchors::Cursor cursor;
  Anchors::Hit hit;
  const std::string_view text = "<166>%ASA-6-302013: Built x RT_FLOW";
  std::string seen;
  while (anchors.Next(text, &cursor, &hit)) {
    seen += std::to_string(anchors.id(hit.first)) + "@" + std::to_string(hit.at) + " ";
  }
  CHECK(seen == "2@12 1@12 3@28 ");
}

TEST_CASE("joins: memory is bounded, the oldest goes, and time ends it") {
  JoinMemory memory({.name = "x", .within = std::chrono::seconds(5), .max = 4, .fields = {"a"}});
  const auto key = [](std::uint64_t i) {
    JoinKeyHasher hasher(7);
    hasher.Add(1, Value{.kind = ValueKind::kNumber, .number = i, .ip = {}, .text = {}});
    return hasher.key();
  };
  const MonotonicTime start{};
  Values values;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    values.Set(0, Value{.kind = ValueKind::kNumber, .number = i, .ip = {}, .text = {}});
    memory.Keep(key(i), 0, {0}, values, start);
  }
  CHECK(memory.size() == 4);
  CHECK(memory.evicted() == 996);
  CHECK(memory.Find(key(995), start) == nullptr);
  const JoinMemory::Entry* const found = memory.Find(key(998), start);
  REQUIRE(found != nullptr);
  JoinMemory::Restore(*found, 0, 1, &values);
  CHECK(values.at[1].number == 998);
  CHECK(memory.Find(key(998), start + std::chrono::seconds(6)) == nullptr);
  CHECK(memory.Expire(start + std::chrono::seconds(6)) == 4);
  CHECK(memory.size() == 0);
}

}  // namespace
}  // namespace mimi::rules
