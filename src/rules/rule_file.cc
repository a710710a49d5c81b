#include "src/rules/rule_file.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/rules/scan.h"
#include "src/rules/source_text.h"

namespace mimi::rules {

using internal::KindName;
using internal::Member;
using internal::Node;
using internal::Place;

void RuleFile::Wrong(Place place, std::string_view what) {
  problems_.Add(place, "", WithCaret(source_.text, place, what));
}

void RuleFile::WrongIn(const Node& text, std::size_t offset, std::string_view what) {
  Wrong(PlaceInString(source_.text, text.place, offset), what);
}

const Node* RuleFile::Get(const Node& table, std::string_view key, Node::Kind kind) {
  const Member* const member = table.Find(key);
  if (member == nullptr) {
    return nullptr;
  }
  if (member->value.kind != kind) {
    Node wanted;
    wanted.kind = kind;
    Wrong(member->value.place, fmt::format("{}: expected {}, got {}", key, KindName(wanted.kind),
                                           KindName(member->value.kind)));
    return nullptr;
  }
  return &member->value;
}

bool RuleFile::Text(const Node& table, std::string_view key, std::string* value) {
  const Node* const node = Get(table, key, Node::Kind::kText);
  if (node != nullptr) {
    *value = node->text;
  }
  return node != nullptr;
}

void RuleFile::Flag(const Node& table, std::string_view key, bool* value) {
  if (const Node* const node = Get(table, key, Node::Kind::kBool)) {
    *value = node->boolean;
  }
}

// A list of texts, or one text.
std::vector<const Node*> RuleFile::List(const Node& table, std::string_view key) {
  std::vector<const Node*> texts;
  const Member* const member = table.Find(key);
  if (member == nullptr) {
    return texts;
  }
  if (member->value.kind == Node::Kind::kText) {
    return {&member->value};
  }
  const Node* const list = Get(table, key, Node::Kind::kList);
  for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
    if (list->items[i].kind != Node::Kind::kText) {
      Wrong(list->items[i].place, fmt::format("{}: expected text", key));
    } else {
      texts.push_back(&list->items[i]);
    }
  }
  return texts;
}

void RuleFile::Only(const Node& table, std::string_view what,
                    std::initializer_list<std::string_view> keys) {
  for (const Member& member : table.members) {
    if (std::ranges::find(keys, member.name) == keys.end()) {
      const std::vector<std::string_view> known(keys);
      Wrong(member.place, fmt::format("{}: there is no key \"{}\"{}", what, member.name,
                                      DidYouMean(member.name, known)));
    }
  }
}

absl::Status RuleFile::Compile() {
  absl::StatusOr<Node> document = internal::ParseToml(source_.text, source_.name);
  if (!document.ok()) {
    return document.status();
  }
  Only(*document, "a rule file", {"pack", "part", "enum", "join", "rule"});
  pack_ = static_cast<std::uint32_t>(set_->packs.size());
  set_->packs.emplace_back();
  set_->packs.back().facts.name = source_.name;
  if (const Node* const pack = Get(*document, "pack", Node::Kind::kTable)) {
    ReadPack(*pack);
  }
  if (const Node* const parts = Get(*document, "part", Node::Kind::kTable)) {
    for (const Member& part : parts->members) {
      Text(*parts, part.name, &parts_[part.name]);
    }
  }
  if (const Node* const enums = Get(*document, "enum", Node::Kind::kTable)) {
    ReadEnums(*enums);
  }
  if (const Node* const joins = Get(*document, "join", Node::Kind::kTable)) {
    ReadJoins(*joins);
  }
  const Node* const rules = Get(*document, "rule", Node::Kind::kList);
  if (rules == nullptr) {
    if (problems_.empty()) {
      Wrong({1, 1}, "there is no [[rule]]");
    }
    return problems_.status();
  }
  for (const Node& rule : rules->items) {
    if (rule.kind == Node::Kind::kTable) {
      ReadRule(rule);
    } else {
      Wrong(rule.place, "rule: expected a table: [[rule]]");
    }
  }
  return problems_.empty() ? unavailable_ : problems_.status();
}

