#include "src/rules/template_compiler.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "src/base/suggest.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

constexpr std::size_t kMaxOps = 2000;
constexpr int kMaxDepth = 8;

struct TypeName {
  std::string_view name;
  FieldKind field;
  std::uint64_t max = 0;
  bool zero_is_none = false;
};

constexpr std::array kTypes = std::to_array<TypeName>({
    {"ip", FieldKind::kIp},
    {"ipv4", FieldKind::kIpv4},
    {"ipv6", FieldKind::kIpv6},
    {"some_ip", FieldKind::kIp, 0, true},
    {"port", FieldKind::kPort},
    {"some_port", FieldKind::kPort, 0, true},
    {"u8", FieldKind::kNumber, 0xff},
    {"u16", FieldKind::kNumber, 0xffff},
    {"u32", FieldKind::kNumber, 0xffffffff},
    {"u64", FieldKind::kNumber, std::numeric_limits<std::uint64_t>::max()},
    {"hex", FieldKind::kHex},
    {"protocol", FieldKind::kProtocol},
    {"word", FieldKind::kWord},
    {"label", FieldKind::kLabel},
    {"inner", FieldKind::kInner},
    {"quoted", FieldKind::kQuoted},
    {"csv", FieldKind::kCsv},
    {"duration", FieldKind::kDuration},
});

class Compiler {
 public:
  Compiler(const TemplateContext& context, VariableNames* variables, Program* program)
      : context_(context), variables_(variables), program_(program) {}

  std::optional<TemplateMistake> Compile(std::string_view text) {
    if (Sequence(text, 0, 0)) {
      FlushLiteral();
      Add({.code = OpCode::kAccept});
      LinkTexts();
      PlanLookahead(program_);
    }
    return std::move(mistake_);
  }

