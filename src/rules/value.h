#ifndef MIMI_SRC_RULES_VALUE_H_
#define MIMI_SRC_RULES_VALUE_H_

// What a log line says in one place: an address, a number or a piece of text.
//
// Threads: values; any. Lifetime: `text` is a view into the line, or into the rules.

#include <cstdint>
#include <string_view>

#include "mimi/types.h"

namespace mimi::rules {

enum class ValueKind : std::uint8_t {
  kText,
  kNumber,  ///< also what enums and durations (in nanoseconds) become
  kIp,
};

struct Value {
  ValueKind kind = ValueKind::kText;
  std::uint64_t number = 0;
  Ip ip;
  std::string_view text;  ///< as it stands in the line; a name from an enum: what it stands for

  friend bool operator==(const Value& a, const Value& b) {
    if (a.kind != b.kind) {
      return false;
    }
    switch (a.kind) {
      case ValueKind::kNumber:
        return a.number == b.number;
      case ValueKind::kIp:
        return a.ip == b.ip;
      case ValueKind::kText:
        break;
    }
    return a.text == b.text;
  }
};

/// The variables of one rule, by index. Which are there is a mask, so that forgetting all is one
/// assignment.
inline constexpr std::size_t kMaxVariables = 64;

struct Values {
  std::uint64_t present = 0;
  Value at[kMaxVariables];

  bool has(std::size_t index) const { return (present >> index & 1) != 0; }
  void Set(std::size_t index, const Value& value) {
    at[index] = value;
    present |= std::uint64_t{1} << index;
  }
  void Drop(std::size_t index) { present &= ~(std::uint64_t{1} << index); }
};

/// Why a line that a rule claims was not taken. Each has a counter.
enum class Refusal : std::uint8_t {
  kNone,
  kTruncated,   ///< ends before what the rule needs
  kForm,        ///< the words between the values are not those of the rule
  kBadAddress,  ///< also a name where an address is needed
  kBadNumber,
  kBadPort,
  kUnknownWord,    ///< not a word of the enum, or a protocol that nobody knows
  kMissing,        ///< without this the row has no key
  kMixedFamilies,  ///< IPv4 and IPv6 in one direction of one flow
  kNoPartner,      ///< the other half of a join did not come
  kTooComplex,     ///< more ways to read it than the limit
  kCount,
};

constexpr std::string_view RefusalName(Refusal refusal) {
  constexpr std::string_view kNames[] = {
      "none",         "truncated",     "form",           "bad_address", "bad_number", "bad_port",
      "unknown_word", "missing_field", "mixed_families", "no_partner",  "too_complex"};
  return kNames[static_cast<std::size_t>(refusal)];
}

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_VALUE_H_
