// What must hold for every schema and every row, tried on random ones. Each round has its own seed
// and prints it when it fails.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/json.h"
#include "mimi/record.h"
#include "mimi/schema.h"

#include "src/base/bytes.h"
#include "src/state/row.h"
#include "tests/state/random_schema.h"

namespace mimi {
namespace {

using testing::Below;
using testing::Random;
using testing::RandomRow;
using testing::RandomSchema;

constexpr std::uint64_t kRounds = 300;

bool IsNan(const StateSchema& schema, std::span<const std::byte> row) {
  return std::ranges::any_of(schema.fields(), [&](const Field& field) {
    constexpr std::uint64_t kExponent = 0x7FF0000000000000;
    return field.type == FieldType::kF64 && (FieldNumber(field, row) & kExponent) == kExponent;
  });
}

TEST_CASE("property: schemas come back from bytes and from JSON") {
  for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const StateSchema schema = RandomSchema(random);
    const absl::StatusOr<StateSchema> bytes = StateSchema::Parse(schema.Serialize());
    REQUIRE_MESSAGE(bytes.ok(), bytes.status().ToString());
    CHECK(*bytes == schema);
    CHECK(bytes->fingerprint() == schema.fingerprint());
    const absl::StatusOr<StateSchema> json = StateSchema::FromJson(schema.ToJson());
    REQUIRE_MESSAGE(json.ok(), json.status().ToString() << "\n" << schema.ToJson());
    CHECK(*json == schema);
    CHECK(json->fingerprint() == schema.fingerprint());
  }
}

TEST_CASE("property: rows come back from JSON") {
  for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const StateSchema schema = RandomSchema(random);
    const std::vector<std::byte> row = RandomRow(random, schema);
    REQUIRE(schema.CheckRow(row).ok());
    const std::string json = RowToJson(schema, row);
    const auto back = RowFromJson(schema, json);
    REQUIRE_MESSAGE(back.ok(), back.status().ToString() << "\n" << json);
    if (!IsNan(schema, row)) {  // JSON keeps no NaN's payload
      CHECK_MESSAGE(*back == row, json);
    }
  }
}

TEST_CASE("property: a batch of random records is read back, and every damage to it is refused") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const StateSchema schema = RandomSchema(random);
    BatchBuilder builder(schema, random());
    std::vector<RecordView> sent;
    std::vector<std::vector<std::byte>> rows(1 + Below(random, 6));
    const bool versioned = Below(random, 2) == 0;
    for (std::vector<std::byte>& row : rows) {
      row = RandomRow(random, schema);
      RecordView record{.op = Below(random, 3) == 0 ? Op::kErase : Op::kPut,
                        .row = row,
                        .key = std::span<const std::byte>(row).first(schema.key_size()),
                        .origin = random(),
                        .version = {random(), random()}};
      sent.push_back(record);
      REQUIRE((versioned               ? builder.AppendVersioned(record)
               : record.op == Op::kPut ? builder.Put(record.row)
                                       : builder.Erase(record.key)));
    }
    const std::uint64_t term = random();
    const std::uint64_t first = random() >> 1;
    const BatchView sealed = builder.Seal(term, first, UnixTime(Duration(12345)));
    std::vector<std::byte> bytes(sealed.bytes().begin(), sealed.bytes().end());
    BatchView view;
    REQUIRE(BatchView::TryParse(bytes, &view) == BatchRefusal::kNone);
    REQUIRE(view.size() == sent.size());
    std::size_t i = 0;
    for (const RecordView record : view) {
      CHECK(record.op == sent[i].op);
      CHECK(AsText(record.key) == AsText(sent[i].key));
      CHECK((record.op == Op::kErase || AsText(record.row) == AsText(sent[i].row)));
      CHECK(record.version == (versioned ? sent[i].version : Version{term, first + i}));
      ++i;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK(BatchView::TryParse(std::span(bytes).first(size), &view) != BatchRefusal::kNone);
    }
    for (std::byte& byte : bytes) {
      const std::byte was = byte;
      byte ^= static_cast<std::byte>(1 + Below(random, 255));
      CHECK(BatchView::TryParse(bytes, &view) != BatchRefusal::kNone);
      byte = was;
    }
  }
}

TEST_CASE("property: an older program's row between two newer ones keeps the tail") {
  for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const StateSchema schema = RandomSchema(random);
    const std::vector<std::byte> stored = RandomRow(random, schema);
    const std::vector<std::byte> change = RandomRow(random, schema);
    const auto prefix = schema.prefixes()[Below(random, schema.prefixes().size())];
    std::vector<std::byte> out(schema.row_size());
    ExtendRow(schema, std::span(change).first(prefix.row_size), stored, out);
    const auto cut = static_cast<std::ptrdiff_t>(prefix.row_size);
    CHECK(std::equal(out.begin(), out.begin() + cut, change.begin()));
    CHECK(std::equal(out.begin() + cut, out.end(), stored.begin() + cut));
    ExtendRow(schema, std::span(change).first(prefix.row_size), {}, out);
    CHECK(std::equal(out.begin() + cut, out.end(), schema.default_row().begin() + cut));
    CHECK(schema.CheckRow(std::span(change).first(prefix.row_size)).ok());
  }
}

}  // namespace
}  // namespace mimi
