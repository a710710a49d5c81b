#include "src/rules/line_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/byte_set.h"
#include "src/rules/flow_values.h"
#include "src/rules/row_writer.h"

namespace mimi::rules {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;
constexpr std::size_t kMaxHeader = 256;

// Whether what stands before a message can be its header. What others can write into a line (names,
// addresses of pages) begins later, behind words that no header has.
constexpr ByteSet kNoHeader("\"=");

bool LooksLikeHeader(std::string_view before) {
  return before.size() <= kMaxHeader && kNoHeader.FindIn(before) == before.size() &&
         before.find("://") == kNowhere;
}

bool Listed(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

LineReader::LineReader(std::shared_ptr<const RuleSet> rules, std::uint64_t seed)
    : rules_(std::move(rules)),
      seed_(seed),
      tried_(rules_->rules.size()),
      leads_(rules_->packs.size()),
      row_(rules_->schema.row_size()) {
  joins_.reserve(rules_->joins.size());
  for (const JoinDefinition& join : rules_->joins) {
    joins_.emplace_back(join);
  }
}

Reading LineReader::Read(const LogLine& line, MonotonicTime now) {
  ++line_;
  Tried farthest;
  Anchors::Cursor cursor;
  for (Anchors::Hit hit; rules_->anchors.Next(line.text, &cursor, &hit);) {
    for (std::uint32_t i = 0; i < hit.count; ++i) {
      const std::uint32_t index = rules_->anchors.id(hit.first + i);
      if (!Try(line, index, hit.at, &farthest)) {
        continue;
      }
      const Reading reading = Finish(line, rules_->rules[index], now);
      if (reading.kind != Reading::Kind::kUnmatched) {
        return reading;
      }
    }
  }
  if (farthest.rule == nullptr) {
    return {};
  }
  return {
      .kind = Reading::Kind::kRefused, .refusal = farthest.result.refusal, .rule = farthest.rule};
}

bool LineReader::Try(const LogLine& line, std::uint32_t index, std::size_t at, Tried* farthest) {
  const Rule& rule = rules_->rules[index];
  if (tried_[index] == line_) {
    return false;
  }
  std::size_t from = 0;
  if (!MayBegin(line, rule, at, &from)) {
    return false;
  }
  tried_[index] = line_;
  values_.present = 0;
  const std::string_view text = line.text.substr(from);
  MatchResult result = rule.regex != nullptr ? rule.regex->Match(text, &values_)
                                             : MatchProgram(rule.match, text, &values_);
  if (result.matched && result.pairs_at != kNowhere) {
    result = rule.pairs->Match(text, result.pairs_at, &values_);
  }
  if (result.matched) {
    return true;
  }
  if (farthest->rule == nullptr || result.reached > farthest->result.reached) {
    *farthest = {result, &rule};
  }
  return false;
}

// Whether a rule's match may begin in this line, its anchor being found at `at`, and where.
bool LineReader::MayBegin(const LogLine& line, const Rule& rule, std::size_t at,
                          std::size_t* from) {
  const Pack& pack = rules_->packs[rule.pack];
  *from = line.message;
  if (!pack.programs.empty() && !line.program.empty() && !Listed(pack.programs, line.program)) {
    if (line.process) {
      return false;
    }
    *from = line.tag;
  }
  if (pack.lead) {
    *from = LeadEnd(line, rule.pack);
    return *from != kNowhere && (!rule.at_anchor || at == *from);
  }
  if (!rule.at_anchor) {
    return at >= *from;
  }
  const std::size_t begin = at < line.message ? 0 : *from;
  *from = at;
  return LooksLikeHeader(line.text.substr(begin, at - std::min(at, begin)));
}

// Where the pack's lead, at its first place in the line, ends.
std::size_t LineReader::LeadEnd(const LogLine& line, std::uint32_t index) {
  Lead& lead = leads_[index];
  if (lead.line == line_) {
    return lead.end;
  }
  const Pack& pack = rules_->packs[index];
  lead = {line_, kNowhere};
  for (std::size_t at = line.text.find(pack.lead_literal); at != kNowhere && at <= kMaxHeader;
       at = line.text.find(pack.lead_literal, at + 1)) {
    const MatchResult result = MatchProgram(*pack.lead, line.text.substr(at), &lead_values_);
    if (result.matched) {
      lead.end = at + result.reached;
      break;
    }
  }
  return lead.end;
}

Reading LineReader::Finish(const LogLine& line, const Rule& rule, MonotonicTime now) {
  Reading reading{.kind = Reading::Kind::kMatched, .action = rule.action.fixed, .rule = &rule};
  if (rule.host != kNoSlot && !line.host.empty()) {
    Value host;
    host.text = line.host;
    values_.Set(rule.host, host);
  }
  for (const InsidePlan& inside : rule.inside) {
    const std::uint64_t present = values_.present;
    const std::string_view text = values_.at[inside.slot].text;
    if (!values_.has(inside.slot) || text.find(inside.needs) == kNowhere) {
      continue;
    }
    if (!MatchProgram(inside.program, text, &values_).matched) {
      values_.present = present;
    }
  }
  reading.action = Decide(rule.action);
  if (reading.action == Action::kIgnore) {
    return {};
  }
  if (rule.take && !Take(rule, now, &reading)) {
    return reading;
  }
  Set(rule);
  if (rule.flow) {
    reading.refusal = CompleteFlow(rule.slots, reading.action != Action::kNote, &values_);
  }
  if (reading.refusal == Refusal::kNone && reading.action != Action::kNote) {
    reading.refusal = Row(rule, &reading);
  }
  if (reading.refusal != Refusal::kNone) {
    reading.kind = Reading::Kind::kRefused;
    return reading;
  }
  if (rule.keep) {
    Keep(rule, now);
  }
  return reading;
}

Action LineReader::Decide(const ActionPlan& plan) const {
  for (const auto& [slot, action] : plan.by_presence) {
    if (values_.has(slot)) {
      return action;
    }
  }
  if (plan.slot != kNoSlot && values_.has(plan.slot)) {
    const std::string_view text = values_.at[plan.slot].text;
    for (const auto& [word, action] : plan.by_text) {
      if (word == text) {
        return action;
      }
    }
  }
  return plan.fixed;
}

// False: the reading is finished without the partner.
bool LineReader::Take(const Rule& rule, MonotonicTime now, Reading* reading) {
  const JoinUse& use = *rule.take;
  JoinMemory& memory = joins_[use.join];
  memory.Expire(now);
  const JoinKey key = KeyOf(use);
  const JoinMemory::Entry* const entry = memory.Find(key, now);
  const auto self = static_cast<std::uint32_t>(&rule - rules_->rules.data());
  if (entry != nullptr && (use.missing != JoinUse::Missing::kWait || entry->rule != self)) {
    for (std::size_t i = 0; i < use.fields.size(); ++i) {
      if (use.fields[i] != kNoSlot && (entry->present >> i & 1) != 0 &&
          !values_.has(use.fields[i])) {
        JoinMemory::Restore(*entry, i, use.fields[i], &values_);
      }
    }
    if (use.forget) {
      memory.Forget(key);  // its texts stay where they are until the next Keep
    }
    return true;
  }
  switch (use.missing) {
    case JoinUse::Missing::kGoOn:
      return true;
    case JoinUse::Missing::kRefuse:
      reading->kind = Reading::Kind::kRefused;
      break;
    case JoinUse::Missing::kWait:
      memory.Keep(key, self, use.fields, values_, now);
      reading->action = Action::kNote;
      Set(rule);
      return false;
    case JoinUse::Missing::kNote:
      reading->action = Action::kNote;
      Set(rule);
      break;
  }
  reading->refusal = Refusal::kNoPartner;
  return false;
}

void LineReader::Keep(const Rule& rule, MonotonicTime now) {
  const JoinUse& use = *rule.keep;
  joins_[use.join].Keep(KeyOf(use), static_cast<std::uint32_t>(&rule - rules_->rules.data()),
                        use.fields, values_, now);
}

JoinKey LineReader::KeyOf(const JoinUse& use) const {
  JoinKeyHasher hasher(seed_);
  std::uint8_t name = 0;
  for (const std::uint8_t slot : use.key) {
    ++name;
    if (values_.has(slot)) {  // what is not told is not asked for
      hasher.Add(name, values_.at[slot]);
    }
  }
  return hasher.key();
}

void LineReader::Set(const Rule& rule) {
  for (const SetPlan& set : rule.sets) {
    if (values_.has(set.slot)) {
      continue;
    }
    const auto source =
        std::ranges::find_if(set.sources, [this](std::uint8_t slot) { return values_.has(slot); });
    if (source != set.sources.end()) {
      values_.Set(set.slot, values_.at[*source]);
    } else if (set.has_constant) {
      values_.Set(set.slot, set.constant);
      values_.at[set.slot].text = set.text;
    }
  }
}

Refusal LineReader::Row(const Rule& rule, Reading* reading) {
  std::memcpy(row_.data(), rules_->first_row.data(), row_.size());
  for (const FieldPlan& plan : rule.key_fields) {
    if (!values_.has(plan.slot)) {
      if (plan.required) {
        return Refusal::kMissing;
      }
      continue;
    }
    if (const Refusal bad = WriteField(*plan.field, values_.at[plan.slot], row_);
        bad != Refusal::kNone) {
      return bad;
    }
  }
  const AbruptPlan& abrupt = rule.abrupt;
  reading->abrupt = abrupt.otherwise;
  if (abrupt.slot != kNoSlot && values_.has(abrupt.slot)) {
    const std::string_view text = values_.at[abrupt.slot].text;
    const bool listed = std::ranges::any_of(
        abrupt.words, [text](const std::string& word) { return text.starts_with(word); });
    reading->abrupt = listed == abrupt.listed;
  }
  if (reading->action == Action::kErase) {
    reading->row = std::span(row_).first(rules_->schema.key_size());
    return Refusal::kNone;
  }
  for (const FieldPlan& plan : rule.value_fields) {
    if (!values_.has(plan.slot)) {
      continue;
    }
    if (const Refusal bad = WriteField(*plan.field, values_.at[plan.slot], row_);
        bad != Refusal::kNone) {
      return bad;
    }
  }
  reading->row = row_;
  return Refusal::kNone;
}

std::uint64_t LineReader::join_evicted() const {
  std::uint64_t evicted = 0;
  for (const JoinMemory& join : joins_) {
    evicted += join.evicted();
  }
  return evicted;
}

std::size_t LineReader::join_size() const {
  std::size_t size = 0;
  for (const JoinMemory& join : joins_) {
    size += join.size();
  }
  return size;
}

}  // namespace mimi::rules
