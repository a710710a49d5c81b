#include "src/rules/regex_plan.h"

#include "src/base/status.h"

#if MIMI_HAVE_RE2

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <re2/re2.h>

namespace mimi::rules {
namespace {

constexpr int kMaxGroups = 32;

struct Group {
  Program program;  // of one field
  int group = 0;
};

class Re2Plan final : public RegexPlan {
 public:
  Re2Plan(std::string_view pattern, const RE2::Options& options)
      : regex_(re2::StringPiece(pattern.data(), pattern.size()), options) {}

  absl::Status Prepare(const TemplateContext& context, VariableNames* variables) {
    if (!regex_.ok()) {
      return Error(absl::StatusCode::kInvalidArgument, "{}", regex_.error());
    }
    if (regex_.NumberOfCapturingGroups() > kMaxGroups) {
      return Error(absl::StatusCode::kInvalidArgument, "more than {} groups", kMaxGroups);
    }
    for (const auto& [name, group] : regex_.NamedCapturingGroups()) {
      const std::size_t bar = name.find("__");
      const std::string variable =
          bar == std::string::npos
              ? fmt::format("{{{}}}", name)
              : fmt::format("{{{}:{}}}", name.substr(0, bar), name.substr(bar + 2));
      Group made;
      made.group = group;
      if (const auto mistake = CompileTemplate(variable, context, variables, &made.program)) {
        return Error(absl::StatusCode::kInvalidArgument, "group {}: {}", name, mistake->what);
      }
      groups_.push_back(std::move(made));
    }
    return absl::OkStatus();
  }

  MatchResult Match(std::string_view text, Values* values) const override {
    std::array<re2::StringPiece, kMaxGroups + 1> found;
    MatchResult result;
    result.refusal = result.inside = Refusal::kForm;
    if (!regex_.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::UNANCHORED,
                      found.data(), regex_.NumberOfCapturingGroups() + 1)) {
      return result;
    }
    for (const Group& group : groups_) {
      const re2::StringPiece& piece = found[static_cast<std::size_t>(group.group)];
      if (piece.data() == nullptr || piece.empty()) {
        continue;
      }
      const std::string_view value(piece.data(), piece.size());
      const MatchResult one = MatchProgram(group.program, value, values);
      if (!one.matched || one.reached != value.size()) {
        result.reached = static_cast<std::size_t>(value.data() - text.data());
        result.refusal = result.inside = one.matched ? Refusal::kForm : one.inside;
        return result;
      }
    }
    result.matched = true;
    result.refusal = result.inside = Refusal::kNone;
    result.reached = static_cast<std::size_t>(found[0].data() - text.data()) + found[0].size();
    return result;
  }

 private:
  RE2 regex_;
  std::vector<Group> groups_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const RegexPlan>> CompileRegex(std::string_view pattern,
                                                              const TemplateContext& context,
                                                              VariableNames* variables) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(4 << 20);
  auto plan = std::make_shared<Re2Plan>(pattern, options);
  if (const absl::Status prepared = plan->Prepare(context, variables); !prepared.ok()) {
    return prepared;
  }
  return plan;
}

}  // namespace mimi::rules

#else

namespace mimi::rules {

absl::StatusOr<std::shared_ptr<const RegexPlan>> CompileRegex(std::string_view /*pattern*/,
                                                              const TemplateContext& /*context*/,
                                                              VariableNames* /*variables*/) {
  return Error(absl::StatusCode::kUnimplemented,
               "regex: this build is without RE2 (MIMI_WITH_RE2); write it as match");
}

}  // namespace mimi::rules

#endif