 private:
  // Everything from `at` on; the text of a template, of a branch, or of a part.
  bool Sequence(std::string_view text, std::size_t base, int depth) {
    if (depth > kMaxDepth) {
      return Wrong(base, fmt::format("nested more than {} deep", kMaxDepth));
    }
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (c == '\\') {
        if (at + 1 == text.size() ||
            std::string_view("{}|\\").find(text[at + 1]) == std::string_view::npos) {
          return Wrong(base + at, R"(after \ comes one of { } | \)");
        }
        literal_ += text[at + 1];
        at += 2;
      } else if (c == '{') {
        const std::size_t end = Closing(text, at);
        if (end == std::string_view::npos) {
          return Wrong(base + at, "this { has no }; a brace of the line itself is \\{");
        }
        if (!Braces(text.substr(at + 1, end - at - 1), base + at + 1, depth)) {
          return false;
        }
        at = end + 1;
      } else if (c == '}') {
        return Wrong(base + at, "this } closes nothing; a brace of the line itself is \\}");
      } else {
        literal_ += c;
        ++at;
      }
    }
    return true;
  }

  static std::size_t Closing(std::string_view text, std::size_t open) {
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '{') {
        ++depth;
      } else if (text[i] == '}' && --depth == 0) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  // What stands in braces.
  bool Braces(std::string_view inside, std::size_t base, int depth) {
    if (inside.empty()) {
      return Wrong(base, "expected a name, :type, or one of ? | @ * $ and a blank");
    }
    if (pairs_seen_) {
      return Wrong(base, "{pairs} is the rest of the line: nothing can follow it");
    }
    switch (inside[0]) {
      case '?':
        return Optional(inside.substr(1), base + 1, depth);
      case '|':
        return Alternatives(inside.substr(1), base + 1, depth);
      case '@':
        return Part(inside.substr(1), base + 1, depth);
      case ' ':
        return inside.size() == 1 ? Simple({.code = OpCode::kBlanks})
                                  : Wrong(base, "{ } is one blank in braces");
      case '$':
        return inside.size() == 1 ? Simple({.code = OpCode::kEnd})
                                  : Wrong(base + 1, "{$} takes nothing");
      case '*':
        return inside.size() == 1 ? Simple({.code = OpCode::kText})
                                  : Wrong(base + 1, "{*} takes nothing");
      default:
        break;
    }
    if (inside == "pairs") {
      pairs_seen_ = true;
      return context_.pairs_allowed
                 ? Simple({.code = OpCode::kPairs})
                 : Wrong(base, "{pairs} stands only in the match of a rule that has a table pairs");
    }
    return Variable(inside, base);
  }

  bool Simple(const Op& op) {
    FlushLiteral();
    return Add(op);
  }

  bool Optional(std::string_view inside, std::size_t base, int depth) {
    FlushLiteral();
    const std::size_t split = program_->ops.size();
    if (!Add({.code = OpCode::kSplit}) || !Sequence(inside, base, depth + 1)) {
      return false;
    }
    FlushLiteral();
    program_->ops[split].target = Here();
    return true;
  }

  bool Alternatives(std::string_view inside, std::size_t base, int depth) {
    FlushLiteral();
    const std::set<std::string, std::less<>> before = seen_;
    std::set<std::string, std::less<>> after = seen_;
    std::vector<std::size_t> jumps;
    for (std::size_t from = 0;;) {
      const std::size_t bar = NextBar(inside, from);
      const bool last = bar == inside.size();
      const std::size_t split = program_->ops.size();
      seen_ = before;
      if ((!last && !Add({.code = OpCode::kSplit})) ||
          !Sequence(inside.substr(from, bar - from), base + from, depth + 1)) {
        return false;
      }
      FlushLiteral();
      after.insert(seen_.begin(), seen_.end());
      if (last) {
        break;
      }
      jumps.push_back(program_->ops.size());
      if (!Add({.code = OpCode::kJump})) {
        return false;
      }
      program_->ops[split].target = Here();
      from = bar + 1;
    }
    for (const std::size_t jump : jumps) {
      program_->ops[jump].target = Here();
    }
    seen_ = std::move(after);
    return true;
  }

  // The next | of this level, or the end.
  static std::size_t NextBar(std::string_view text, std::size_t from) {
    int depth = 0;
    for (std::size_t i = from; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '{') {
        ++depth;
      } else if (text[i] == '}') {
        --depth;
      } else if (text[i] == '|' && depth == 0) {
        return i;
      }
    }
    return text.size();
  }

  bool Part(std::string_view name, std::size_t base, int depth) {
    const auto found = context_.parts == nullptr
                           ? std::map<std::string, std::string, std::less<>>::const_iterator()
                           : context_.parts->find(name);
    if (context_.parts == nullptr || found == context_.parts->end()) {
      return Wrong(base, fmt::format("there is no part \"{}\"", name));
    }
    if (!Sequence(found->second, 0, depth + 1)) {
      mistake_ = TemplateMistake{base, fmt::format("in the part {}, at its character {}: {}", name,
                                                   mistake_->offset + 1, mistake_->what)};
      return false;
    }
    return true;
  }

  // name, name:type, :type, :csv*3
  bool Variable(std::string_view inside, std::size_t base) {
    const std::size_t colon = std::min(inside.find(':'), inside.size());
    const std::string_view name = inside.substr(0, colon);
    std::string_view type = inside.substr(std::min(colon + 1, inside.size()));
    std::uint8_t slot = kNoSlot;
    if (!name.empty() && !Declare(name, base, &slot)) {
      return false;
    }
    if (colon == inside.size() || type == "text") {
      return Simple({.code = OpCode::kText, .slot = slot});
    }
    std::size_t times = 1;
    if (const std::size_t star = type.find('*'); star != std::string_view::npos) {
      const std::string_view count = type.substr(star + 1);
      const auto [stop, error] = std::from_chars(count.data(), count.data() + count.size(), times);
      if (error != std::errc() || stop != count.data() + count.size() || times < 1 || times > 200 ||
          slot != kNoSlot) {
        return Wrong(base + colon + 1 + star, "expected a count from 1 to 200, and no name");
      }
      type = type.substr(0, star);
    }
    Op op{.code = OpCode::kField, .slot = slot};
    if (!FindType(type, base + colon + 1, &op)) {
      return false;
    }
    for (std::size_t i = 0; i < times; ++i) {
      if (i != 0) {
        literal_ += ',';
      }
      if (!Simple(op)) {
        return false;
      }
    }
    return true;
  }

  bool Declare(std::string_view name, std::size_t base, std::uint8_t* slot) {
    const bool legal = name[0] >= 'a' && name[0] <= 'z' && name.size() <= 40 &&
                       std::ranges::all_of(name, [](char c) {
                         return IsDigit(c) || c == '_' || (c >= 'a' && c <= 'z');
                       });
    if (!legal) {
      return Wrong(base, fmt::format("\"{}\" is no name: expected [a-z][a-z0-9_]*", name));
    }
    if (!seen_.emplace(name).second) {
      return Wrong(base, fmt::format("{} was there before: two values need two names", name));
    }
    const std::optional<std::uint8_t> index = variables_->Add(name);
    if (!index) {
      return Wrong(base, fmt::format("more than {} names in one rule", kMaxVariables));
    }
    *slot = *index;
    return true;
  }

  bool FindType(std::string_view name, std::size_t base, Op* op) {
    const auto found = std::ranges::find(kTypes, name, &TypeName::name);
    if (found != kTypes.end()) {
      op->field = found->field;
      op->max = found->max;
      op->zero_is_none = found->zero_is_none;
      return true;
    }
    if (context_.enums != nullptr) {
      if (const auto table = context_.enums->find(name); table != context_.enums->end()) {
        op->field = FieldKind::kEnum;
        op->target = static_cast<std::uint16_t>(program_->enums.size());
        program_->enums.push_back(table->second);
        return true;
      }
    }
    std::vector<std::string_view> names = {"text"};
    for (const TypeName& known : kTypes) {
      names.push_back(known.name);
    }
    if (context_.enums != nullptr) {
      for (const auto& [known, table] : *context_.enums) {
        names.push_back(known);
      }
    }
    return Wrong(base, fmt::format("unknown type \"{}\"{}", name, DidYouMean(name, names)));
  }

  bool Add(const Op& op) {
    if (program_->ops.size() >= kMaxOps) {
      return Wrong(0, fmt::format("longer than {} steps", kMaxOps));
    }
    program_->ops.push_back(op);
    return true;
  }

  void FlushLiteral() {
    if (literal_.empty()) {
      return;
    }
    program_->ops.push_back({.code = OpCode::kLiteral,
                             .text = static_cast<std::uint32_t>(program_->literals.size()),
                             .size = static_cast<std::uint32_t>(literal_.size())});
    program_->literals += literal_;
    literal_.clear();
  }

  // Text before a literal ends where the literal is: it need not be tried at each place between.
  void LinkTexts() {
    for (std::size_t i = 0; i + 1 < program_->ops.size(); ++i) {
      const Op& next = program_->ops[i + 1];
      if (program_->ops[i].code == OpCode::kText && next.code == OpCode::kLiteral) {
        program_->ops[i].text = next.text;
        program_->ops[i].size = next.size;
      }
    }
  }

  std::uint16_t Here() const { return static_cast<std::uint16_t>(program_->ops.size()); }

  bool Wrong(std::size_t offset, std::string what) {
    if (!mistake_) {
      mistake_ = TemplateMistake{offset, std::move(what)};
    }
    return false;
  }

  const TemplateContext& context_;
  VariableNames* variables_;
  Program* program_;
  std::string literal_;
  std::set<std::string, std::less<>> seen_;
  bool pairs_seen_ = false;
  std::optional<TemplateMistake> mistake_;
};

}  // namespace

std::optional<std::uint8_t> VariableNames::Add(std::string_view name) {
  if (const auto index = Find(name)) {
    return index;
  }
  if (names_.size() == kMaxVariables) {
    return std::nullopt;
  }
  names_.emplace_back(name);
  return static_cast<std::uint8_t>(names_.size() - 1);
}

std::optional<std::uint8_t> VariableNames::Find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  return found == names_.end() ? std::nullopt
                               : std::optional(static_cast<std::uint8_t>(found - names_.begin()));
}

std::optional<TemplateMistake> CompileTemplate(std::string_view text,
                                               const TemplateContext& context,
                                               VariableNames* variables, Program* program) {
  return Compiler(context, variables, program).Compile(text);
}

}  // namespace mimi::rules
