// Hostile lines through every shipped pack at once: no line crashes them, and a put is always
// whole.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "mimi/flow.h"

#include "fuzz/fuzz.h"
#include "src/driver/syslog/log_line.h"
#include "src/rules/line_reader.h"
#include "src/rules/pack_files.h"

namespace {

std::unique_ptr<mimi::rules::LineReader> MakeReader() {
  std::vector<mimi::rules::RuleText> texts;
  for (const auto& entry : std::filesystem::directory_iterator(MIMI_FUZZ_PACKS)) {
    if (entry.path().extension() == ".toml") {
      texts.push_back(*mimi::rules::ReadRuleFile(entry.path().string()));
    }
  }
  auto rules = mimi::rules::CompileRules(texts, mimi::FlowSchema());
  if (!rules.ok()) {
    std::abort();
  }
  return std::make_unique<mimi::rules::LineReader>(*rules, 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<mimi::rules::LineReader> reader = MakeReader();
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const mimi::SyslogHeader header = mimi::ParseSyslogHeader(line);
  const mimi::rules::Reading reading =
      reader->Read(mimi::internal::LogLineOf(line, header), mimi::MonotonicTime{});
  if (reading.kind == mimi::rules::Reading::Kind::kMatched &&
      reading.action == mimi::rules::Action::kPut &&
      !mimi::FlowSchema().CheckRow(reading.row).ok()) {
    std::abort();
  }
  return 0;
}
