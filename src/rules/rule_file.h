#ifndef MIMI_SRC_RULES_RULE_FILE_H_
#define MIMI_SRC_RULES_RULE_FILE_H_

// RuleFile: one rule file while it is compiled into a RuleSet. rule_file.cc reads what its rules
// share, rule_compiler.cc how lines look and what they mean, rule_plan.cc what is made of them.
//
// Threads: one at a time. Lifetime: text and set outlive it.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "src/base/document.h"
#include "src/rules/rule_set.h"

namespace mimi::rules {

class RuleFile {
 public:
  RuleFile(const RuleText& source, RuleSet* set)
      : source_(source), set_(set), problems_(source.name) {}

  /// Adds what the file says to the set. Errors: as CompileRules.
  absl::Status Compile();

 private:
  using Node = internal::Node;
  using Texts = std::map<std::string, std::string, std::less<>>;

  // rule_file.cc: mistakes, and values out of nodes. What is not there stays as it is.
  void Wrong(internal::Place place, std::string_view what);
  void WrongIn(const Node& text, std::size_t offset, std::string_view what);
  const Node* Get(const Node& table, std::string_view key, Node::Kind kind);
  bool Text(const Node& table, std::string_view key, std::string* value);
  void Flag(const Node& table, std::string_view key, bool* value);
  std::vector<const Node*> List(const Node& table, std::string_view key);
  void Only(const Node& table, std::string_view what, std::initializer_list<std::string_view> keys);

  void ReadPack(const Node& pack);
  void ReadEnums(const Node& enums);
  void ReadJoins(const Node& joins);
  bool ReadEnumWord(const internal::Member& word, EnumEntry* entry);

  // rule_compiler.cc
  void ReadRule(const Node& node);
  bool ReadMatch(const Node& node, Rule* rule);
  bool ReadRegex(const Node& node, Rule* rule);
  bool ReadPairs(const Node& node, Rule* rule);
  bool ReadAnchor(const Node& node, Rule* rule);
  std::optional<Program> Template(const Node& text, bool pairs, Rule* rule);
  std::optional<std::uint8_t> Slot(const Node& name, Rule* rule);
  std::optional<std::uint8_t> NewSlot(const Node& name, std::string_view text, Rule* rule);
  bool ReadInside(const Node& node, Rule* rule);
  void ReadOp(const Node& node, Rule* rule);
  void ReadAbrupt(const Node& node, Rule* rule);

  // rule_plan.cc
  void ReadSets(const Node& node, Rule* rule);
  bool ReadSource(const Node& node, std::string_view name, Rule* rule, SetPlan* plan);
  std::optional<JoinUse> ReadJoin(const Node& node, std::string_view key, Rule* rule);
  void PlanRow(const Node& node, Rule* rule);
  void PlanFlow(Rule* rule);
  void PlanShown(Rule* rule);

  const RuleText& source_;
  RuleSet* set_;
  internal::Problems problems_;
  absl::Status unavailable_;  ///< something that this build does not have
  std::uint32_t pack_ = 0;
  Texts parts_;
  std::map<std::string, EnumTable, std::less<>> enums_;
  std::map<std::string, std::uint32_t, std::less<>> joins_;
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_RULE_FILE_H_
