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
  const Op* op;
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
    const Op* op = program_.ops.data();
    std::size_t at = 0;
    for (int step = 0; step < kMaxSteps; ++step) {
      switch (op->code) {
        case OpCode::kLiteral:
          if (IsHere(*op, at)) {
            at += op->size;
            ++op;
            continue;
          }
          FailLiteral(*op, at);
          break;
        case OpCode::kField: {
          const FieldScan scan = ScanField(program_, *op, text_, at, values_);
          if (scan.refusal == Refusal::kNone) {
            at = scan.end;
            ++op;
            continue;
          }
          Fail(scan.refusal, scan.end);
          break;
        }
        case OpCode::kSplit:
          if (Split(&op, at)) {
            continue;
          }
          break;
        case OpCode::kJump:
          op = TargetOf(*op);
          continue;
        case OpCode::kBlanks:
          at = SkipBlanks(at);
          ++op;
          continue;
        case OpCode::kText:
          if (TextFrom(op, at, at, &at)) {
            ++op;
            continue;
          }
          break;
        case OpCode::kEnd:
          if (IsEnd(at)) {
            ++op;
            continue;
          }
          Fail(Refusal::kForm, at);
          break;
        case OpCode::kPairs:
        case OpCode::kAccept:
          return Matched(*op, at);
      }
      if (!Return(&op, &at)) {
        return result_;
      }
    }
    result_.refusal = result_.inside = Refusal::kTooComplex;
    return result_;
  }

 private:
  const Op* TargetOf(const Op& op) const { return program_.ops.data() + op.target; }

  MatchResult Matched(const Op& op, std::size_t at) {
    result_.matched = true;
    result_.reached = at;
    result_.pairs_at = op.code == OpCode::kPairs ? at : std::string_view::npos;
    return result_;
  }

  std::size_t SkipBlanks(std::size_t at) const {
    while (at < text_.size() && IsBlank(text_[at])) {
      ++at;
    }
    return at;
  }

  bool IsEnd(std::size_t at) const {
    while (at < text_.size() && IsBlankOrEnd(text_[at])) {
      ++at;
    }
    return at == text_.size();
  }

  // Whether the literal of `op` stands at `at`.
  bool IsHere(const Op& op, std::size_t at) const {
    const std::size_t left = text_.size() - at;
    const char* const have = text_.data() + at;
    const char* const want = program_.literals.data() + op.text;
    if (left < 8 || left < op.size) {
      return left >= op.size && std::memcmp(have, want, op.size) == 0;
    }
    return (Load8(have) & op.mask) == op.head && SameTail(have, want, op.size);
  }

  void FailLiteral(const Op& op, std::size_t at) {
    const std::string_view left = text_.substr(at);
    Fail(Refusal::kForm, program_.Text(op).starts_with(left) ? text_.size() : at);
  }

  // Whether a match from `op` on can begin at `at`; at the end of the text: who knows.
  bool CanBegin(const Op* op, std::size_t at) const {
    if (op->code == OpCode::kBlanks) {
      at = SkipBlanks(at);
      ++op;
    }
    return at == text_.size() || IsFirst(op, at);
  }
  bool IsFirst(const Op* op, std::size_t at) const {
    const auto index = static_cast<std::size_t>(op - program_.ops.data());
    return program_.first[index][static_cast<unsigned char>(text_[at])];
  }

  bool Split(const Op** op, std::size_t at) {
    const Op* const next = *op + 1;
    const Op* const other = TargetOf(**op);
    const bool can = CanBegin(next, at);
    if (can != CanBegin(other, at)) {
      *op = can ? next : other;
      return true;
    }
    *op = next;
    return Remember({other, static_cast<std::uint32_t>(at), 0, false, values_->present});
  }

  // The text that began at `start` ends at the first place from `from` on where what follows can
  // match.
  bool TextFrom(const Op* op, std::size_t start, std::size_t from, std::size_t* at) {
    std::size_t end = from;
    const Op* const next = op + 1;
    if (op->size != 0) {
      end = op->size == 1 ? text_.find(program_.literals[op->text], from)
                          : text_.find(program_.Text(*op), from);
      if (end == std::string_view::npos) {
        // The line may have been cut; but that there is no second place says nothing new.
        return from == start && Fail(Refusal::kForm, start, true);
      }
    } else if (next->code == OpCode::kAccept || next->code == OpCode::kEnd) {
      end = text_.size();
      while (end > from && IsBlankOrEnd(text_[end - 1])) {
        --end;
      }
    } else {
      while (end < text_.size() && !IsFirst(next, end)) {
        ++end;
      }
    }
    if (end < text_.size() &&
        !Remember({op, static_cast<std::uint32_t>(end + 1), static_cast<std::uint32_t>(start), true,
                   values_->present})) {
      return false;
    }
    KeepText(*op, text_, start, end, values_);
    *at = end;
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

  bool Return(const Op** op, std::size_t* at) {
    while (choices_used_ != 0) {
      const Choice choice = choices_[--choices_used_];
      values_->present = choice.present;
      if (!choice.text) {
        *op = choice.op;
        *at = choice.at;
        return true;
      }
      if (TextFrom(choice.op, choice.start, choice.at, at)) {
        *op = choice.op + 1;
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
