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
  const auto found = std::ranges::find(kActions, name, [](const auto& known) { return known.first; });
  return found == kActions.end() ? std::nullopt : std::optional(found->second);
}

// The longest literal that every line of the program has; `first`: it begins with it.
std::string_view AnchorOf(const Program& program, bool* first) {
  std::string_view longest;
  *first = false;
  std::size_t sure_from = 0;  // what is before can be jumped over
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (op.code == OpCode::kSplit || op.code == OpCode::kJump) {
      sure_from = std::max<std::size_t>(sure_from, op.target);
    }
    if (op.code != OpCode::kLiteral || i < sure_from || op.size < Anchors::kMinSize) {
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

// The name in "{name}"; empty: it is none.
std::string_view NameInBraces(std::string_view text) {
  return text.size() > 2 && text.front() == '{' && text.back() == '}'
             ? text.substr(1, text.size() - 2)
             : std::string_view();
}

}  // namespace

void RuleFile::ReadRule(const Node& node) {
  Only(node, "a rule",
       {"name", "page", "match", "regex", "anchor", "pairs", "required", "op", "abrupt", "set",
        "keep", "take"});
  Rule rule;
  rule.pack = pack_;
  rule.place = node.place.line;
  if (!Text(node, "name", &rule.name)) {
    return Wrong(node.place, "a rule needs a name");
  }
  if (!(node.Find("regex") != nullptr ? ReadRegex(node, &rule) : ReadMatch(node, &rule)) ||
      !ReadAnchor(node, &rule)) {
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
              std::ranges::find(required, member.name) != required.end());
  }
  rule->pairs = std::move(plan);
  return true;
}

