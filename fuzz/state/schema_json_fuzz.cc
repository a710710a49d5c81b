// Definitions of schemas in hostile JSON: an accepted one is defined the same by its own JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mimi/schema.h"

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto schema =
      mimi::StateSchema::FromJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!schema.ok()) {
    return 0;
  }
  const auto again = mimi::StateSchema::FromJson(schema->ToJson());
  if (!again.ok() || again->fingerprint() != schema->fingerprint()) {
    std::abort();
  }
  return 0;
}
