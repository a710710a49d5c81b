#ifndef MIMI_SRC_WIRE_SYSLOG_H_
#define MIMI_SRC_WIRE_SYSLOG_H_

// Syslog: the header of a message, and where messages end in a stream.
//
// RFC 5424 is read as written. What calls itself RFC 3164 is read as boxes really write it: with or
// without priority, with any of a dozen timestamps or none, with or without a host, with a tag or
// straight to the message, and once more with a second header when a relay put its own before.
//
// Threads: values; any. Lifetime: the views are into the line.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mimi {

struct SyslogHeader {
  std::uint8_t priority = 13;  ///< user.notice, as RFC 3164 section 4.3.3 says, when there is none
  bool rfc5424 = false;
  bool stamped = false;      ///< there was a timestamp
  std::string_view host;     ///< empty: not told
  std::string_view program;  ///< "kernel", "RT_FLOW"; empty: not told
  bool process = false;      ///< the program told its process id
  std::size_t message = 0;   ///< where the message begins, behind the tag
  std::size_t tag = 0;       ///< where it would begin were the tag a part of it
  /// RFC 5424 section 7.3.1, `meta sequenceId`, or the count that Cisco's boxes write before the
  /// timestamp; 0: the sender does not number.
  std::uint32_t sequence = 0;
};

/// Every line has a header, be it an empty one.
SyslogHeader ParseSyslogHeader(std::string_view line);

/// Cuts a stream into messages (RFC 6587): by octet counts ("83 <34>1 …") or by newlines (or NULs),
/// whichever the first byte of the connection says.
class SyslogFramer {
 public:
  explicit SyslogFramer(std::size_t max_message) : max_message_(max_message) {}

  enum class Result : std::uint8_t {
    kMessage,  ///< one message; it may be cut at max_message
    kMore,     ///< what is there is not whole
    kBroken,   ///< no count where one must be: the connection cannot be understood any more
  };
  /// Looks at the front of `input`. kMessage: `*message` is a view into it, and `*used` of it are
  /// done. kMore: `*used` may be over 0, when what was read belongs to nobody (the rest of a
  /// message that is longer than the limit). `*cut`: the message was longer.
  Result Next(std::string_view input, std::string_view* message, std::size_t* used, bool* cut);

  /// Whether the stream, should it end here with `input` unread, ends inside a message.
  bool Inside(std::string_view input) const { return skip_ != 0 || skip_line_ || !input.empty(); }

 private:
  Result Counted(std::string_view input, std::string_view* message, std::size_t* used, bool* cut);
  Result Line(std::string_view input, std::string_view* message, std::size_t* used, bool* cut);

  enum class Framing : std::uint8_t { kUnknown, kCounted, kLines };
  std::size_t max_message_;
  Framing framing_ = Framing::kUnknown;
  std::size_t skip_ = 0;    ///< bytes of a message that was cut
  bool skip_line_ = false;  ///< the same up to the next newline
};

}  // namespace mimi

#endif  // MIMI_SRC_WIRE_SYSLOG_H_
