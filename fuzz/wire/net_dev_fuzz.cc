// Tables of counters that are none: found is what a line of that name holds, and nothing else.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/wire/net_dev.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mimi::internal::FindNetDev;
  const void* const bytes = data;
  const std::string_view text(static_cast<const char*>(bytes), size);
  const auto found = FindNetDev(text, "eth0");
  if (found.has_value() && text.find("eth0:") == std::string_view::npos) {
    std::abort();
  }
  const std::string before = "eth0: 1 2 3 4 5 6 7 8 9 10 11\n" + std::string(text);
  const auto first = FindNetDev(before, "eth0");
  if (!first.has_value() || first->received != 2 || first->sent != 10) {
    std::abort();
  }
  return 0;
}
