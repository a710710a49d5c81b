#include "src/rules/source_text.h"

#include <algorithm>

#include <fmt/core.h>

namespace mimi::rules {
namespace {

using internal::Place;

constexpr std::size_t kShownColumns = 160;

std::size_t LineStart(std::string_view file, std::size_t line) {
  std::size_t at = 0;
  for (std::size_t i = 1; i < line && at < file.size(); ++i) {
    at = std::min(file.find('\n', at), file.size() - 1) + 1;
  }
  return at;
}

bool Continues(char c) {  // a byte within a UTF-8 character
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Walks over the source of a TOML string.
class StringWalker {
 public:
  StringWalker(std::string_view file, Place place) : file_(file), place_(place) {
    at_ = LineStart(file, place.line);
    for (std::size_t column = 1; column < place.column && at_ < file.size(); ++column) {
      Step();
    }
    place_ = place;
    const char quote = at_ < file.size() ? file[at_] : '\0';
    literal_ = quote == '\'';
    const bool multi = file_.substr(at_).starts_with(literal_ ? "'''" : "\"\"\"");
    for (std::size_t i = 0; i < (multi ? 3U : 1U) && at_ < file.size(); ++i) {
      Advance();
    }
    if (multi && at_ < file.size() && file_[at_] == '\n') {
      Advance();
    }
  }

  Place After(std::size_t bytes) {
    for (std::size_t done = 0; done < bytes && at_ < file_.size();) {
      done += Character();
    }
    Folded();
    return place_;
  }

 private:
  // One character of the string's value; how many bytes it has there.
  std::size_t Character() {
    Folded();
    if (!literal_ && at_ < file_.size() && file_[at_] == '\\') {
      const char kind = at_ + 1 < file_.size() ? file_[at_ + 1] : '\0';
      const std::size_t size = kind == 'u' ? 6 : kind == 'U' ? 10 : 2;
      for (std::size_t i = 0; i < size && at_ < file_.size(); ++i) {
        Advance();
      }
      return 1;  // escapes in templates are of ASCII
    }
    const std::size_t before = at_;
    Advance();
    return at_ - before;
  }

  // A backslash at the end of a line takes the blanks that follow with it.
  void Folded() {
    while (!literal_ && at_ + 1 < file_.size() && file_[at_] == '\\' && file_[at_ + 1] == '\n') {
      Advance();
      while (at_ < file_.size() &&
             (file_[at_] == '\n' || file_[at_] == ' ' || file_[at_] == '\t')) {
        Advance();
      }
    }
  }

  void Step() {
    ++at_;
    while (at_ < file_.size() && Continues(file_[at_])) {
      ++at_;
    }
  }

  void Advance() {
    if (file_[at_] == '\n') {
      place_ = {place_.line + 1, 1};
      ++at_;
      return;
    }
    ++place_.column;
    Step();
  }

  std::string_view file_;
  Place place_;
  std::size_t at_ = 0;
  bool literal_ = false;
};

}  // namespace

Place PlaceInString(std::string_view file, Place place, std::size_t offset) {
  return StringWalker(file, place).After(offset);
}

std::string WithCaret(std::string_view file, Place place, std::string_view what) {
  const std::size_t start = LineStart(file, place.line);
  std::string_view line = file.substr(start, std::min(file.find('\n', start), file.size()) - start);
  std::size_t column = place.column;
  if (line.size() > kShownColumns && column > kShownColumns / 2) {  // long lines: what is around it
    const std::size_t cut = std::min(column - kShownColumns / 2, line.size());
    line.remove_prefix(cut);
    column -= cut;
  }
  line = line.substr(0, kShownColumns);
  return fmt::format("{}\n    {}\n    {}^", what, line, std::string(column - 1, ' '));
}

}  // namespace mimi::rules
