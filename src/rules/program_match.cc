#include <array>
#include <cstring>

#include "src/rules/field_scan.h"
#include "src/rules/program.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

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

bool IsBlankOrEnd(char c) {
  return IsBlank(c) || c == '\r' || c == '\n';
}

// Notes a failure; the first of those that came farthest counts.
void Note(Refusal refusal, std::size_t at, bool at_end, MatchResult* result) {
  if (result->refusal == Refusal::kNone || at > result->reached) {
    result->reached = at;
    result->inside = refusal;
    result->refusal = at_end ? Refusal::kTruncated : refusal;
  }
}

class Matcher {
 public:
  Matcher(const Program& program, std::string_view text, Values* values)
      : program_(program), text_(text), values_(values) {}

  MatchResult Run() {
    for (int step = 0; step < kMaxSteps; ++step) {
      const Op& op = program_.ops[op_];
      if (op.code == OpCode::kLiteral) {
        // Every other op is one.
        if (Literal(op)) {
          continue;
        }
      } else if (op.code == OpCode::kField) {
        const FieldScan scan = ScanField(program_, op, text_, at_, values_);
        if (scan.refusal == Refusal::kNone) {
          at_ = scan.end;
          ++op_;
          continue;
        }
        Fail(scan.refusal, scan.end);
      } else if (op.code == OpCode::kAccept || op.code == OpCode::kPairs) {
        result_.matched = true;
        result_.reached = at_;
        result_.pairs_at = op.code == OpCode::kPairs ? at_ : std::string_view::npos;
        return result_;
      } else if (Step(op)) {
        continue;
      }
      if (!Return()) {
        return result_;
      }
    }
    result_.refusal = result_.inside = Refusal::kTooComplex;
    return result_;
  }

 private:
  bool Step(const Op& op) {
    switch (op.code) {
      case OpCode::kBlanks:
        at_ = SkipBlanks(at_);
        break;
      case OpCode::kText:
        return TextFrom(op, at_, at_);
      case OpCode::kSplit:
        return Split(op);
      case OpCode::kJump:
        op_ = op.target;
        return true;
      case OpCode::kEnd:
        for (std::size_t at = at_; at < text_.size(); ++at) {
          if (!IsBlankOrEnd(text_[at])) {
            return Fail(Refusal::kForm, at_);
          }
        }
        break;
      case OpCode::kLiteral:
      case OpCode::kField:
      case OpCode::kPairs:
      case OpCode::kAccept:
        break;  // Run() has seen them
    }
    ++op_;
    return true;
  }

  std::size_t SkipBlanks(std::size_t at) const {
    while (at < text_.size() && IsBlank(text_[at])) {
      ++at;
    }
    return at;
  }

  bool Literal(const Op& op) {
    const std::size_t left = text_.size() - at_;
    const char* const want = program_.literals.data() + op.text;
    const char* const have = text_.data() + at_;
    const bool same = left >= 8 ? left >= op.size && (Load8(have) & op.mask) == op.head &&
                                      SameTail(have, want, op.size)
                                : left >= op.size && std::memcmp(have, want, op.size) == 0;
    if (same) {
      at_ += op.size;
      ++op_;
      return true;
    }
    const bool cut = left < op.size && std::memcmp(have, want, left) == 0;
    return Fail(Refusal::kForm, cut ? text_.size() : at_);
  }

  // Whether a match from `op` on can begin at `at`; at the end of the text: who knows.
  bool CanBegin(std::size_t op, std::size_t at) const {
    if (program_.ops[op].code == OpCode::kBlanks) {
      at = SkipBlanks(at);
      ++op;
    }
    return at == text_.size() || IsFirst(op, at);
  }
  bool IsFirst(std::size_t op, std::size_t at) const {
    return program_.first[op][static_cast<unsigned char>(text_[at])];
  }

  bool Split(const Op& op) {
    const bool next = CanBegin(op_ + 1, at_);
    if (next != CanBegin(op.target, at_)) {
      op_ = next ? op_ + 1 : op.target;
      return true;
    }
    ++op_;
    return Remember({op.target, static_cast<std::uint32_t>(at_), 0, false, values_->present});
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
      while (end > from && IsBlankOrEnd(text_[end - 1])) {
        --end;
      }
    } else {
      while (end < text_.size() && !IsFirst(op_ + 1, end)) {
        ++end;
      }
    }
    if (end < text_.size() &&
        !Remember({static_cast<std::uint32_t>(op_), static_cast<std::uint32_t>(end + 1),
                   static_cast<std::uint32_t>(start), true, values_->present})) {
      return false;
    }
    KeepText(op, text_, start, end, values_);
    at_ = end;
    ++op_;
    return true;
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
    Note(refusal, at, cut || at >= text_.size(), &result_);
    return false;
  }

  const Program& program_;
  std::string_view text_;
  Values* values_;
  std::size_t op_ = 0;
  std::size_t at_ = 0;
  MatchResult result_;
  std::size_t choices_used_ = 0;
  std::array<Choice, kMaxChoices> choices_;
};

}  // namespace

MatchResult MatchProgram(const Program& program, std::string_view text, Values* values) {
  if (!program.single) {
    return Matcher(program, text, values).Run();
  }
  const FieldScan scan = ScanField(program, program.ops[0], text, 0, values);
  MatchResult result;
  if (scan.refusal == Refusal::kNone) {
    result.matched = true;
    result.reached = scan.end;
  } else {
    Note(scan.refusal, scan.end, scan.end >= text.size(), &result);
  }
  return result;
}

}  // namespace mimi::rules
