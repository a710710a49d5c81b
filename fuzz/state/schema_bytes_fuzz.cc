// Schemas from hostile bytes: an accepted one is written as bytes that say the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mimi/schema.h"

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto schema =
      mimi::StateSchema::Parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!schema.ok()) {
    return 0;
  }
  const auto again = mimi::StateSchema::Parse(schema->Serialize());
  if (!again.ok() || !(*again == *schema) || again->fingerprint() != schema->fingerprint() ||
      !schema->CheckCompatible(*again).ok() || !schema->CheckRow(schema->default_row()).ok()) {
    std::abort();
  }
  return 0;
}
