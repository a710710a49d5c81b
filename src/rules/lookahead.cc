// What one byte of a line tells about the ways through a program.

#include <string_view>

#include "src/rules/program.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

using ByteBits = std::bitset<256>;

void AddAll(std::string_view bytes, ByteBits* set) {
  for (const char byte : bytes) {
    set->set(static_cast<unsigned char>(byte));
  }
}

constexpr std::string_view kBlankBytes = " \t";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexLetters = "abcdefABCDEF";

ByteBits FirstOfField(const Program& program, const Op& op) {
  ByteBits set;
  switch (op.field) {
    case FieldKind::kIp:
    case FieldKind::kIpv6:
      AddAll(":[", &set);
      AddAll(kHexLetters, &set);
      AddAll(kDigits, &set);
      break;
    case FieldKind::kHex:
      AddAll(kHexLetters, &set);
      AddAll(kDigits, &set);
      break;
    case FieldKind::kIpv4:
    case FieldKind::kNumber:
    case FieldKind::kDuration:
      AddAll(kDigits, &set);
      break;
    case FieldKind::kEnum:
      for (const EnumEntry& entry : program.enums[op.target].entries) {
        if (entry.word.empty()) {
          return ByteBits().set();
        }
        AddAll(std::string_view(entry.word).substr(0, 1), &set);
      }
      break;
    case FieldKind::kWord:
    case FieldKind::kQuoted:
      set.set();
      set.reset(' ').reset('\t');
      break;
    case FieldKind::kLabel:
    case FieldKind::kInner:
    case FieldKind::kCsv:
    case FieldKind::kPort:
    case FieldKind::kProtocol:
      set.set();  // more than is true does no harm
      break;
  }
  return set;
}

// Of op `at`; those behind it are known, and all jumps go forward.
ByteBits FirstOf(const Program& program, std::size_t at) {
  const Op& op = program.ops[at];
  ByteBits set;
  switch (op.code) {
    case OpCode::kLiteral:
      AddAll(program.Text(op).substr(0, 1), &set);
      return set;
    case OpCode::kBlanks:
      AddAll(kBlankBytes, &set);
      return set | program.first[at + 1];
    case OpCode::kField:
      return FirstOfField(program, op);
    case OpCode::kSplit:
      return program.first[at + 1] | program.first[op.target];
    case OpCode::kJump:
      return program.first[op.target];
    case OpCode::kEnd:
      AddAll(" \t\r\n", &set);
      return set;
    case OpCode::kText:
    case OpCode::kPairs:
    case OpCode::kAccept:
      return set.set();
  }
  return set;
}

}  // namespace

void PlanLookahead(Program* program) {
  program->first.resize(program->ops.size());
  for (std::size_t i = program->ops.size(); i-- > 0;) {
    program->first[i] = FirstOf(*program, i);
  }
  for (Op& op : program->ops) {
    if (op.code == OpCode::kLiteral) {
      op.head = HeadOf(program->Text(op));
      op.mask = HeadOf(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff", 8).substr(0, op.size));
    }
  }
  program->single = program->ops.size() == 2 && program->ops[0].code == OpCode::kField;
}

}  // namespace mimi::rules
