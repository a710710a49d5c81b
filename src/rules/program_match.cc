#include <algorithm>
#include <array>
#include <cstring>

#include "src/base/byte_set.h"
#include "src/rules/program.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

constexpr ByteSet kLabelEnds(":/(),");
constexpr std::size_t kMaxChoices = 48;
constexpr int kMaxSteps = 20000;  // a line of 8 KiB that is text up to one byte, twice over

// Where to go on when the way taken turns out wrong. Never cleared: a matcher is made for each rule
// that is tried.
struct Choice {
  std::uint32_t op;
  std::uint32_t at;
  std::uint32_t start;  // kText: where the text begins
  bool text;            // op is a kText that shall reach farther, to `at` or behind
  std::uint64_t present;
};

class Matcher {
 public:
  Matcher(const Program& program, std::string_view text, Values* values)
      : program_(program), text_(text), values_(values) {}

  MatchResult Run() {
    for (int step = 0; step < kMaxSteps; ++step) {
      const Op& op = program_.ops[op_];
      if (op.code == OpCode::kAccept || op.code == OpCode::kPairs) {
        result_.matched = true;
        result_.reached = at_;
        result_.pairs_at = op.code == OpCode::kPairs ? at_ : std::string_view::npos;
        return result_;
      }
      if (!Step(op) && !Return()) {
        return result_;
      }
    }
    result_.refusal = result_.inside = Refusal::kTooComplex;
    return result_;
  }

 private:
  bool Step(const Op& op) {
    switch (op.code) {
      case OpCode::kLiteral:
        return Literal(op);
      case OpCode::kBlanks:
        while (at_ < text_.size() && IsBlank(text_[at_])) {
          ++at_;
        }
        break;
      case OpCode::kField:
        return Field(op);
      case OpCode::kText:
        return TextFrom(op, at_, at_);
      case OpCode::kSplit:
        if (!Remember({op.target, static_cast<std::uint32_t>(at_), 0, false, values_->present})) {
          return false;
        }
        break;
      case OpCode::kJump:
        op_ = op.target;
        return true;
      case OpCode::kEnd:
        if (text_.find_first_not_of(" \t\r\n", at_) != std::string_view::npos) {
          return Fail(Refusal::kForm, at_);
        }
        break;
      case OpCode::kPairs:
      case OpCode::kAccept:
        break;  // Run() has seen them
    }
    ++op_;
    return true;
  }

  bool Literal(const Op& op) {
    const std::size_t left = text_.size() - at_;
    const char* const want = program_.literals.data() + op.text;
    if (left >= op.size && std::memcmp(text_.data() + at_, want, op.size) == 0) {
      at_ += op.size;
      ++op_;
      return true;
    }
    const bool cut = left < op.size && std::memcmp(text_.data() + at_, want, left) == 0;
    return Fail(Refusal::kForm, cut ? text_.size() : at_);
  }

  // The text that began at `start` ends at the first place from `from` on where what follows can
  // match.
  bool TextFrom(const Op& op, std::size_t start, std::size_t from) {
    std::size_t end = from;
    const Op& next = program_.ops[op_ + 1];
    if (op.size != 0) {
      end = op.size == 1 ? text_.find(program_.literals[op.text], from)
                         : text_.find(program_.Text(op), from);
      if (end == std::string_view::npos) {
        // The line may have been cut; but that there is no second place says nothing new.
        return from == start && Fail(Refusal::kForm, start, true);
      }
    } else if (next.code == OpCode::kAccept || next.code == OpCode::kEnd) {
      end = text_.size();
      while (end > from &&
             (IsBlank(text_[end - 1]) || text_[end - 1] == '\r' || text_[end - 1] == '\n')) {
        --end;
      }
    }
    if (end < text_.size() &&
        !Remember({static_cast<std::uint32_t>(op_), static_cast<std::uint32_t>(end + 1),
                   static_cast<std::uint32_t>(start), true, values_->present})) {
      return false;
    }
    Keep(op, ValueKind::kText, start, end);
    at_ = end;
    ++op_;
    return true;
  }

  bool Field(const Op& op) {
    const std::string_view rest = text_.substr(at_);
    Value* const value = op.slot == kNoSlot ? &unwanted_ : &values_->at[op.slot];
    std::size_t size = 0;
    ValueKind kind = ValueKind::kNumber;
    Refusal refusal = Refusal::kBadNumber;
    switch (op.field) {
      case FieldKind::kIp:
        size = ScanIp(rest, &value->ip);
        break;
      case FieldKind::kIpv4:
        size = ScanIpv4(rest, &value->ip);
        break;
      case FieldKind::kIpv6:
        size = ScanIpv6(rest, &value->ip);
        break;
      case FieldKind::kPort:
        size = ScanPort(rest, &value->number);
        refusal = Refusal::kBadPort;
        break;
      case FieldKind::kNumber:
        size = ScanNumber(rest, op.max, &value->number);
        break;
      case FieldKind::kHex:
        size = ScanHex(rest, &value->number);
        break;
      case FieldKind::kProtocol:
        size = ScanProtocol(rest, &value->number);
        refusal = Refusal::kUnknownWord;
        break;
      case FieldKind::kDuration:
        size = ScanDuration(rest, &value->number);
        break;
      case FieldKind::kEnum:
        return Enum(op, rest);
      case FieldKind::kWord:
      case FieldKind::kLabel:
      case FieldKind::kInner:
      case FieldKind::kQuoted:
      case FieldKind::kCsv:
        return TextField(op, rest);
    }
    if (op.field <= FieldKind::kIpv6) {
      kind = ValueKind::kIp;
      refusal = Refusal::kBadAddress;
    }
    if (size == 0) {
      return Fail(refusal, kind == ValueKind::kIp && MayBeCut(rest) ? text_.size() : at_);
    }
    value->kind = kind;
    value->text = rest.substr(0, size);
    const bool none =
        op.zero_is_none && (kind == ValueKind::kIp ? IsNone(value->ip) : value->number == 0);
    if (op.slot != kNoSlot && !none) {
      values_->present |= std::uint64_t{1} << op.slot;
    }
    at_ += size;
    ++op_;
    return true;
  }

