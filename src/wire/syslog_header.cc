#include <algorithm>
#include <array>

#include "src/base/byte_set.h"
#include "src/base/find_byte.h"
#include "src/wire/syslog.h"

namespace mimi {
namespace {

// Three letters as one number.
constexpr std::uint32_t Three(char a, char b, char c) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(a)) << 16 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(b)) << 8 |
         static_cast<unsigned char>(c);
}

constexpr bool IsMonth(std::uint32_t three) {
  switch (three) {
    case Three('J', 'a', 'n'):
    case Three('F', 'e', 'b'):
    case Three('M', 'a', 'r'):
    case Three('A', 'p', 'r'):
    case Three('M', 'a', 'y'):
    case Three('J', 'u', 'n'):
    case Three('J', 'u', 'l'):
    case Three('A', 'u', 'g'):
    case Three('S', 'e', 'p'):
    case Three('O', 'c', 't'):
    case Three('N', 'o', 'v'):
    case Three('D', 'e', 'c'):
      return true;
    default:
      return false;
  }
}

constexpr ByteSet kInTag("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/.");
constexpr ByteSet kNoHost("=\"%<>()[]{},;'|");

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Reads a header from the front, piece by piece.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view line) : line_(line) {}

  SyslogHeader Read() {
    const bool priority = Priority();
    if (priority && Starts("1 ") && Rfc5424()) {
      return header_;
    }
    Sloppy(priority);
    header_.message = at_;
    return header_;
  }

 private:
  bool Starts(std::string_view text) const { return line_.substr(at_).starts_with(text); }
  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < line_.size() ? line_[at_ + ahead] : '\0';
  }
  void Blanks() {
    while (Peek() == ' ' || Peek() == '\t') {
      ++at_;
    }
  }
  std::size_t Digits(std::size_t from) const {
    std::size_t count = 0;
    while (from + count < line_.size() && IsDigit(line_[from + count])) {
      ++count;
    }
    return count;
  }

  bool Priority() {
    const std::size_t digits = Peek() == '<' ? Digits(1) : 0;
    if (digits < 1 || digits > 3 || Peek(digits + 1) != '>') {
      return false;
    }
    unsigned value = 0;
    for (std::size_t i = 1; i <= digits; ++i) {
      value = value * 10 + static_cast<unsigned>(line_[i] - '0');
    }
    if (value <= 191) {
      header_.priority = static_cast<std::uint8_t>(value);
    }
    at_ = digits + 2;
    return true;
  }

  // RFC 5424 section 6: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG].
  bool Rfc5424() {
    const std::size_t start = at_;
    at_ += 2;
    const std::string_view time = Token();
    if (time != "-" && (time.size() < 19 || time[4] != '-' || !IsDigit(time[0]))) {
      at_ = start;  // "<13>1 is no version here"
      return false;
    }
    header_.rfc5424 = true;
    header_.stamped = time != "-";
    header_.host = Told(Token());
    header_.program = Told(Token());
    Token();
    Token();
    if (Starts("-")) {
      ++at_;
    } else {
      StructuredData();
    }
    Blanks();
    if (Starts("\xEF\xBB\xBF")) {
      at_ += 3;
    }
    header_.message = header_.tag = at_;
    return true;
  }

  static std::string_view Told(std::string_view token) {
    return token == "-" ? std::string_view() : token;
  }

  std::string_view Token() {
    const std::size_t end = std::min(line_.find(' ', at_), line_.size());
    const std::string_view token = line_.substr(at_, end - at_);
    at_ = std::min(end + 1, line_.size());
    return token;
  }

  // [id name="value" …][…]; in a value, \ stands before ", \ and ].
  void StructuredData() {
    while (Peek() == '[') {
      const std::size_t start = ++at_;
      bool quoted = false;
      while (at_ < line_.size() && (quoted || line_[at_] != ']')) {
        if (line_[at_] == '\\' && quoted) {
          ++at_;
        } else if (line_[at_] == '"') {
          quoted = !quoted;
        }
        ++at_;
      }
      at_ = std::min(at_, line_.size());
      const std::string_view element = line_.substr(start, at_ - start);
      if (element.starts_with("meta ")) {
        Sequence(element);
      }
      at_ = std::min(at_ + 1, line_.size());
    }
  }

  void Sequence(std::string_view meta) {
    constexpr std::string_view kName = " sequenceId=\"";
    const std::size_t found = meta.find(kName);
    if (found == std::string_view::npos) {
      return;
    }
    std::uint64_t value = 0;
    for (std::size_t i = found + kName.size(); i < meta.size() && IsDigit(meta[i]); ++i) {
      value = std::min<std::uint64_t>(value * 10 + static_cast<std::uint64_t>(meta[i] - '0'),
                                      std::uint64_t{1} << 32);
    }
    if (value <= 0x7fffffff) {
      header_.sequence = static_cast<std::uint32_t>(value);
    }
  }

  void Sloppy(bool priority) {
    Blanks();
    for (int headers = 0; headers < 2; ++headers) {  // a relay's own, and the sender's
      Number();
      if (!Timestamp()) {
        break;
      }
      header_.stamped = true;
      Blanks();
      if (Starts(": ")) {  // "Oct 10 2024 10:00:00: %ASA-…"
        at_ += 2;
        Blanks();
      }
      Host();
    }
    header_.tag = at_;
    if (priority || header_.stamped) {
      Tag();
    } else if (Starts("kernel:")) {
      header_.program = line_.substr(at_, 6);
      at_ += 7;
      Blanks();
    }
    if (header_.program.empty() || header_.program == "kernel") {
      KernelTime();
    }
  }

  // Cisco's own count, and the mark of a clock that is not set: "000123: *Mar  1 …".
  void Number() {
    const std::size_t start = at_;
    const std::size_t digits = Digits(at_);
    std::uint32_t count = 0;
    if (digits != 0 && digits <= 9 && Peek(digits) == ':' && Peek(digits + 1) == ' ') {
      for (; IsDigit(Peek()); ++at_) {
        count = count * 10 + static_cast<std::uint32_t>(Peek() - '0');
      }
      at_ += 2;
    }
    if (Peek() == '*' || Peek() == '.') {
      ++at_;
    }
    if (at_ == start) {
      return;
    }
    const std::size_t behind = at_;
    if (!Timestamp()) {
      at_ = start;
    } else {
      at_ = behind;
      header_.sequence = count;
    }
  }

  bool Timestamp() { return MonthFirst() || YearFirst(); }

  // "Oct  1 10:00:00", "Oct 1 2024 10:00:00.123 UTC", "Oct 1 10:00:00 2024"
  bool MonthFirst() {
    if (Peek(3) != ' ' || !IsMonth(Three(Peek(), Peek(1), Peek(2)))) {
      return false;
    }
    const std::size_t start = at_;
    at_ += 3;
    Blanks();
    const std::size_t day = Digits(at_);
    at_ += day;
    Blanks();
    if (Digits(at_) == 4 && Peek(4) == ' ') {
      at_ += 5;
      Blanks();
    }
    if (day < 1 || day > 2 || !Clock()) {
      at_ = start;
      return false;
    }
    if (Peek() == ' ' && Digits(at_ + 1) == 4 &&
        (Peek(5) == ' ' || (Peek(5) == ':' && Peek(6) == ' '))) {
      at_ += 5;
    }
    Zone();
    return true;
  }

  // "2024-10-01T10:00:00.123456+02:00", "2024/10/01 10:00:00"
  bool YearFirst() {
    const char dash = Peek(4);
    if (Digits(at_) != 4 || (dash != '-' && dash != '/') || Digits(at_ + 5) != 2 ||
        Peek(7) != dash || Digits(at_ + 8) != 2 || (Peek(10) != 'T' && Peek(10) != ' ')) {
      return false;
    }
    const std::size_t start = at_;
    at_ += 11;
    if (!Clock()) {
      at_ = start;
      return false;
    }
    if (Peek() == 'Z') {
      ++at_;
    } else if ((Peek() == '+' || Peek() == '-') && Digits(at_ + 1) >= 2) {
      at_ += 3;
      at_ += Peek() == ':' ? std::size_t{1} : 0;
      at_ += Digits(at_);
    }
    Zone();
    return true;
  }

  // "10:00:00", "9:00:00"
  bool Clock() {
    if (!IsDigit(Peek())) {
      return false;
    }
    const std::size_t hours = IsDigit(Peek(1)) ? 2 : 1;
    const auto two = [this](std::size_t ahead) {
      return IsDigit(Peek(ahead)) && IsDigit(Peek(ahead + 1));
    };
    if (Peek(hours) != ':' || !two(hours + 1) || Peek(hours + 3) != ':' || !two(hours + 4) ||
        IsDigit(Peek(hours + 6))) {
      return false;
    }
    at_ += hours + 6;
    if ((Peek() == '.' || Peek() == ',') && IsDigit(Peek(1))) {
      at_ += 1 + Digits(at_ + 1);
    }
    return true;
  }

  // " UTC", " CEST": three or four capitals, and not the host's name: a host follows it, or a
  // colon.
  void Zone() {
    std::size_t size = 0;
    while (Peek() == ' ' && Peek(1 + size) >= 'A' && Peek(1 + size) <= 'Z') {
      ++size;
    }
    if (size < 3 || size > 4) {
      return;
    }
    constexpr std::array<std::string_view, 20> kZones = {
        "UTC", "GMT", "CET", "CEST", "EST", "EDT", "CST", "CDT",  "MST", "MDT",
        "PST", "PDT", "BST", "IST",  "JST", "MSK", "EET", "EEST", "WET", "AEST"};
    const std::string_view word = line_.substr(std::min(at_ + 1, line_.size()), size);
    const char behind = Peek(1 + size);
    if (std::ranges::find(kZones, word) != kZones.end() && (behind == ' ' || behind == ':')) {
      at_ += 1 + size;
    }
  }

  // A word that is no tag and no message: what follows has to go on like a header.
  void Host() {
    const std::size_t end = FindByte<' '>(line_, at_);
    const std::string_view word = line_.substr(at_, end - at_);
    const bool name = !word.empty() && kNoHost.FindIn(word) == word.size();
    if (!name || end == line_.size() || (word.ends_with(':') && IsLetter(word[0]) && !IsV6(word))) {
      return;
    }
    header_.host = word;
    at_ = end + 1;
    Blanks();
    if (Starts(": ")) {  // "fw01 : %ASA-…"
      at_ += 2;
      Blanks();
    }
  }

  static bool IsV6(std::string_view word) {
    return word.size() > 2 && word.find("::") != word.npos &&
           word.find_first_not_of("0123456789abcdefABCDEF:") == word.npos;
  }

  // "kernel:", "RT_FLOW:", "ulogd[812]:", "filterlog[1]:"; in a line without one nothing is taken.
  void Tag() {
    std::size_t size = 0;
    if (IsLetter(Peek())) {
      while (at_ + size < line_.size() && kInTag.contains(line_[at_ + size])) {
        ++size;
      }
    }
    std::size_t end = size;
    if (size != 0 && Peek(end) == '[') {
      const std::size_t digits = Digits(at_ + end + 1);
      if (Peek(end + 1 + digits) != ']') {
        return;
      }
      end += digits + 2;
      header_.process = true;
    }
    if (size == 0 || size > 48 || Peek(end) != ':' ||
        (Peek(end + 1) != ' ' && Peek(end + 1) != '\0')) {
      return;
    }
    header_.program = line_.substr(at_, size);
    at_ = std::min(at_ + end + 1, line_.size());
    Blanks();
  }

  // "[12345.678901] ": seconds since the kernel started.
  void KernelTime() {
    if (Peek() != '[') {
      return;
    }
    std::size_t at = 1;
    while (Peek(at) == ' ') {
      ++at;
    }
    const std::size_t seconds = Digits(at_ + at);
    const std::size_t fraction = Digits(at_ + at + seconds + 1);
    if (seconds == 0 || Peek(at + seconds) != '.' || fraction == 0 ||
        Peek(at + seconds + 1 + fraction) != ']') {
      return;
    }
    at_ += at + seconds + fraction + 2;
    Blanks();
  }

  std::string_view line_;
  std::size_t at_ = 0;
  SyslogHeader header_;
};

}  // namespace

SyslogHeader ParseSyslogHeader(std::string_view line) {
  return HeaderReader(line).Read();
}

}  // namespace mimi
