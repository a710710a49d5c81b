// What a rule does with what its match found: values that are set, joins, the row.

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/rules/row_writer.h"
#include "src/rules/rule_file.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

using internal::Member;
using internal::Node;

// The name in "{name}"; empty: it is none.
std::string_view NameInBraces(std::string_view text) {
  return text.size() > 2 && text.front() == '{' && text.back() == '}'
             ? text.substr(1, text.size() - 2)
             : std::string_view();
}

}  // namespace

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
    Wrong(table->place,
          fmt::format("rule \"{}\": {}.join: there is no such [join.…]", rule->name, key));
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
  const auto kind =
      std::ranges::find(kMissing, missing, [](const auto& known) { return known.first; });
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
      {"protocol", &slots.protocol},          {"orig_src", &slots.orig_src},
      {"orig_sport", &slots.orig_sport},      {"orig_dst", &slots.orig_dst},
      {"orig_dport", &slots.orig_dport},      {"reply_src", &slots.reply_src},
      {"reply_sport", &slots.reply_sport},    {"reply_dst", &slots.reply_dst},
      {"reply_dport", &slots.reply_dport},    {"icmp_type", &slots.icmp_type},
      {"icmp_code", &slots.icmp_code},        {"icmp_id", &slots.icmp_id},
      {"icmp_reply_id", &slots.icmp_reply_id}};
  for (const auto& [name, slot] : names) {
    *slot = rule->variables.Add(name).value_or(kNoSlot);
    if (*slot == kNoSlot) {
      return Wrong({rule->place, 1}, fmt::format("rule \"{}\": more than {} names, with those of "
                                                 "mimi.flow",
                                                 rule->name, kMaxVariables));
    }
  }
}

void RuleFile::PlanRow(const Node& node, Rule* rule) {
  const bool only_notes =
      (rule->action.fixed == Action::kNote || rule->action.fixed == Action::kIgnore) &&
      std::ranges::all_of(rule->action.by_text,
                          [](const auto& word) {
                            return word.second == Action::kNote || word.second == Action::kIgnore;
                          }) &&
      std::ranges::all_of(rule->action.by_presence,
                          [](const auto& one) { return one.second == Action::kNote; });
  for (const Field& field : set_->schema.fields()) {
    const auto slot = rule->variables.Find(field.name);
    const bool required = field.key && !(rule->flow && field.name == "zone");
    if (!slot) {
      if (required && !only_notes) {
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
    (field.key ? rule->key_fields : rule->value_fields).push_back({*slot, &field, required});
  }
}

// What people look at first comes first: the row's fields, then the rest as it stands in the line.
void RuleFile::PlanShown(Rule* rule) {
  const auto show = [rule](std::uint8_t slot) {
    if (slot == kNoSlot || rule->variables.names()[slot].starts_with("icmp_")) {
      return;  // the ports have them
    }
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
