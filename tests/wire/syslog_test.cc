#include "src/wire/syslog.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

struct Wanted {
  std::string_view line;
  std::string_view host;
  std::string_view program;
  std::string_view message;
};

TEST_CASE("syslog: headers as boxes write them") {
  const Wanted cases[] = {
      {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "mymachine", "su", "'su root' failed"},
      {"<34>1 2003-10-11T22:14:15.003Z host.example.com su - ID47 - BOM", "host.example.com", "su",
       "BOM"},
      {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@1 b=\"]\\\"\"][c@2] \xEF\xBB\xBFtext",
       "h", "evntslog", "text"},
      {"<13>1 - - - - - - message", "", "", "message"},
      {"Oct  1 10:00:00 lb kernel: [12345.678901] IN=eth0", "lb", "kernel", "IN=eth0"},
      {"[  12.5] IN=eth0", "", "", "IN=eth0"},
      {"<166>Oct 10 2024 10:00:00: %ASA-6-302013: Built", "", "", "%ASA-6-302013: Built"},
      {"<166>Oct 10 2024 10:00:00 fw01 : %ASA-6-302013: Built", "fw01", "", "%ASA-6-302013: Built"},
      {"<166>%ASA-6-302013: Built", "", "", "%ASA-6-302013: Built"},
      {"000123: *Oct 10 10:00:00.123 UTC: %SYS-5-X: y", "", "", "%SYS-5-X: y"},
      {"2024-10-10T10:00:00.1+02:00 h app[12]: m", "h", "app", "m"},
      {"2024/10/10 10:00:00 h app: m", "h", "app", "m"},
      {"Oct 10 10:00:00 relay Oct 10 10:00:01 box app: m", "box", "app", "m"},
      {"Oct 10 10:00:00 2001:db8::1 app: m", "2001:db8::1", "app", "m"},
      {"no header at all", "", "", "no header at all"},
      {"302013: Built", "", "", "302013: Built"},
      {"", "", "", ""},
  };
  for (const Wanted& wanted : cases) {
    CAPTURE(wanted.line);
    const SyslogHeader header = ParseSyslogHeader(wanted.line);
    CHECK(header.host == wanted.host);
    CHECK(header.program == wanted.program);
    CHECK(wanted.line.substr(header.message) == wanted.message);
  }
  CHECK(ParseSyslogHeader("<34>x").priority == 34);
  CHECK(ParseSyslogHeader("<13>1 - - - - - [meta x=\"1\" sequenceId=\"77\"] m").sequence == 77);
  CHECK(ParseSyslogHeader("000123: Oct 10 10:00:00: m").sequence == 123);
}

std::vector<std::string> Messages(std::string_view stream, std::size_t piece,
                                  bool* broken = nullptr) {
  SyslogFramer framer(32);
  std::string input;
  std::vector<std::string> messages;
  while (!stream.empty()) {
    input += stream.substr(0, piece);
    stream.remove_prefix(std::min(piece, stream.size()));
    for (;;) {
      std::string_view message;
      std::size_t used = 0;
      bool cut = false;
      const auto result = framer.Next(input, &message, &used, &cut);
      if (result == SyslogFramer::Result::kMessage) {
        messages.push_back(std::string(message) + (cut ? "..." : ""));
      } else if (result == SyslogFramer::Result::kBroken) {
        *broken = true;
        return messages;
      } else if (used == 0) {
        break;
      }
      input.erase(0, used);
    }
  }
  return messages;
}

TEST_CASE("syslog: streams are cut the same, in whatever pieces they come") {
  const std::string counted = "5 <1>ab6 <1>a\nb\n40 " + std::string(40, 'x') + "3 end";
  const std::string lines = "<1>ab\r\n<1>c\n" + std::string(70, 'y') + "\nend\n";
  for (std::size_t piece = 1; piece < 90; ++piece) {
    CAPTURE(piece);
    CHECK(Messages(counted, piece) ==
          std::vector<std::string>{"<1>ab", "<1>a\nb", std::string(32, 'x') + "...", "end"});
    CHECK(Messages(lines, piece) ==
          std::vector<std::string>{"<1>ab", "<1>c", std::string(32, 'y') + "...", "end"});
  }
}

TEST_CASE("syslog: a stream that loses count is given up") {
  bool broken = false;
  CHECK(Messages("5 <1>abno count", 100, &broken) == std::vector<std::string>{"<1>ab"});
  CHECK(broken);
}

}  // namespace
}  // namespace mimi
