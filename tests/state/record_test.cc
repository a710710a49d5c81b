#include "mimi/record.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/state/row.h"

namespace mimi {
namespace {

StateSchema LbFlow() {
  return *StateSchema::Builder("lb.flow", 1)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Build();
}

std::vector<std::byte> Row(std::string_view text) {
  const auto bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

constexpr UnixTime kTime{Duration{1'700'000'000'000'000'000}};

TEST_CASE("batch: what is sealed is read back, record by record") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, OriginOf("edge1"));
  REQUIRE(builder.Put(Row("abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl")));
  const BatchView sealed = builder.Seal(7, 41, kTime);

  const absl::StatusOr<BatchView> batch = BatchView::Parse(sealed.bytes());
  REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
  CHECK(batch->table() == TableIdOf("lb.flow"));
  CHECK(batch->fingerprint() == schema.fingerprint());
  CHECK(batch->origin() == OriginOf("edge1"));
  CHECK(batch->term() == 7);
  CHECK(batch->first_sequence() == 41);
  CHECK(batch->time() == kTime);
  CHECK(batch->row_size() == 10);
  CHECK(batch->key_size() == 6);
  REQUIRE(batch->size() == 2);

  const RecordView put = (*batch)[0];
  CHECK(put.op == Op::kPut);
  CHECK(AsText(put.row) == "abcdefWXYZ");
  CHECK(AsText(put.key) == "abcdef");
  CHECK(put.version == Version{7, 41});
  const RecordView erase = (*batch)[1];
  CHECK(erase.op == Op::kErase);
  CHECK(AsText(erase.key) == "ghijkl");
  CHECK(AsText(erase.row.subspan(6)) == std::string(4, '\0'));
  CHECK(erase.version == Version{7, 42});
}

TEST_CASE("batch: every truncation and every changed byte is refused") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, OriginOf("edge1"));
  REQUIRE(builder.Put(Row("abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl")));
  const BatchView sealed = builder.Seal(7, 41, kTime);
  std::vector<std::byte> bytes(sealed.bytes().begin(), sealed.bytes().end());
  BatchView view;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(BatchView::TryParse(std::span(bytes).first(size), &view) != BatchRefusal::kNone);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte was = bytes[i];
    for (unsigned value = 0; value < 256; ++value) {
      bytes[i] = static_cast<std::byte>(value);
      if (bytes[i] != was && BatchView::TryParse(bytes, &view) == BatchRefusal::kNone) {
        FAIL_CHECK("byte " << i << " as " << value << " is accepted");
      }
    }
    bytes[i] = was;
  }
  CHECK(BatchView::TryParse(bytes, &view) == BatchRefusal::kNone);
}

}  // namespace
}  // namespace mimi
