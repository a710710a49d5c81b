// Rows and records from hostile JSON: an accepted row passes its own schema's check, and its JSON
// is read back as the same row.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mimi/json.h"

#include "fuzz/fuzz.h"

namespace {

// A field of each kind that has text of its own; f64 apart, whose NaNs do not come back.
const mimi::StateSchema& Schema() {
  using mimi::FieldType;
  static const mimi::StateSchema schema = *mimi::StateSchema::Builder("t", 1)
                                               .Key("k", FieldType::kU8)
                                               .Value("n", FieldType::kU64)
                                               .Value("i", FieldType::kI64)
                                               .Value("ip", FieldType::kIp)
                                               .Value("mac", FieldType::kMac)
                                               .Value("p", FieldType::kIpProtocol)
                                               .Value("at", FieldType::kTime)
                                               .Value("d", FieldType::kDuration)
                                               .Value("e", FieldType::kEnum)
                                               .Enum({{"x", 0}, {"y", 9}})
                                               .Value("b", FieldType::kBytes, 2)
                                               .Value("t", FieldType::kText, 5)
                                               .Build();
  return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto row = mimi::RowFromJson(Schema(), text); row.ok()) {
    const auto again = mimi::RowFromJson(Schema(), mimi::RowToJson(Schema(), *row));
    if (!again.ok() || *again != *row || !Schema().CheckRow(*row).ok()) {
      std::abort();
    }
  }
  if (const auto record = mimi::RecordFromJson(Schema(), text); record.ok()) {
    const std::string json = mimi::RecordToJson(Schema(), record->view(Schema().key_size()));
    if (!mimi::RecordFromJson(Schema(), json).ok()) {
      std::abort();
    }
  }
  return 0;
}
