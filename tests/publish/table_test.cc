#include "mimi/table.h"

#include <cstddef>
#include <initializer_list>
#include <map>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/testing/virtual_loop.h"

#include "src/base/bytes.h"

namespace mimi {
namespace {

using std::chrono::seconds;
using Words = std::vector<std::uint32_t>;

StateSchema Schema(int values) {
  StateSchema::Builder builder("test.rows", 1);
  builder.Key("id", FieldType::kU32).Value("first", FieldType::kU32);
  if (values > 1) {
    const std::vector<std::byte> sevens(4, std::byte{7});
    builder.Value("second", FieldType::kU32).Default(sevens);
  }
  return *builder.Build();
}

std::vector<std::byte> Row(std::initializer_list<std::uint32_t> words) {
  std::vector<std::byte> row(words.size() * 4);
  std::size_t at = 0;
  for (const std::uint32_t word : words) {
    StoreLe(row.data() + at, word);
    at += 4;
  }
  return row;
}

// The words behind the key, or empty.
Words Values(const Table& table, std::uint32_t id) {
  std::vector<std::byte> row(table.schema().row_size());
  Words words;
  if (table.Lookup(Row({id}), row)) {
    CHECK(LoadLe<std::uint32_t>(row.data()) == id);
    for (std::size_t at = 4; at < row.size(); at += 4) {
      words.push_back(LoadLe<std::uint32_t>(row.data() + at));
    }
  }
  return words;
}

void Put(Table& table, BatchBuilder& builder, std::uint64_t sequence,
         std::initializer_list<std::uint32_t> row) {
  builder.Clear();
  REQUIRE(builder.Put(Row(row)));
  REQUIRE(table.Apply(builder.Seal(1, sequence, UnixTime())).ok());
}

void Erase(Table& table, BatchBuilder& builder, std::uint64_t sequence, std::uint32_t id) {
  builder.Clear();
  REQUIRE(builder.Erase(Row({id})));
  REQUIRE(table.Apply(builder.Seal(1, sequence, UnixTime())).ok());
}

TEST_CASE("table: what is applied is found, by version") {
  const StateSchema schema = Schema(1);
  Table table(schema);
  BatchBuilder builder(schema, 1);
  CHECK(Values(table, 1).empty());
  Put(table, builder, 5, {1, 10});
  CHECK(Values(table, 1) == Words{10});
  Put(table, builder, 4, {1, 11});
  CHECK(Values(table, 1) == Words{10});
  Put(table, builder, 6, {1, 12});
  CHECK(Values(table, 1) == Words{12});
  Erase(table, builder, 8, 1);
  CHECK(Values(table, 1).empty());
  Put(table, builder, 7, {1, 13});
  CHECK_MESSAGE(Values(table, 1).empty(), "the tombstone is newer");
  Put(table, builder, 9, {1, 14});
  CHECK(Values(table, 1) == Words{14});
  CHECK(table.state().stale == 2);
  CHECK(table.size() == 1);
  CHECK(table.confirmed() == 6);
}

TEST_CASE("table: by arrival the later one counts, sealed or not") {
  const StateSchema schema = Schema(1);
  Table table(schema, {.order = TableOrder::kArrival});
  BatchBuilder builder(schema, 1);
  Put(table, builder, 9, {1, 10});
  Put(table, builder, 5, {1, 11});
  CHECK(Values(table, 1) == Words{11});
  builder.Clear();
  builder.Erase(Row({1}));
  builder.Put(Row({2, 20}));
  builder.Erase(Row({3}));
  REQUIRE(table.Apply(builder.Draft()).ok());
  CHECK(Values(table, 1).empty());
  CHECK(Values(table, 2) == Words{20});
  CHECK(table.state().tombstones == 0);
}

TEST_CASE("table: a full table refuses new rows, counted, and changes the others") {
  const StateSchema schema = Schema(1);
  Table table(schema, {.max_rows = 2});
  BatchBuilder builder(schema, 1);
  Put(table, builder, 1, {1, 10});
  Put(table, builder, 2, {2, 20});
  Put(table, builder, 3, {3, 30});
  CHECK(table.state().table_full == 1);
  CHECK(Values(table, 3).empty());
  Put(table, builder, 4, {2, 21});
  CHECK(Values(table, 2) == Words{21});
  Erase(table, builder, 5, 1);
  Put(table, builder, 6, {3, 31});
  CHECK(Values(table, 3) == Words{31});
}

TEST_CASE("table: rows of other lengths of the line fit, others are refused") {
  const StateSchema schema = Schema(2);
  Table table(schema);
  BatchBuilder ours(schema, 1);
  const StateSchema shorter = Schema(1);
  BatchBuilder older(shorter, 1);
  Put(table, ours, 1, {1, 10, 11});
  Put(table, older, 2, {1, 12});
  Put(table, older, 3, {2, 20});
  CHECK(Values(table, 1) == Words{12, 11});
  CHECK(Values(table, 2) == Words{20, 0x07070707});
  Table small(shorter);
  Put(small, ours, 1, {1, 10, 11});
  CHECK(Values(small, 1) == Words{10});

  const StateSchema other = *StateSchema::Builder("test.rows", 1)
                                 .Key("id", FieldType::kU32)
                                 .Value("x", FieldType::kIpv4)
                                 .Build();
  BatchBuilder stranger(other, 1);
  stranger.Put(Row({1, 99}));
  CHECK(table.Apply(stranger.Seal(9, 1, UnixTime())).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Values(table, 1) == Words{12, 11});
  std::vector<std::byte> row(12);
  CHECK(!table.Lookup(Row({1, 2}), row));
  CHECK(!table.Lookup(Row({1}), std::span(row).first(11)));
}

TEST_CASE("table: tombstones end by age, and the oldest when there are too many") {
  VirtualClock clock;
  const StateSchema schema = Schema(1);
  Table table(schema, {.max_tombstones = 3, .tombstone_age = seconds(10)}, clock);
  BatchBuilder builder(schema, 1);
  for (std::uint32_t id = 0; id < 5; ++id) {
    Erase(table, builder, id + 1, id);
  }
  CHECK(table.state().tombstones == 3);
  CHECK(table.state().tombstones_dropped == 2);
  clock.Advance(seconds(11));
  Put(table, builder, 1, {4, 40});
  CHECK_MESSAGE(Values(table, 4).empty(), "it is looked at before it is forgotten");
  Put(table, builder, 2, {4, 41});
  CHECK(Values(table, 4) == Words{41});
  CHECK(table.state().tombstones == 0);
}

TEST_CASE("table: rows that come and go for ever leave nothing behind") {
  const StateSchema schema = Schema(1);
  for (const TableOrder order : {TableOrder::kArrival, TableOrder::kVersion}) {
    Table table(schema, {.order = order, .max_rows = 1000, .max_tombstones = 500});
    BatchBuilder builder(schema, 1);
    std::uint64_t sequence = 1;
    std::uint64_t after_warm_up = 0;
    for (std::uint32_t round = 0; round < 400; ++round) {
      builder.Clear();
      for (std::uint32_t i = 0; i < 1000; ++i) {
        builder.Put(Row({round * 1000 + i, i}));
        builder.Erase(Row({round * 1000 + i}));
      }
      const BatchView batch = builder.Seal(1, sequence, UnixTime());
      sequence += batch.size();
      REQUIRE(table.Apply(batch).ok());
      if (round == 50) {
        after_warm_up = table.state().memory_bytes;
      }
    }
    CHECK(table.state().rows == 0);
    CHECK(table.state().rebuilds > 20);
    // A build may be under way at one moment and not at the other.
    CHECK(table.state().memory_bytes < after_warm_up * 3 / 2 + 100'000);
  }
}

TEST_CASE("table: does what a plain map does, over 500,000 random records") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const StateSchema schema = Schema(1);
  Table table(schema);
  BatchBuilder builder(schema, 1);
  std::map<std::uint32_t, std::uint32_t> model;
  std::uint64_t sequence = 1;
  for (int round = 0; round < 2500; ++round) {
    builder.Clear();
    const std::uint32_t ids = round < 1000 ? 2000 : 40'000;
    for (int i = 0; i < 200; ++i) {
      const auto id = static_cast<std::uint32_t>(random() % ids);
      const auto value = static_cast<std::uint32_t>(random());
      if (random() % 3 == 0) {
        builder.Erase(Row({id}));
        model.erase(id);
      } else {
        builder.Put(Row({id, value}));
        model[id] = value;
      }
    }
    const BatchView batch = builder.Seal(1, sequence, UnixTime());
    sequence += batch.size();
    REQUIRE(table.Apply(batch).ok());
    REQUIRE(table.size() == model.size());
  }
  std::vector<std::byte> keys(40'000 * 4);
  for (std::uint32_t id = 0; id < 40'000; ++id) {
    StoreLe(keys.data() + id * 4, id);
    const auto expected = model.find(id);
    REQUIRE(Values(table, id) == (expected == model.end() ? Words{} : Words{expected->second}));
  }
  std::vector<std::byte> rows(40'000 * 8);
  const std::unique_ptr<bool[]> found(new bool[40'000]);
  CHECK(table.LookupMany(keys, rows, {found.get(), 40'000}) == model.size());
  for (std::uint32_t id = 0; id < 40'000; ++id) {
    REQUIRE(found[id] == (model.count(id) == 1));
    REQUIRE((!found[id] || LoadLe<std::uint32_t>(rows.data() + id * 8 + 4) == model[id]));
  }
  CHECK(table.LookupMany(keys, std::span(rows).first(8), {found.get(), 40'000}) == 0);
}

struct NumberPair {
  static constexpr std::string_view kTable = "test.pairs";
  std::uint32_t id = 0;
  std::uint16_t value = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(mimi::Key(CEREAL_NVP(id)), CEREAL_NVP(value));
  }
};

TEST_CASE("table: is read as structs") {
  Table table(StateSchema::Of<NumberPair>());
  BatchBuilder builder(StateSchema::Of<NumberPair>(), 1);
  std::byte row[6];
  NumberPair pair;
  pair.id = 7;
  pair.value = 70;
  REQUIRE(EncodeRow(pair, row));
  builder.Put(row);
  REQUIRE(table.Apply(builder.Seal(1, 1, UnixTime())).ok());
  const TypedTable<NumberPair> pairs(table);
  NumberPair key;
  key.id = 8;
  pair.value = 2;
  CHECK(!pairs.Lookup(key, &pair));
  CHECK(pair.value == 2);
  key.id = 7;
  CHECK(pairs.Lookup(key, &pair));
  CHECK(pair.value == 70);
}

}  // namespace
}  // namespace mimi
