#ifndef MIMI_SRC_RULES_PROGRAM_H_
#define MIMI_SRC_RULES_PROGRAM_H_

// Program: a template of the log rule language (docs/log-rules.md), compiled to a list of
// operations.
//
// Most operations can match in one way only. Where there are more ways (optional parts,
// alternatives, text up to something), one byte of the line mostly tells which; where it does not,
// the matcher remembers the others and comes back. How often is limited, so that no line can keep
// it busy.
//
// Threads: constant once compiled; any.

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/rules/value.h"

namespace mimi::rules {

enum class OpCode : std::uint8_t {
  kLiteral,  ///< exactly these bytes
  kBlanks,   ///< any number of blanks
  kField,    ///< a value of a type, which ends by itself
  kText,     ///< whatever there is up to where the rest matches
  kSplit,    ///< go on at the next; should that fail, at `target`
  kJump,
  kEnd,     ///< nothing may follow, but blanks
  kPairs,   ///< the rest of the line is key=value
  kAccept,  ///< matched
};

enum class FieldKind : std::uint8_t {
  kIp,
  kIpv4,
  kIpv6,
  kPort,
  kNumber,
  kHex,
  kProtocol,
  kWord,    ///< up to a blank
  kLabel,   ///< up to one of : / ( ) , and no farther; may hold blanks
  kInner,   ///< up to the closing parenthesis that must follow
  kQuoted,  ///< "…", with \" inside
  kCsv,     ///< up to a comma, or quoted ("" is a quote inside)
  kDuration,
  kEnum,
};

inline constexpr std::uint8_t kNoSlot = 255;  ///< a value that nobody wants

struct Op {
  OpCode code = OpCode::kAccept;
  FieldKind field = FieldKind::kWord;
  std::uint8_t slot = kNoSlot;
  bool zero_is_none = false;  ///< an address or a port of zeros stands for "there is none"
  std::uint16_t target = 0;   ///< kSplit, kJump; kEnum: which table
  std::uint32_t text = 0;     ///< kLiteral: where in Program::literals; kText: what follows it
  std::uint32_t size = 0;
  std::uint64_t max = 0;   ///< kNumber
  std::uint64_t head = 0;  ///< kLiteral: its first eight bytes as they are loaded, zeros behind it
  std::uint64_t mask = 0;  ///< kLiteral: which of those are its own
};

struct EnumEntry {
  std::string word;  ///< in the line
  ValueKind kind = ValueKind::kText;
  std::string name;  ///< what it stands for, by kind
  std::uint64_t number = 0;
  Ip ip;
};

struct EnumTable {
  std::vector<EnumEntry> entries;
};

struct Program {
  std::vector<Op> ops;
  std::string literals;
  std::vector<EnumTable> enums;
  std::vector<std::bitset<256>> first;  ///< per op: bytes that a match from there can begin with
  bool single = false;  ///< one value and nothing else, as most templates of key=value are

  std::string_view Text(const Op& op) const {
    return std::string_view(literals).substr(op.text, op.size);
  }
};

/// Fills in `first` and `single`; after the last op.
void PlanLookahead(Program* program);

/// How a match ended.
struct MatchResult {
  bool matched = false;
  Refusal refusal = Refusal::kNone;  ///< of the way that came farthest
  Refusal inside = Refusal::kNone;   ///< the same, had the text not ended there
  std::size_t reached = 0;           ///< how far that was; matched: where the match ended
  std::size_t pairs_at = std::string_view::npos;  ///< where key=value begins
};

/// Matches from the front of `text`. Values hold views into `text` and into the program's enums.
MatchResult MatchProgram(const Program& program, std::string_view text, Values* values);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_PROGRAM_H_
