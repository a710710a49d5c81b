#ifndef MIMI_SRC_RULES_RULE_H_
#define MIMI_SRC_RULES_RULE_H_

// Rule: one kind of line, compiled: how it looks, what it means, and how its row is made.
//
// Threads: constant once compiled; any.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mimi/schema.h"

#include "src/rules/pairs.h"
#include "src/rules/program.h"
#include "src/rules/template_compiler.h"
#include "src/rules/value.h"

namespace mimi::rules {

class RegexPlan;

/// What a line means.
enum class Action : std::uint8_t {
  kPut,
  kErase,
  kEraseAbrupt,  ///< it just vanished: a time-out, a flush (record.h)
  kNote,         ///< understood, but it changes no row
  kIgnore,       ///< as if no rule had matched
};

/// The action, or a variable whose text decides it.
struct ActionPlan {
  Action fixed = Action::kNote;  ///< also when the variable is not there, or has another text
  std::uint8_t slot = kNoSlot;
  std::vector<std::pair<std::string, Action>> by_text;
};

/// Gives `slot` a value where the line gave none: the first of `sources` that is there, or the
/// constant.
struct SetPlan {
  std::uint8_t slot = 0;
  std::vector<std::uint8_t> sources;
  bool has_constant = false;
  Value constant;
};

/// One field of the row from one variable.
struct FieldPlan {
  std::uint8_t slot = 0;
  const Field* field = nullptr;
};

struct JoinUse {
  std::uint32_t join = 0;
  std::vector<std::uint8_t> key;     ///< slots
  std::vector<std::uint8_t> fields;  ///< slots, as the join's fields; kNoSlot: this rule lacks it
  enum class Missing : std::uint8_t { kGoOn, kRefuse, kWait, kNote } missing = Missing::kGoOn;
  bool prefer_kept = false;
  bool forget = false;
};

/// Variables that every line may have, besides those of its template.
struct KnownSlots {
  std::uint8_t host = kNoSlot;
  std::uint8_t protocol = kNoSlot;
  std::uint8_t orig_src = kNoSlot, orig_sport = kNoSlot, orig_dst = kNoSlot, orig_dport = kNoSlot;
  std::uint8_t reply_src = kNoSlot, reply_sport = kNoSlot, reply_dst = kNoSlot,
               reply_dport = kNoSlot;
  std::uint8_t icmp_type = kNoSlot, icmp_code = kNoSlot, icmp_id = kNoSlot, icmp_reply_id = kNoSlot;
};

struct Rule {
  std::string name;
  std::string pack;
  VariableNames variables;
  std::vector<std::string> shown;  ///< of the variables, those that are no fields of the row

  Program match;
  std::shared_ptr<const PairsPlan> pairs;
  std::shared_ptr<const RegexPlan> regex;
  std::string first_literal;  ///< what the match begins with; empty: it begins with the message
  bool anywhere = false;      ///< what stands before it need not look like a header

  ActionPlan action;
  ActionPlan abrupt;  ///< kEraseAbrupt turns an erase into one that is held
  bool orient_by_port = false;
  std::vector<SetPlan> sets;
  std::vector<FieldPlan> key_fields;
  std::vector<FieldPlan> value_fields;
  std::string missing_key_field;  ///< a key field that nothing in this rule gives
  std::optional<JoinUse> take;
  std::optional<JoinUse> keep;
  KnownSlots known;
  bool flow = false;  ///< the row is a Flow: what it needs beyond copying is done
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_RULE_H_
