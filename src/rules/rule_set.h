#ifndef MIMI_SRC_RULES_RULE_SET_H_
#define MIMI_SRC_RULES_RULE_SET_H_

// RuleSet: rule files, compiled together, ready to read lines. The language is in
// docs/log-rules.md.
//
// Threads: constant once compiled; any.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/schema.h"

#include "src/rules/anchors.h"
#include "src/rules/join_memory.h"
#include "src/rules/rule.h"

namespace mimi::rules {

struct RuleText {
  std::string text;  ///< TOML
  std::string name;  ///< what stands before line and column in a message about it
};

struct RuleSet {
  RuleSet(StateSchema made_of, std::vector<std::byte> start)
      : schema(std::move(made_of)), first_row(std::move(start)) {}

  StateSchema schema;
  std::vector<std::byte> first_row;  ///< a row before anything is written into it
  std::vector<Pack> packs;
  std::vector<Rule> rules;  ///< in the order of preference
  std::vector<JoinDefinition> joins;
  Anchors anchors;  ///< ids are indices of `rules`
};

/// `first_row`: what a row is where no rule says otherwise; empty: the schema's default.
/// Errors: InvalidArgument with a line "file:line:column: rule "name": what" for each mistake,
/// below it the line of the file and a caret; Unimplemented (`regex` without RE2).
absl::StatusOr<std::shared_ptr<const RuleSet>> CompileRules(std::span<const RuleText> texts,
                                                            const StateSchema& schema,
                                                            std::vector<std::byte> first_row = {});

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_RULE_SET_H_