bool RuleFile::ReadAnchor(const Node& node, Rule* rule) {
  bool first = false;
  if (!rule->match.ops.empty()) {
    rule->anchor = AnchorOf(rule->match, &first);
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
    Wrong(name.place,
          fmt::format("rule \"{}\": more than {} names", rule->name, kMaxVariables));
  }
  return slot;
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
  Only(*table, "op", {"of", "put", "erase", "note", "ignore", "otherwise"});
  if (const Node* const of = Get(*table, "of", Node::Kind::kText)) {
    rule->action.slot = Slot(*of, rule).value_or(kNoSlot);
  } else {
    Wrong(table->place, "op: needs of, the variable that decides");
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

void RuleFile::ReadSets(const Node& node, Rule* rule) {
  const Node* const sets = Get(node, "set", Node::Kind::kTable);
  for (std::size_t i = 0; sets != nullptr && i < sets->members.size(); ++i) {
    const Member& member = sets->members[i];
    SetPlan plan;
    const auto slot = NewSlot(member.value, member.name, rule);
    if (!slot) {
      return;
    }
    plan.slot = *slot;
    bool right = true;
    if (member.value.kind == Node::Kind::kList) {
      for (const Node& item : member.value.items) {
        right = right && ReadSource(item, member.name, rule, &plan);
      }
    } else {
      right = ReadSource(member.value, member.name, rule, &plan);
    }
    if (right) {
      rule->sets.push_back(std::move(plan));
    }
  }
}

// "{name}" is a variable, everything else a constant.
bool RuleFile::ReadSource(const Node& node, std::string_view name, Rule* rule, SetPlan* plan) {
  if (plan->has_constant) {
    Wrong(node.place, "what follows a constant is never used");
    return false;
  }
  if (const std::string_view variable = NameInBraces(node.text); !variable.empty()) {
    Node source = node;
    source.text = variable;
    const auto slot = Slot(source, rule);
    if (slot) {
      plan->sources.push_back(*slot);
    }
    return slot.has_value();
  }
  plan->has_constant = true;
  plan->text = node.kind == Node::Kind::kInteger ? fmt::format("{}", node.magnitude) : node.text;
  Value& value = plan->constant;
  const Field* const field = set_->schema.FindField(name);
  if (field != nullptr) {
    if (!ConstantFor(*field, plan->text, &value)) {
      Wrong(node.place, fmt::format("rule \"{}\": {} is {}, which \"{}\" is not", rule->name, name,
                                    FieldTypeName(field->type), plan->text));
      return false;
    }
  } else if (!plan->text.empty() &&
             ScanNumber(plan->text, UINT64_MAX, &value.number) == plan->text.size()) {
    value.kind = ValueKind::kNumber;
  } else if (!plan->text.empty() && ScanIp(plan->text, &value.ip) == plan->text.size()) {
    value.kind = ValueKind::kIp;
  }
  return true;
}

std::optional<JoinUse> RuleFile::ReadJoin(const Node& node, std::string_view key, Rule* rule) {
  const Node* const table = Get(node, key, Node::Kind::kTable);
  if (table == nullptr) {
    return std::nullopt;
  }
  Only(*table, key, {"join", "key", "missing", "forget"});
  JoinUse use;
  const Node* const name = Get(*table, "join", Node::Kind::kText);
  const auto found = name == nullptr ? joins_.end() : joins_.find(name->text);
  if (found == joins_.end()) {
    Wrong(table->place, fmt::format("rule \"{}\": {}.join: there is no such [join.…]", rule->name, key));
    return std::nullopt;
  }
  use.join = found->second;
  for (const Node* variable : List(*table, "key")) {
    use.key.push_back(Slot(*variable, rule).value_or(kNoSlot));
  }
  if (use.key.empty() || std::ranges::find(use.key, kNoSlot) != use.key.end()) {
    Wrong(table->place, fmt::format("rule \"{}\": {}.key: expected names", rule->name, key));
    return std::nullopt;
  }
  for (const std::string& field : set_->joins[use.join].fields) {
    const auto slot = key == "take" ? NewSlot(*table, field, rule) : rule->variables.Find(field);
    use.fields.push_back(slot.value_or(kNoSlot));
  }
  constexpr std::array<std::pair<std::string_view, JoinUse::Missing>, 4> kMissing = {
      {{"go_on", JoinUse::Missing::kGoOn},
       {"refuse", JoinUse::Missing::kRefuse},
       {"note", JoinUse::Missing::kNote},
       {"wait", JoinUse::Missing::kWait}}};
  std::string missing = "go_on";
  Text(*table, "missing", &missing);
  const auto kind = std::ranges::find(kMissing, missing, [](const auto& known) { return known.first; });
  if (kind == kMissing.end()) {
    Wrong(table->place, "missing: expected go_on, refuse, note or wait");
    return std::nullopt;
  }
  use.missing = kind->second;
  Flag(*table, "forget", &use.forget);
  return use;
}

void RuleFile::PlanFlow(Rule* rule) {
  rule->flow = true;
  FlowSlots& slots = rule->slots;
  const std::pair<std::string_view, std::uint8_t*> names[] = {
      {"protocol", &slots.protocol},       {"orig_src", &slots.orig_src},
      {"orig_sport", &slots.orig_sport},   {"orig_dst", &slots.orig_dst},
      {"orig_dport", &slots.orig_dport},   {"reply_src", &slots.reply_src},
      {"reply_sport", &slots.reply_sport}, {"reply_dst", &slots.reply_dst},
      {"reply_dport", &slots.reply_dport}, {"icmp_type", &slots.icmp_type},
      {"icmp_code", &slots.icmp_code},     {"icmp_id", &slots.icmp_id},
      {"icmp_reply_id", &slots.icmp_reply_id}};
  for (const auto& [name, slot] : names) {
    *slot = rule->variables.Add(name).value_or(kNoSlot);
    if (*slot == kNoSlot) {
      return Wrong({rule->place, 1}, fmt::format("rule \"{}\": more than {} names, with those of "
                                                 "mimi.flow", rule->name, kMaxVariables));
    }
  }
}

void RuleFile::PlanRow(const Node& node, Rule* rule) {
  const bool only_notes =
      (rule->action.fixed == Action::kNote || rule->action.fixed == Action::kIgnore) &&
      std::ranges::all_of(rule->action.by_text, [](const auto& word) {
        return word.second == Action::kNote || word.second == Action::kIgnore;
      });
  for (const Field& field : set_->schema.fields()) {
    const auto slot = rule->variables.Find(field.name);
    if (!slot) {
      if (field.key && !only_notes && !(rule->flow && field.name == "zone")) {
        Wrong(node.place, fmt::format("rule \"{}\": nothing gives {}, which is in the key of {}",
                                      rule->name, field.name, set_->schema.name()));
      }
      continue;
    }
    if (field.type == FieldType::kF64 || field.type == FieldType::kMac ||
        field.type == FieldType::kBytes) {
      Wrong(node.place, fmt::format("rule \"{}\": {} is {}, which no log line gives", rule->name,
                                    field.name, FieldTypeName(field.type)));
      continue;
    }
    (field.key ? rule->key_fields : rule->value_fields).push_back({*slot, &field});
  }
}

// What people look at first comes first: the row's fields, then the rest as it stands in the line.
void RuleFile::PlanShown(Rule* rule) {
  const auto show = [rule](std::uint8_t slot) {
    if (std::ranges::find(rule->shown, slot) == rule->shown.end()) {
      rule->shown.push_back(slot);
    }
  };
  if (rule->flow) {
    const FlowSlots& slots = rule->slots;
    for (const std::uint8_t slot :
         {slots.protocol, slots.orig_src, slots.orig_sport, slots.orig_dst, slots.orig_dport,
          slots.reply_src, slots.reply_sport, slots.reply_dst, slots.reply_dport}) {
      show(slot);
    }
  }
  for (const FieldPlan& plan : rule->key_fields) {
    show(plan.slot);
  }
  for (std::size_t i = 0; i < rule->variables.names().size(); ++i) {
    show(static_cast<std::uint8_t>(i));
  }
}

}  // namespace mimi::rules
