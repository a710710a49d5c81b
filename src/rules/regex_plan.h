#ifndef MIMI_SRC_RULES_REGEX_PLAN_H_
#define MIMI_SRC_RULES_REGEX_PLAN_H_

// RegexPlan: a rule's `regex`, for lines too awkward for a template. By RE2, whose time is linear
// in the line: no pattern and no line can keep it busy.
//
// Threads: constant once compiled; any.

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "src/rules/program.h"
#include "src/rules/template_compiler.h"

namespace mimi::rules {

class RegexPlan {
 public:
  virtual ~RegexPlan() = default;
  /// Anywhere in `text`.
  virtual MatchResult Match(std::string_view text, Values* values) const = 0;
};

/// Named groups become variables. `(?P<src_ip>…)` is text; `(?P<src__ip>…)`, with two underscores,
/// is `src` of type `ip`.
/// Errors: InvalidArgument, Unimplemented (built without RE2).
absl::StatusOr<std::shared_ptr<const RegexPlan>> CompileRegex(std::string_view pattern,
                                                              const TemplateContext& context,
                                                              VariableNames* variables);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_REGEX_PLAN_H_
