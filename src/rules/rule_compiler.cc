#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/rules/row_writer.h"
#include "src/rules/rule_file.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

using internal::Member;
using internal::Node;

constexpr std::array<std::pair<std::string_view, Action>, 4> kActions = {
    {{"put", Action::kPut},
     {"erase", Action::kErase},
     {"note", Action::kNote},
     {"ignore", Action::kIgnore}}};

std::optional<Action> FindAction(std::string_view name) {
  const auto found =
      std::ranges::find(kActions, name, [](const auto& known) { return known.first; });
  return found == kActions.end() ? std::nullopt : std::optional(found->second);
}

// The longest literal that every line of the program has, if it has `size` bytes; `first`: it
// begins with it.
std::string_view AnchorOf(const Program& program, std::size_t size, bool* first) {
  std::string_view longest;
  *first = false;
  std::size_t sure_from = 0;  // what is before can be jumped over
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (op.code == OpCode::kSplit || op.code == OpCode::kJump) {
      sure_from = std::max<std::size_t>(sure_from, op.target);
    }
    if (op.code != OpCode::kLiteral || i < sure_from || op.size < size) {
      continue;
    }
    if (i == 0) {
      *first = true;
      return program.Text(op);
    }
    if (op.size > longest.size()) {
      longest = program.Text(op);
    }
  }
  return longest;
}

}  // namespace

void RuleFile::ReadRule(const Node& node) {
  Only(node, "a rule",
       {"name", "page", "match", "regex", "anchor", "pairs", "required", "never_last", "inside",
        "op", "abrupt", "set", "keep", "take"});
  Rule rule;
  rule.pack = pack_;
  rule.place = node.place.line;
  if (!Text(node, "name", &rule.name)) {
    return Wrong(node.place, "a rule needs a name");
  }
  if (!(node.Find("regex") != nullptr ? ReadRegex(node, &rule) : ReadMatch(node, &rule)) ||
      !ReadAnchor(node, &rule) || !ReadInside(node, &rule)) {
    return;
  }
  ReadOp(node, &rule);
  rule.take = ReadJoin(node, "take", &rule);
  if (set_->schema.name() == "mimi.flow") {
    PlanFlow(&rule);
  }
  ReadSets(node, &rule);
  rule.keep = ReadJoin(node, "keep", &rule);
  ReadAbrupt(node, &rule);
  PlanRow(node, &rule);
  if (const auto host = rule.variables.Find("host")) {
    rule.host = *host;
  }
  PlanShown(&rule);
  set_->rules.push_back(std::move(rule));
}

std::optional<Program> RuleFile::Template(const Node& text, bool pairs, Rule* rule) {
  Program program;
  const TemplateContext context = {.parts = &parts_, .enums = &enums_, .pairs_allowed = pairs};
  if (const auto mistake = CompileTemplate(text.text, context, &rule->variables, &program)) {
    WrongIn(text, mistake->offset, fmt::format("rule \"{}\": {}", rule->name, mistake->what));
    return std::nullopt;
  }
  return program;
}

bool RuleFile::ReadMatch(const Node& node, Rule* rule) {
  const Node* const match = Get(node, "match", Node::Kind::kText);
  if (match == nullptr) {
    Wrong(node.place, fmt::format("rule \"{}\": needs match (or regex)", rule->name));
    return false;
  }
  std::optional<Program> program = Template(*match, node.Find("pairs") != nullptr, rule);
  if (!program) {
    return false;
  }
  rule->match = *std::move(program);
  return node.Find("pairs") == nullptr || ReadPairs(node, rule);
}

