#include "src/state/row_map.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/state/row.h"

namespace mimi {
namespace {

using Outcome = RowMap::Outcome;
using std::chrono::seconds;

constexpr MonotonicTime kStart{seconds(1000)};

// Rows of a 4-byte key and one or two 4-byte values; the second one's default
// is 0x07070707.
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

Outcome Put(RowMap& map, Version version, std::initializer_list<std::uint32_t> words,
            Origin origin = 1) {
  const std::vector<std::byte> row = Row(words);
  return map.Apply({.op = Op::kPut,
                    .row = row,
                    .key = std::span(row).first(4),
                    .origin = origin,
                    .version = version},
                   kStart, 0);
}

Outcome Erase(RowMap& map, Version version, std::uint32_t id, MonotonicTime now = kStart,
              Position position = 0) {
  const std::vector<std::byte> key = Row({id});
  return map.Apply({.op = Op::kErase, .row = {}, .key = key, .origin = 1, .version = version}, now,
                   position);
}

// The words behind the key, or empty.
std::vector<std::uint32_t> Values(RowMap& map, std::uint32_t id) {
  std::vector<std::uint32_t> words;
  if (const auto found = map.Find(Row({id}))) {
    for (std::size_t at = 4; at < found->row.size(); at += 4) {
      words.push_back(LoadLe<std::uint32_t>(found->row.data() + at));
    }
  }
  return words;
}

TEST_CASE("row map: a newer version replaces, an older or equal one does not") {
  RowMap map(Schema(1));
  CHECK(Put(map, {2, 5}, {1, 10}) == Outcome::kInserted);
  CHECK(Put(map, {2, 5}, {1, 11}) == Outcome::kStale);
  CHECK(Put(map, {2, 4}, {1, 12}) == Outcome::kStale);
  CHECK(Put(map, {1, 99}, {1, 13}) == Outcome::kStale);
  CHECK(Values(map, 1) == std::vector<std::uint32_t>{10});
  CHECK(Put(map, {3, 1}, {1, 14}, 42) == Outcome::kReplaced);
  const auto row = map.Find(Row({1}));
  REQUIRE(row.has_value());
  CHECK(row->origin == 42);
  CHECK(row->version == Version{3, 1});
  CHECK(map.highest_term() == 3);
}

TEST_CASE(
    "row map: an erase outlives its row as a tombstone that older Puts "
    "cannot pass") {
  RowMap map(Schema(1), {.tombstone_age = seconds(120)});
  Put(map, {1, 1}, {1, 10});
  CHECK(Erase(map, {1, 5}, 1, kStart, 50) == Outcome::kErased);
  CHECK(Put(map, {1, 4}, {1, 11}) == Outcome::kStale);
  CHECK(map.size() == 0);
  CHECK(map.tombstones() == 1);
  CHECK(map.FindVersion(Row({1})) == Version{1, 5});

  SUBCASE("a newer Put brings the row back") {
    CHECK(Put(map, {1, 6}, {1, 12}) == Outcome::kInserted);
    CHECK(map.tombstones() == 0);
    CHECK(map.Expire(kStart + seconds(500), 100, 10) == 0);
    CHECK(Values(map, 1) == std::vector<std::uint32_t>{12});
  }
  SUBCASE("it is kept until it is old enough and the feed behind it is trimmed") {
    CHECK(map.Expire(kStart + seconds(119), 100, 10) == 0);
    CHECK(map.Expire(kStart + seconds(120), 49, 10) == 0);
    CHECK(map.Expire(kStart + seconds(120), 50, 10) == 1);
    CHECK(map.tombstones() == 0);
    CHECK(Put(map, {1, 4}, {1, 11}) == Outcome::kInserted);
  }
}

TEST_CASE("row map: an erase of a row that is not there is remembered") {
  RowMap map(Schema(1));
  CHECK(Erase(map, {1, 5}, 7) == Outcome::kNoSuchRow);
  CHECK(Put(map, {1, 4}, {7, 1}) == Outcome::kStale);
  CHECK(Erase(map, {1, 6}, 7) == Outcome::kNoSuchRow);
  CHECK(map.tombstones() == 1);
  CHECK(Put(map, {1, 6}, {7, 1}) == Outcome::kStale);
}

TEST_CASE("row map: beyond max_rows new rows are refused and old ones still change") {
  RowMap map(Schema(1), {.max_rows = 2});
  CHECK(Put(map, {1, 1}, {1, 0}) == Outcome::kInserted);
  CHECK(Put(map, {1, 2}, {2, 0}) == Outcome::kInserted);
  CHECK(Put(map, {1, 3}, {3, 0}) == Outcome::kTableFull);
  CHECK(Put(map, {1, 4}, {2, 9}) == Outcome::kReplaced);
  CHECK(Erase(map, {1, 5}, 1) == Outcome::kErased);
  CHECK(Put(map, {1, 6}, {3, 1}) == Outcome::kInserted);
  CHECK(map.size() == 2);
}

TEST_CASE("row map: what was left out is missing until a whole resync finds room") {
  const StateSchema schema = Schema(1);
  RowMap map(schema, {.max_rows = 10});
  std::uint64_t sequence = 1;
  const auto apply = [&](std::uint32_t from, std::uint32_t to, std::uint16_t flags,
                         bool erase = false) {
    BatchBuilder builder(schema, 9);
    for (std::uint32_t id = from; id < to; ++id) {
      REQUIRE((erase ? builder.Erase(Row({id})) : builder.Put(Row({id, id}))));
    }
    builder.set_flags(flags);
    const BatchView batch = builder.Seal(1, sequence, UnixTime());
    sequence += batch.size();
    map.Apply(batch, kStart, 0);
  };
  apply(0, 12, 0);
  CHECK(map.missing() == 2);
  CHECK(map.missing_fit() == 0);
  apply(0, 11, kBatchResyncBegin);
  apply(11, 12, kBatchResyncEnd);
  CHECK(map.missing() == 4);  // there was no room for this walk either
  apply(0, 3, 0, true);
  CHECK(map.missing() == 4);
  CHECK(map.missing_fit() == 3);  // a resync is worth it
  apply(3, 12, kBatchResyncBegin);
  CHECK(map.missing() == 4);
  apply(12, 13, kBatchResyncEnd);
  CHECK(map.missing() == 0);
  CHECK(map.size() == 10);
}

TEST_CASE("row map: a flood of erases forgets the oldest tombstone and counts it") {
  RowMap map(Schema(1), {.max_rows = 10, .max_tombstones = 4});
  for (std::uint32_t id = 0; id < 6; ++id) {
    Erase(map, {1, id + 1}, id);
  }
  CHECK(map.tombstones() == 4);
  CHECK(map.tombstones_dropped() == 2);
  CHECK(!map.FindVersion(Row({1})).has_value());
  CHECK(map.FindVersion(Row({2})).has_value());
  // The tombstone that has to go is that of the key being erased again.
  Erase(map, {2, 1}, 2);
  CHECK(map.FindVersion(Row({2})) == Version{2, 1});
  CHECK(map.tombstones() == 4);
}

TEST_CASE(
    "row map: short rows keep the stored tail, long rows are cut, new "
    "short rows get defaults") {
  RowMap map(Schema(2));
  CHECK(Put(map, {1, 1}, {1, 10, 20}) == Outcome::kInserted);
  CHECK(Put(map, {1, 2}, {1, 11}) == Outcome::kReplaced);
  CHECK(Values(map, 1) == std::vector<std::uint32_t>{11, 20});
  CHECK(Put(map, {1, 3}, {2, 12}) == Outcome::kInserted);
  CHECK(Values(map, 2) == std::vector<std::uint32_t>{12, 0x07070707});
  CHECK(Put(map, {1, 4}, {3, 1, 2, 3}) == Outcome::kInserted);
  CHECK(Values(map, 3) == std::vector<std::uint32_t>{1, 2});
  // A slot of the slab that was used before must not shine through.
  Erase(map, {1, 5}, 1);
  Put(map, {1, 6}, {4, 13});
  CHECK(Values(map, 4) == std::vector<std::uint32_t>{13, 0x07070707});
}

TEST_CASE(
    "row map: a longer schema of the line arrives while rows live, are "
    "read, erased and added") {
  RowMap map(Schema(1));
  for (std::uint32_t id = 0; id < 5000; ++id) {
    Put(map, {1, id + 1}, {id, id * 2});
  }
  for (std::uint32_t id = 0; id < 5000; id += 10) {
    Erase(map, {2, id + 1}, id);
  }
  REQUIRE(map.Extend(Schema(2)));
  CHECK(Values(map, 4999) == std::vector<std::uint32_t>{9998, 0x07070707});
  CHECK(Put(map, {3, 1}, {4998, 1, 2}) == Outcome::kReplaced);
  CHECK(Erase(map, {3, 2}, 4997) == Outcome::kErased);
  for (std::uint32_t id = 10000; id < 11000; ++id) {
    CHECK(Put(map, {3, id}, {id, 5, 6}) == Outcome::kInserted);
  }
  while (map.Work(100)) {}
  CHECK(Values(map, 4998) == std::vector<std::uint32_t>{1, 2});
  CHECK(Values(map, 4997).empty());
  CHECK(Values(map, 10999) == std::vector<std::uint32_t>{5, 6});
  std::size_t rows = 0;
  map.Walk(0, map.end(), [&](const RowMap::Row& row) {
    ++rows;
    const auto id = LoadLe<std::uint32_t>(row.row.data());
    if (id < 4997) {
      CHECK(LoadLe<std::uint32_t>(row.row.data() + 4) == id * 2);
      CHECK(LoadLe<std::uint32_t>(row.row.data() + 8) == 0x07070707);
    }
  });
  CHECK(rows == map.size());
}

TEST_CASE("row map: a walk sees every row that lives throughout, exactly once") {
  RowMap map(Schema(1));
  for (std::uint32_t id = 0; id < 3000; ++id) {
    Put(map, {1, id + 1}, {id, 0});
  }
  std::map<std::uint32_t, int> seen;
  std::uint32_t sequence = 0;
  for (std::uint32_t at = 0; at < map.end();) {
    at = map.Walk(at, 64,
                  [&](const RowMap::Row& row) { ++seen[LoadLe<std::uint32_t>(row.row.data())]; });
    for (int i = 0; i < 20; ++i) {  // rows above 2000 come and go meanwhile
      const std::uint32_t id = 2000 + (sequence * 37) % 3000;
      ++sequence;
      if (sequence % 2 == 0) {
        Put(map, {2, sequence}, {id, 1});
      } else {
        Erase(map, {2, sequence}, id);
      }
    }
  }
  for (std::uint32_t id = 0; id < 2000; ++id) {
    CHECK(seen[id] == 1);
  }
}

TEST_CASE("row map: the groups of rows that come, change or go are noted, and no others") {
  RowMap map(Schema(1));
  for (std::uint32_t id = 0; id < 10'000; ++id) {
    Put(map, {1, id + 1}, {id, 0});
  }
  std::vector<std::uint64_t> groups;
  map.NoteChanges(&groups);
  Put(map, {2, 1}, {70, 1});     // row 70: group 1
  Put(map, {1, 1}, {200, 1});    // stale
  Erase(map, {2, 2}, 6400);      // group 100
  Erase(map, {2, 3}, 20'000);    // never there
  Put(map, {2, 4}, {9'999, 1});  // group 156
  std::vector<std::size_t> noted;
  for (std::size_t i = 0; i < groups.size() * 64; ++i) {
    if ((groups[i / 64] >> (i % 64) & 1) != 0) {
      noted.push_back(i);
    }
  }
  CHECK(noted == std::vector<std::size_t>{1, 100, 156});
  map.NoteChanges(nullptr);
  Put(map, {2, 5}, {0, 1});
  CHECK((groups[0] & 1) == 0);
}

TEST_CASE("row map: many records at once are as many one by one, with room reserved or not") {
  std::vector<std::vector<std::byte>> rows;
  std::vector<RecordView> records;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    rows.push_back(Row({i * 7 % 3000, i}));
  }
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const auto key = std::span(rows[i]).first(4);
    records.push_back(
        i % 11 == 0 ? RecordView{.op = Op::kErase,
                                 .row = {},
                                 .key = key,
                                 .origin = 1,
                                 .version = {1, i + 1}}
                    : RecordView{.row = rows[i], .key = key, .origin = 1, .version = {1, i + 1}});
  }
  RowMap single(Schema(1));
  for (const RecordView& record : records) {
    single.Apply(record, kStart, 0);
  }
  for (const std::size_t reserved : {0U, 100U, 5000U}) {
    CAPTURE(reserved);
    RowMap map(Schema(1));
    map.Reserve(reserved);
    map.Apply(records, kStart, 0);
    CHECK(map.size() == single.size());
    CHECK(map.tombstones() == single.tombstones());
    for (std::uint32_t id = 0; id < 3000; ++id) {
      REQUIRE(Values(map, id) == Values(single, id));
    }
  }
}

TEST_CASE("row map: marks tell which rows were mentioned") {
  RowMap map(Schema(1));
  Put(map, {1, 1}, {1, 0});
  Put(map, {1, 2}, {2, 0});
  Put(map, {1, 3}, {3, 0});
  map.set_mark(5);
  Put(map, {2, 1}, {1, 1});
  CHECK(Put(map, {1, 1}, {2, 1}) == Outcome::kStale);
  CHECK(map.Find(Row({1}))->mark == 5);
  CHECK(map.Find(Row({2}))->mark == 5);
  CHECK(map.Find(Row({3}))->mark == 0);
}

// Against std::map, over growth, erases, tombstones and their expiry; batches
// and single records mixed.
TEST_CASE("row map: does what a plain map does, over 400,000 random records") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const StateSchema schema = Schema(1);
  RowMap map(schema, {.max_rows = 20000, .tombstone_age = seconds(10)});
  struct Model {
    Version version;
    std::uint32_t value = 0;
    bool live = false;
  };
  std::map<std::uint32_t, Model> model;
  std::map<std::uint32_t, MonotonicTime> erased;
  MonotonicTime now = kStart;
  std::uint64_t sequence = 1;
  std::size_t live = 0;
  BatchBuilder builder(schema, 9);
  std::vector<Outcome> outcomes;
  for (int round = 0; round < 2000; ++round) {
    builder.Clear();
    for (int i = 0; i < 200; ++i) {
      const auto id = static_cast<std::uint32_t>(random() % 30000);
      if (random() % 4 != 0) {
        builder.Put(Row({id, static_cast<std::uint32_t>(random())}));
      } else {
        builder.Erase(Row({id}));
      }
    }
    const bool late = random() % 4 == 0;
    const std::uint64_t first = late && sequence > 3000 ? sequence - random() % 3000 : sequence;
    const BatchView batch = builder.Seal(1, first, UnixTime());
    sequence += batch.size();
    outcomes.resize(batch.size());
    const RowMap::Counts counts = map.Apply(batch, now, 0, outcomes);
    CHECK(counts.inserted + counts.replaced + counts.erased + counts.no_such_row + counts.stale +
              counts.table_full ==
          batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const RecordView record = batch[i];
      const auto id = LoadLe<std::uint32_t>(record.key.data());
      Model& row = model[id];
      Outcome expected = Outcome::kStale;
      if (record.version > row.version) {
        if (record.op == Op::kErase) {
          expected = row.live ? Outcome::kErased : Outcome::kNoSuchRow;
          live -= row.live ? 1 : 0;
          row = {record.version, 0, false};
          erased[id] = now;
        } else if (!row.live && live == 20000) {
          expected = Outcome::kTableFull;
        } else {
          expected = row.live ? Outcome::kReplaced : Outcome::kInserted;
          live += row.live ? 0 : 1;
          row = {record.version, LoadLe<std::uint32_t>(record.row.data() + 4), true};
        }
      }
      REQUIRE(outcomes[i] == expected);
    }
    now += std::chrono::milliseconds(20);
    if (round % 10 == 0) {
      map.Expire(now, 0, 1'000'000);
      for (auto& [id, row] : model) {
        if (!row.live && row.version != Version{} && now - erased[id] >= seconds(10)) {
          row.version = {};
        }
      }
    }
    REQUIRE(map.size() == live);
  }
  for (const auto& [id, row] : model) {
    const auto found = map.Find(Row({id}));
    REQUIRE(found.has_value() == row.live);
    if (row.live) {
      REQUIRE(LoadLe<std::uint32_t>(found->row.data() + 4) == row.value);
      REQUIRE(found->version == row.version);
    }
  }
}

}  // namespace
}  // namespace mimi
