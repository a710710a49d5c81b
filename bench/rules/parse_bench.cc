// What a log line costs with every shipped pack loaded: header, search for literals, match, joins,
// row.
//
// parse.<pack>_ns: per line, over those of the pack's samples that put or erase, again and again.
// parse.other_ns: a line that no rule knows. Nothing may be allocated per line.

#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mimi/flow.h"

#include "bench/bench.h"
#include "src/driver/syslog/log_line.h"
#include "src/rules/line_reader.h"
#include "src/rules/pack_files.h"

namespace mimi::bench {
namespace {

constexpr std::string_view kPacks[] = {"cisco-asa", "juniper-srx", "iptables",
                                       "conntrack", "pfsense",     "fortinet",
                                       "paloalto",  "mikrotik",    "netscaler"};

std::unique_ptr<rules::LineReader> MakeReader() {
  std::vector<rules::RuleText> texts;
  for (const std::string_view pack : kPacks) {
    texts.push_back(*rules::ReadPackFile(std::string(pack), MIMI_BENCH_PACKS));
  }
  return std::make_unique<rules::LineReader>(*rules::CompileRules(texts, FlowSchema()), 1);
}

rules::Reading ReadLine(rules::LineReader& reader, std::string_view line) {
  return reader.Read(internal::LogLineOf(line, ParseSyslogHeader(line)), MonotonicTime{});
}

std::vector<std::string> LinesOf(std::string_view pack, rules::LineReader& reader) {
  std::ifstream file(std::string(MIMI_BENCH_PACKS) + "/samples/" + std::string(pack) + ".log");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    const rules::Reading reading = ReadLine(reader, line);
    if (reading.kind == rules::Reading::Kind::kMatched && reading.action != rules::Action::kNote) {
      lines.push_back(line);
    }
  }
  return lines;
}

void Measure(Bench& bench, const std::string& metric, rules::LineReader& reader,
             const std::vector<std::string>& lines) {
  std::size_t matched = 0;
  for (const std::string& line : lines) {  // joins take their memory
    ReadLine(reader, line);
  }
  bench.Run(metric, "ns", [&] {
    const std::size_t rounds = bench.Scale(1'000'000) / lines.size() + 1;
    const std::uint64_t before = AllocationCount();
    const TimePoint start = Now();
    for (std::size_t i = 0; i < rounds; ++i) {
      for (const std::string& line : lines) {
        matched += ReadLine(reader, line).row.empty() ? 0U : 1U;
      }
    }
    const double ns = NanosecondsSince(start) / static_cast<double>(rounds * lines.size());
    if (AllocationCount() != before) {
      bench.Fail(metric + ": memory was allocated");
    }
    return ns;
  });
  Keep(matched);
}

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  const std::unique_ptr<mimi::rules::LineReader> reader = mimi::bench::MakeReader();
  for (const std::string_view pack : mimi::bench::kPacks) {
    const std::string metric = "parse." + std::string(pack) + "_ns";
    if (bench.Wants(metric)) {
      mimi::bench::Measure(bench, metric, *reader, mimi::bench::LinesOf(pack, *reader));
    }
  }
  mimi::bench::Measure(
      bench, "parse.other_ns", *reader,
      {"<30>Oct 10 10:00:00 host systemd[1]: Started Session 4711 of user root.",
       "<166>%ASA-6-106100: access-list outside_in permitted tcp outside/198.51.100.7(40000) -> "
       "dmz/10.0.0.5(443) hit-cnt 1 first hit [0x0, 0x0]"});
}