bool RuleFile::ReadRegex(const Node& node, Rule* rule) {
  const Node* const regex = Get(node, "regex", Node::Kind::kText);
  if (regex == nullptr) {
    return false;
  }
  if (node.Find("match") != nullptr || node.Find("pairs") != nullptr) {
    Wrong(regex->place, fmt::format("rule \"{}\": has match or pairs already", rule->name));
    return false;
  }
  absl::StatusOr<std::shared_ptr<const RegexPlan>> plan =
      CompileRegex(regex->text, {.enums = &enums_}, &rule->variables);
  if (!plan.ok()) {
    const std::string what = fmt::format("rule \"{}\": {}", rule->name, Message(plan.status()));
    if (plan.status().code() == absl::StatusCode::kUnimplemented) {
      unavailable_ = Error(plan.status().code(), "{}:{}:{}: {}", source_.name, regex->place.line,
                           regex->place.column, what);
    } else {
      Wrong(regex->place, what);
    }
    return false;
  }
  rule->regex = *std::move(plan);
  return true;
}

bool RuleFile::ReadPairs(const Node& node, Rule* rule) {
  const Node* const pairs = Get(node, "pairs", Node::Kind::kTable);
  if (pairs == nullptr) {
    return false;
  }
  std::vector<std::string> required;
  for (const Node* key : List(node, "required")) {
    required.push_back(key->text);
    if (pairs->Find(key->text) == nullptr) {
      Wrong(key->place, fmt::format("rule \"{}\": pairs has no \"{}\"", rule->name, key->text));
    }
  }
  std::vector<std::string> never_last;
  for (const Node* key : List(node, "never_last")) {
    never_last.push_back(key->text);
  }
  if (pairs->members.size() > kMaxKeys) {
    Wrong(pairs->place, fmt::format("more than {} keys", kMaxKeys));
    return false;
  }
  auto plan = std::make_shared<PairsPlan>();
  for (const Member& member : pairs->members) {
    std::vector<Program> programs;
    for (const Node* text : List(*pairs, member.name)) {
      std::optional<Program> program = Template(*text, false, rule);
      if (!program) {
        return false;
      }
      programs.push_back(*std::move(program));
    }
    plan->Add(member.name, std::move(programs),
              {.required = std::ranges::find(required, member.name) != required.end(),
               .never_last = std::ranges::find(never_last, member.name) != never_last.end()});
  }
  rule->pairs = std::move(plan);
  return true;
}

bool RuleFile::ReadAnchor(const Node& node, Rule* rule) {
  bool first = false;
  if (!rule->match.ops.empty()) {
    rule->anchor = AnchorOf(rule->match, Anchors::kMinSize, &first);
    rule->at_anchor = first;
  }
  if (const Node* const anchor = Get(node, "anchor", Node::Kind::kText)) {
    if (anchor->text.size() < Anchors::kMinSize) {
      Wrong(anchor->place, fmt::format("expected at least {} bytes", Anchors::kMinSize));
      return false;
    }
    rule->at_anchor = first && rule->anchor.starts_with(anchor->text);
    rule->anchor = anchor->text;
  }
  if (rule->anchor.empty()) {
    Wrong(node.place,
          fmt::format("rule \"{}\": needs anchor, {} or more bytes that each of its lines has: "
                      "nothing in the match is such",
                      rule->name, Anchors::kMinSize));
    return false;
  }
  return true;
}

// The slot of a variable that something in the rule gives.
std::optional<std::uint8_t> RuleFile::Slot(const Node& name, Rule* rule) {
  if (name.text == "host") {
    return rule->variables.Add("host");
  }
  const std::optional<std::uint8_t> slot = rule->variables.Find(name.text);
  if (!slot) {
    std::vector<std::string_view> known(rule->variables.names().begin(),
                                        rule->variables.names().end());
    Wrong(name.place, fmt::format("rule \"{}\": nothing gives \"{}\"{}", rule->name, name.text,
                                  DidYouMean(name.text, known)));
  }
  return slot;
}

std::optional<std::uint8_t> RuleFile::NewSlot(const Node& name, std::string_view text, Rule* rule) {
  const std::optional<std::uint8_t> slot = rule->variables.Add(text);
  if (!slot) {
    Wrong(name.place, fmt::format("rule \"{}\": more than {} names", rule->name, kMaxVariables));
  }
  return slot;
}

