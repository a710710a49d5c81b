// One writer and several readers on a Table, as ThreadSanitizer shall see them.
#include <atomic>
#include <cstddef>
#include <random>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/table.h"

#include "src/base/bytes.h"

namespace mimi {
namespace {

// Rows of 60 bytes: id, count, and 13 words that follow from both, so that a torn row shows itself.
constexpr std::size_t kWords = 15;

StateSchema Schema() {
  return *StateSchema::Builder("test.rows", 1)
              .Key("id", FieldType::kU32)
              .Value("count", FieldType::kU32)
              .Value("rest", FieldType::kBytes, 52)
              .Build();
}

std::uint32_t WordOf(std::uint32_t id, std::uint32_t count, std::size_t i) {
  return (id * 2654435761U) ^ (count * 40503U) ^ static_cast<std::uint32_t>(i);
}

void FillRow(std::uint32_t id, std::uint32_t count, std::byte* row) {
  StoreLe(row, id);
  StoreLe(row + 4, count);
  for (std::size_t i = 2; i < kWords; ++i) {
    StoreLe(row + i * 4, WordOf(id, count, i));
  }
}

bool IsWhole(std::uint32_t id, const std::byte* row) {
  const auto count = LoadLe<std::uint32_t>(row + 4);
  bool whole = LoadLe<std::uint32_t>(row) == id;
  for (std::size_t i = 2; i < kWords; ++i) {
    whole = whole && LoadLe<std::uint32_t>(row + i * 4) == WordOf(id, count, i);
  }
  return whole;
}

struct Seen {
  std::uint64_t lookups = 0;
  std::uint64_t torn = 0;
  std::uint64_t lost = 0;       // a row that is always there was not
  std::uint64_t backwards = 0;  // a count less than one seen before
};

constexpr std::uint32_t kSteady = 512;  // ids below are never erased

void ReadUntil(const Table& table, const std::atomic<bool>& stop, std::uint32_t ids, unsigned seed,
               Seen* seen) {
  std::mt19937 random(seed);
  std::vector<std::uint32_t> last(kSteady);
  std::byte key[4];
  std::byte row[kWords * 4];
  while (!stop.load(std::memory_order_relaxed)) {
    const bool steady = random() % 2 == 0;
    const auto id = static_cast<std::uint32_t>(random() % (steady ? kSteady : ids));
    StoreLe(key, id);
    ++seen->lookups;
    if (!table.Lookup(key, row)) {
      seen->lost += id < kSteady ? 1U : 0U;
      continue;
    }
    seen->torn += IsWhole(id, row) ? 0U : 1U;
    if (id < kSteady) {
      const auto count = LoadLe<std::uint32_t>(row + 4);
      seen->backwards += count < last[id] ? 1U : 0U;
      last[id] = count;
    }
  }
}

class Writer {
 public:
  explicit Writer(Table& table) : table_(table), builder_(table.schema(), 1, 64 * 1024) {}

  void Put(std::uint32_t id) {
    std::byte row[kWords * 4];
    FillRow(id, ++count_, row);
    if (!builder_.Put(row)) {
      Flush();
      builder_.Put(row);
    }
  }
  void Erase(std::uint32_t id) {
    std::byte key[4];
    StoreLe(key, id);
    if (!builder_.Erase(key)) {
      Flush();
      builder_.Erase(key);
    }
  }
  void Flush() {
    const BatchView batch = builder_.Seal(1, sequence_, UnixTime());
    sequence_ += batch.size();
    REQUIRE(table_.Apply(batch).ok());
    builder_.Clear();
  }

 private:
  Table& table_;
  BatchBuilder builder_;
  std::uint64_t sequence_ = 1;
  std::uint32_t count_ = 0;
};

// `write` runs while three readers read.
template <class Write>
void RunWithReaders(const TableOptions& options, std::uint32_t ids, Write write) {
  Table table(Schema(), options);
  Writer writer(table);
  for (std::uint32_t id = 0; id < kSteady; ++id) {
    writer.Put(id);
  }
  writer.Flush();
  std::atomic<bool> stop{false};
  std::vector<Seen> seen(3);
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < seen.size(); ++i) {
    readers.emplace_back([&, i] { ReadUntil(table, stop, ids, i + 1, &seen[i]); });
  }
  write(table, writer);
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  for (const Seen& each : seen) {
    CHECK(each.torn == 0);
    CHECK(each.lost == 0);
    CHECK(each.backwards == 0);
  }
  MESSAGE("lookups while writing: ", seen[0].lookups + seen[1].lookups + seen[2].lookups,
          ", rebuilds: ", table.state().rebuilds);
}

TEST_CASE("table: readers see whole rows, none lost and none going back, while it grows") {
  const std::uint32_t ids = 100'000;
  RunWithReaders({}, ids, [&](Table& table, Writer& writer) {
    for (std::uint32_t id = kSteady; id < ids; ++id) {
      writer.Put(id);
      writer.Put(id % kSteady);
    }
    writer.Flush();
    CHECK(table.state().rebuilds > 8);
    CHECK(table.size() == ids);
  });
}

TEST_CASE("table: the same while rows come and go and the index is built anew and anew") {
  const std::uint32_t ids = 4000;
  for (const TableOrder order : {TableOrder::kArrival, TableOrder::kVersion}) {
    const TableOptions options = {.order = order, .max_rows = ids, .max_tombstones = 1000};
    RunWithReaders(options, ids, [&](Table& table, Writer& writer) {
      std::mt19937 random(7);
      for (int i = 0; i < 200'000; ++i) {
        // Ever new ids beside those that are read, so that deleted slots pile up.
        const bool read = random() % 2 == 0;
        const auto id = static_cast<std::uint32_t>(read ? kSteady + random() % (ids - kSteady)
                                                        : ids + static_cast<unsigned>(i) / 4);
        if (random() % 2 == 0) {
          writer.Put(id);
        } else {
          writer.Erase(id);
        }
        writer.Put(static_cast<std::uint32_t>(random() % 16));  // hot rows
      }
      writer.Flush();
      CHECK(table.state().rebuilds > 5);
    });
  }
}

}  // namespace
}  // namespace mimi
