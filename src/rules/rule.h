#ifndef MIMI_SRC_RULES_RULE_H_
#define MIMI_SRC_RULES_RULE_H_

// Rule: one kind of line, compiled: how it looks, what it means, and how its row is made.
//
// Threads: constant once compiled; any.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mimi/schema.h"

#include "src/rules/pairs.h"
#include "src/rules/program.h"
#include "src/rules/regex_plan.h"
#include "src/rules/template_compiler.h"
#include "src/rules/value.h"

namespace mimi::rules {

/// What a line means.
enum class Action : std::uint8_t {
  kPut,
  kErase,
  kNote,    ///< understood, but it changes no row
  kIgnore,  ///< as if no rule had matched
};

/// The action, or variables that decide it.
struct ActionPlan {
  Action fixed = Action::kNote;                              ///< when nothing below decides
  std::vector<std::pair<std::uint8_t, Action>> by_presence;  ///< the first that is there
  std::uint8_t slot = kNoSlot;
  std::vector<std::pair<std::string, Action>> by_text;  ///< of `slot`
};

/// What stands within a text that the match found. That it does not match is no mistake.
struct InsidePlan {
  std::uint8_t slot = 0;
  Program program;
  std::string needs;  ///< no text without it can match
};

/// Whether an erase did not end by protocol (record.h): then it is held for a moment.
struct AbruptPlan {
  bool otherwise = false;
  std::uint8_t slot = kNoSlot;
  bool listed = true;  ///< what it is when the variable begins with one of `words`
  std::vector<std::string> words;
};

/// Gives `slot` a value where the line gave none: the first of `sources` that is there, or the
/// constant.
struct SetPlan {
  std::uint8_t slot = 0;
  std::vector<std::uint8_t> sources;
  bool has_constant = false;
  Value constant;
  std::string text;  ///< what constant.text looks at
};

/// One field of the row from one variable.
struct FieldPlan {
  std::uint8_t slot = 0;
  const Field* field = nullptr;
  bool required = false;
};

struct JoinUse {
  std::uint32_t join = 0;
  std::vector<std::uint8_t> key;     ///< slots
  std::vector<std::uint8_t> fields;  ///< slots, as the join's fields; kNoSlot: this rule lacks it
  enum class Missing : std::uint8_t {
    kGoOn,    ///< the line says enough itself
    kRefuse,  ///< counted as no_partner
    kNote,    ///< understood, but nothing follows from it
    kWait,    ///< this line is kept until the other one comes
  } missing = Missing::kGoOn;
  bool forget = false;  ///< what was found is not needed again
};

/// Where the variables of a Flow are; only in rules whose row is one.
struct FlowSlots {
  std::uint8_t protocol = kNoSlot;
  std::uint8_t orig_src = kNoSlot, orig_sport = kNoSlot, orig_dst = kNoSlot, orig_dport = kNoSlot;
  std::uint8_t reply_src = kNoSlot, reply_sport = kNoSlot, reply_dst = kNoSlot,
               reply_dport = kNoSlot;
  std::uint8_t icmp_type = kNoSlot, icmp_code = kNoSlot, icmp_id = kNoSlot, icmp_reply_id = kNoSlot;
};

struct Rule {
  std::string name;
  std::uint32_t pack = 0;
  VariableNames variables;
  std::uint8_t host = kNoSlot;
  std::vector<std::uint8_t> shown;  ///< variables in the order in which people see them

  Program match;
  std::shared_ptr<const PairsPlan> pairs;
  std::shared_ptr<const RegexPlan> regex;  ///< then `match` is empty
  std::string anchor;                      ///< no line without it can match
  bool at_anchor = false;                  ///< the match begins with it
  std::size_t place = 0;                   ///< line in its file

  std::vector<InsidePlan> inside;
  ActionPlan action;
  AbruptPlan abrupt;
  std::vector<SetPlan> sets;
  std::vector<FieldPlan> key_fields;
  std::vector<FieldPlan> value_fields;
  std::optional<JoinUse> take;
  std::optional<JoinUse> keep;
  bool flow = false;  ///< the row is a Flow: what it needs beyond copying is done
  FlowSlots slots;
};

/// What a pack says of the boxes that it is for.
struct PackFacts {
  std::string name;
  std::string title;
  std::string limits;    ///< what its lines cannot tell
  bool begins = false;   ///< a line at the begin of each session
  bool ends = false;     ///< a line at its end
  bool complete = true;  ///< of every session
};

struct Pack {
  PackFacts facts;
  /// Tags that its lines may have; another tag is part of the message, or, where it has a process
  /// id, somebody else's line. Empty: any.
  std::vector<std::string> programs;
  /// What its messages begin with ("%ASA-6-"): rules match behind its first place in the line.
  std::optional<Program> lead;
  std::string lead_literal;
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_RULE_H_