bool RuleFile::ReadInside(const Node& node, Rule* rule) {
  const Node* const inside = Get(node, "inside", Node::Kind::kTable);
  for (std::size_t i = 0; inside != nullptr && i < inside->members.size(); ++i) {
    Node name;
    name.text = inside->members[i].name;
    name.place = inside->members[i].place;
    const auto slot = Slot(name, rule);
    for (const Node* text : List(*inside, name.text)) {
      std::optional<Program> program = Template(*text, false, rule);
      if (!slot || !program) {
        return false;
      }
      bool first = false;
      std::string needs(AnchorOf(*program, 1, &first));
      rule->inside.push_back({*slot, *std::move(program), std::move(needs)});
    }
  }
  return true;
}

void RuleFile::ReadOp(const Node& node, Rule* rule) {
  const Member* const op = node.Find("op");
  if (op == nullptr) {
    return Wrong(node.place, fmt::format("rule \"{}\": needs op", rule->name));
  }
  if (op->value.kind == Node::Kind::kText) {
    if (const auto action = FindAction(op->value.text)) {
      rule->action.fixed = *action;
      return;
    }
    return Wrong(op->value.place, "op: expected put, erase, note or ignore");
  }
  const Node* const table = Get(node, "op", Node::Kind::kTable);
  if (table == nullptr) {
    return;
  }
  Only(*table, "op",
       {"of", "put", "erase", "note", "ignore", "erase_if", "put_if", "note_if", "otherwise"});
  if (const Node* const of = Get(*table, "of", Node::Kind::kText)) {
    rule->action.slot = Slot(*of, rule).value_or(kNoSlot);
  }
  constexpr std::array<std::pair<std::string_view, Action>, 3> kIf = {
      {{"erase_if", Action::kErase}, {"put_if", Action::kPut}, {"note_if", Action::kNote}}};
  for (const auto& [name, action] : kIf) {
    for (const Node* variable : List(*table, name)) {
      rule->action.by_presence.emplace_back(Slot(*variable, rule).value_or(kNoSlot), action);
    }
  }
  if (rule->action.slot == kNoSlot && rule->action.by_presence.empty()) {
    Wrong(table->place, "op: needs of, put_if or erase_if: the variables that decide");
  }
  for (const auto& [name, action] : kActions) {
    for (const Node* word : List(*table, name)) {
      rule->action.by_text.emplace_back(word->text, action);
    }
  }
  std::string otherwise = "note";
  Text(*table, "otherwise", &otherwise);
  if (const auto action = FindAction(otherwise)) {
    rule->action.fixed = *action;
  } else {
    Wrong(table->place, "op.otherwise: expected put, erase, note or ignore");
  }
}

void RuleFile::ReadAbrupt(const Node& node, Rule* rule) {
  const Member* const member = node.Find("abrupt");
  if (member == nullptr) {
    return;
  }
  AbruptPlan& plan = rule->abrupt;
  if (member->value.kind == Node::Kind::kBool) {
    plan.otherwise = member->value.boolean;
    return;
  }
  const Node* const table = Get(node, "abrupt", Node::Kind::kTable);
  if (table == nullptr) {
    return;
  }
  Only(*table, "abrupt", {"of", "when", "unless"});
  if (const Node* const of = Get(*table, "of", Node::Kind::kText)) {
    plan.slot = Slot(*of, rule).value_or(kNoSlot);
  } else {
    Wrong(table->place, "abrupt: needs of, the variable that decides");
  }
  plan.listed = table->Find("when") != nullptr;
  plan.otherwise = !plan.listed;
  for (const Node* word : List(*table, plan.listed ? "when" : "unless")) {
    plan.words.push_back(word->text);
  }
}

}  // namespace mimi::rules