void RuleFile::ReadPack(const Node& pack) {
  Only(pack, "pack",
       {"name", "title", "table", "begins", "ends", "complete", "limits", "lead", "programs"});
  Pack& made = set_->packs.back();
  PackFacts& facts = made.facts;
  Text(pack, "name", &facts.name);
  Text(pack, "title", &facts.title);
  Text(pack, "limits", &facts.limits);
  Flag(pack, "begins", &facts.begins);
  Flag(pack, "ends", &facts.ends);
  Flag(pack, "complete", &facts.complete);
  std::string table = set_->schema.name();
  if (Text(pack, "table", &table) && table != set_->schema.name()) {
    Wrong(pack.Find("table")->value.place,
          fmt::format("these rules are for the table \"{}\", but the rows are of \"{}\"", table,
                      set_->schema.name()));
  }
  for (const Node* program : List(pack, "programs")) {
    made.programs.push_back(program->text);
  }
  const Node* const lead = Get(pack, "lead", Node::Kind::kText);
  if (lead == nullptr) {
    return;
  }
  Program program;
  VariableNames names;
  if (const auto mistake = CompileTemplate(lead->text, {}, &names, &program)) {
    return WrongIn(*lead, mistake->offset, "lead: " + mistake->what);
  }
  if (!names.names().empty() || program.ops[0].code != OpCode::kLiteral) {
    return Wrong(lead->place, "lead: expected a template that begins with words, without names");
  }
  made.lead_literal = program.Text(program.ops[0]);
  made.lead = std::move(program);
}

void RuleFile::ReadEnums(const Node& enums) {
  for (const Member& member : enums.members) {
    if (member.value.kind != Node::Kind::kTable) {
      Wrong(member.value.place, fmt::format("enum.{}: expected a table of words", member.name));
      continue;
    }
    EnumTable& table = enums_[member.name];
    for (const Member& word : member.value.members) {
      EnumEntry entry;
      if (ReadEnumWord(word, &entry)) {
        table.entries.push_back(std::move(entry));
      }
    }
    // "TCP Reset-I" must not hide "TCP Reset-Inside".
    std::ranges::stable_sort(table.entries, [](const EnumEntry& a, const EnumEntry& b) {
      return a.word.size() > b.word.size();
    });
  }
}

bool RuleFile::ReadEnumWord(const Member& word, EnumEntry* entry) {
  entry->word = word.name;
  if (word.name.empty()) {
    Wrong(word.place, "an enum's word has at least one character");
    return false;
  }
  if (word.value.kind == Node::Kind::kInteger && !word.value.negative) {
    entry->kind = ValueKind::kNumber;
    entry->number = word.value.magnitude;
    return true;
  }
  if (word.value.kind != Node::Kind::kText) {
    Wrong(word.value.place, "expected text, an address or a whole number");
    return false;
  }
  entry->name = word.value.text;
  if (!entry->name.empty() && ScanIp(entry->name, &entry->ip) == entry->name.size()) {
    entry->kind = ValueKind::kIp;
  }
  return true;
}

void RuleFile::ReadJoins(const Node& joins) {
  for (const Member& member : joins.members) {
    if (member.value.kind != Node::Kind::kTable) {
      Wrong(member.value.place, fmt::format("join.{}: expected a table", member.name));
      continue;
    }
    Only(member.value, "a join", {"within", "max", "fields"});
    JoinDefinition join;
    join.name = member.name;
    std::string within;
    std::uint64_t nanoseconds = 0;
    if (Text(member.value, "within", &within)) {
      if (within.empty() || ScanDuration(within, &nanoseconds) != within.size() ||
          nanoseconds > 365 * 86400 * std::uint64_t{1000000000}) {
        Wrong(member.value.Find("within")->value.place, "expected a duration, such as \"30s\"");
      }
      join.within = Duration(static_cast<std::int64_t>(nanoseconds));
    }
    if (const Node* const max = Get(member.value, "max", Node::Kind::kInteger)) {
      if (max->negative || max->magnitude == 0 || max->magnitude > (1U << 24)) {
        Wrong(max->place, "expected 1 to 16777216 lines");
      } else {
        join.max = max->magnitude;
      }
    }
    for (const Node* field : List(member.value, "fields")) {
      join.fields.push_back(field->text);
    }
    if (join.fields.empty() || join.fields.size() > kMaxJoinFields) {
      Wrong(member.place,
            fmt::format("join.{}.fields: expected 1 to {} names", member.name, kMaxJoinFields));
    }
    joins_[member.name] = static_cast<std::uint32_t>(set_->joins.size());
    set_->joins.push_back(std::move(join));
  }
}

absl::StatusOr<std::shared_ptr<const RuleSet>> CompileRules(std::span<const RuleText> texts,
                                                            const StateSchema& schema,
                                                            std::vector<std::byte> first_row) {
  if (first_row.empty()) {
    first_row.assign(schema.default_row().begin(), schema.default_row().end());
  }
  auto set = std::make_shared<RuleSet>(schema, std::move(first_row));
  for (const RuleText& text : texts) {
    if (const absl::Status compiled = RuleFile(text, set.get()).Compile(); !compiled.ok()) {
      return compiled;
    }
  }
  for (std::size_t i = 0; i < set->rules.size(); ++i) {
    set->anchors.Add(set->rules[i].anchor, static_cast<std::uint32_t>(i));
  }
  set->anchors.Build();
  return set;
}

}  // namespace mimi::rules