  // Whether an address begins here that the end of the text cuts off.
  static bool MayBeCut(std::string_view rest) {
    return rest.find_first_not_of("0123456789abcdefABCDEF.:[") == std::string_view::npos;
  }

  static bool IsNone(const Ip& ip) { return ip == Ip() || ip == Ip(Ipv4{}); }

  bool TextField(const Op& op, std::string_view rest) {
    std::size_t size = 0;  // all that is taken
    std::size_t from = 0;  // the value within
    std::size_t to = 0;
    const bool quoted = rest.starts_with('"');
    if (op.field == FieldKind::kWord || (op.field == FieldKind::kQuoted && !quoted)) {
      while (size < rest.size() && !IsBlank(rest[size])) {
        ++size;
      }
      to = size;
    } else if (quoted && op.field != FieldKind::kLabel && op.field != FieldKind::kInner) {
      const std::size_t end = QuoteEnd(rest, op.field == FieldKind::kCsv);
      if (end == std::string_view::npos) {
        return Fail(Refusal::kTruncated, text_.size());
      }
      from = 1;
      to = end;
      size = end + 1;
    } else {
      size = op.field == FieldKind::kLabel   ? kLabelEnds.FindIn(rest)
             : op.field == FieldKind::kInner ? rest.find(')')
                                             : rest.find(',');
      if (size == std::string_view::npos && op.field == FieldKind::kInner) {
        return Fail(Refusal::kForm, text_.size());
      }
      size = std::min(size, rest.size());
      to = size;
    }
    if (size == 0 && op.field != FieldKind::kCsv) {
      return Fail(Refusal::kForm, at_);
    }
    Keep(op, ValueKind::kText, at_ + from, at_ + to);
    at_ += size;
    ++op_;
    return true;
  }

  static std::size_t QuoteEnd(std::string_view rest, bool doubled) {
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '\\' && !doubled) {
        ++i;
      } else if (rest[i] == '"') {
        if (!doubled || i + 1 == rest.size() || rest[i + 1] != '"') {
          return i;
        }
        ++i;
      }
    }
    return std::string_view::npos;
  }

  bool Enum(const Op& op, std::string_view rest) {
    for (const EnumEntry& entry : program_.enums[op.target].entries) {
      if (rest.starts_with(entry.word)) {
        Keep(op, entry.kind, at_, at_ + entry.word.size());
        if (op.slot != kNoSlot) {
          Value& value = values_->at[op.slot];
          value.number = entry.number;
          value.ip = entry.ip;
          if (entry.kind == ValueKind::kText) {
            value.text = entry.name;
          }
        }
        at_ += entry.word.size();
        ++op_;
        return true;
      }
    }
    return Fail(Refusal::kUnknownWord, at_);
  }

  void Keep(const Op& op, ValueKind kind, std::size_t from, std::size_t to) {
    if (op.slot == kNoSlot) {
      return;
    }
    Value& value = values_->at[op.slot];
    value.kind = kind;
    value.text = text_.substr(from, to - from);
    values_->present |= std::uint64_t{1} << op.slot;
  }

  bool Remember(const Choice& choice) {
    if (choices_used_ == kMaxChoices) {
      result_.refusal = Refusal::kTooComplex;
      choices_used_ = 0;  // no way back any more
      return false;
    }
    choices_[choices_used_++] = choice;
    return true;
  }

  bool Return() {
    while (choices_used_ != 0) {
      const Choice choice = choices_[--choices_used_];
      op_ = choice.op;
      at_ = choice.at;
      values_->present = choice.present;
      if (!choice.text) {
        return true;
      }
      if (TextFrom(program_.ops[op_], choice.start, choice.at)) {
        return true;
      }
    }
    return false;
  }

  bool Fail(Refusal refusal, std::size_t at, bool cut = false) {
    if (result_.refusal == Refusal::kNone || at > result_.reached) {
      result_.reached = at;
      result_.inside = refusal;
      result_.refusal = cut || at >= text_.size() ? Refusal::kTruncated : refusal;
    }
    return false;
  }

  const Program& program_;
  std::string_view text_;
  Values* values_;
  std::size_t op_ = 0;
  std::size_t at_ = 0;
  MatchResult result_;
  Value unwanted_;
  std::size_t choices_used_ = 0;
  std::array<Choice, kMaxChoices> choices_;
};

}  // namespace

MatchResult MatchProgram(const Program& program, std::string_view text, Values* values) {
  return Matcher(program, text, values).Run();
}

}  // namespace mimi::rules
