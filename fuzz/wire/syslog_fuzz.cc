// Streams of syslog from hostile bytes, in two pieces and in one: the same messages must come out,
// and each header's views lie in its message.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "src/wire/syslog.h"

namespace {

constexpr std::size_t kMaxMessage = 64;

void Read(mimi::SyslogFramer& framer, std::string* input, std::vector<std::string>* messages) {
  for (;;) {
    std::string_view message;
    std::size_t used = 0;
    bool cut = false;
    const auto result = framer.Next(*input, &message, &used, &cut);
    if (used > input->size()) {
      std::abort();
    }
    if (result == mimi::SyslogFramer::Result::kMessage) {
      messages->emplace_back(message);
    } else if (result == mimi::SyslogFramer::Result::kBroken || used == 0) {
      return;
    }
    input->erase(0, used);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string all(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> whole;
  std::vector<std::string> pieces;
  mimi::SyslogFramer one(kMaxMessage);
  mimi::SyslogFramer two(kMaxMessage);
  std::string input = all;
  Read(one, &input, &whole);
  std::string first = all.substr(0, size / 2);
  Read(two, &first, &pieces);
  first += all.substr(size / 2);
  Read(two, &first, &pieces);
  if (whole != pieces) {
    std::abort();
  }
  for (const std::string& message : whole) {
    const mimi::SyslogHeader header = mimi::ParseSyslogHeader(message);
    if (message.size() > kMaxMessage || header.message > message.size() ||
        header.tag > header.message ||
        header.host.size() + header.program.size() > message.size()) {
      std::abort();
    }
  }
  return 0;
}
