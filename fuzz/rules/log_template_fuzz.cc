// A hostile template on a hostile line: the first line of the input is the template, the rest what
// it is tried on, as it is and as key=value.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "fuzz/fuzz.h"
#include "src/rules/pairs.h"
#include "src/rules/template_compiler.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  if (end == std::string_view::npos || end > 512 || size > 4096) {
    return 0;
  }
  mimi::rules::VariableNames names;
  mimi::rules::Program program;
  const auto mistake =
      mimi::rules::CompileTemplate(all.substr(0, end), {.pairs_allowed = true}, &names, &program);
  if (mistake) {
    if (mistake->offset > end) {
      std::abort();
    }
    return 0;
  }
  const std::string_view line = all.substr(end + 1);
  static mimi::rules::Values values;
  values.present = 0;
  const auto result = mimi::rules::MatchProgram(program, line, &values);
  if (result.reached > line.size()) {
    std::abort();
  }
  mimi::rules::PairsPlan plan;
  plan.Add("key", {std::move(program)}, {.required = true, .never_last = true});
  if (plan.Match(line, 0, &values).reached > line.size()) {
    std::abort();
  }
  return 0;
}
