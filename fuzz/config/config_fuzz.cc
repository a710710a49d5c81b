// Hostile configurations: every kind's reader, and each mistake told with its place. Nothing is
// built.
#include <cstdlib>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/base/status.h"
#include "src/cli/kinds.h"
#include "src/config/config.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* const bytes = data;
  const auto config = mimi::config::ReadConfig(
      std::string_view(static_cast<const char*>(bytes), size), "f", mimi::cli::AllKinds());
  if (config.ok() ? config->pair.empty() || config->roles == 0
                  : !mimi::Message(config.status()).starts_with("f:")) {
    std::abort();
  }
  return 0;
}
