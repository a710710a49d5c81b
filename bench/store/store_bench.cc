// Records per second into a memory store, and bytes per row: sealed batches of 256 records through Apply, with terms, fences,
// versions, tombstones and the feed. The stream fills an empty table with uniform random keys until N rows live: half of the
// records update a live row, one in twenty erases one, the rest are new rows; growing is part of the measured time.
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mimi/builtin/memory_store.h"
#include "mimi/flow.h"
#include "mimi/testing/virtual_loop.h"

#include "bench/bench.h"

namespace {

using mimi::BatchBuilder;
using mimi::BatchView;
using mimi::StateSchema;

constexpr size_t kPerBatch = 256;

// A 13-byte key and a 16-byte value, as in the comparisons.
StateSchema SmallSchema() {
  return *StateSchema::Builder("bench.small", 1)
              .Key("key", mimi::FieldType::kBytes, 13)
              .Value("value", mimi::FieldType::kBytes, 16)
              .Build();
}

// Row number `id` as bytes: a key that is spread over all of its bytes but the flags that a check might look at.
void FillKey(uint64_t id, size_t key_size, std::byte* row) {
  uint64_t spread = id * 0x9E3779B97F4A7C15U;
  std::memset(row, 0, key_size);
  std::memcpy(row, &id, std::min<size_t>(8, key_size));
  std::memcpy(row + key_size - 5, &spread, 5);
}

struct Result {
  double seconds = 0;
  uint64_t records = 0;
  mimi::StoreState state;
};

// Batches are sealed outside the measured time, a thousand at once.
Result Fill(const StateSchema& schema, size_t rows, mimi::bench::Bench& bench) {
  mimi::VirtualClock clock;
  mimi::VirtualLoop loop(clock);
  auto store = *mimi::NewMemoryStore({}, loop);
  uint64_t term = 0;
  store->Open(schema, [](const absl::Status&) {});
  store->Claim({.origin = 1},
               [&](const absl::StatusOr<mimi::Claimed>& claim) { term = claim->term; });
  loop.RunUntilIdle();

  std::mt19937_64 random(1);
  std::vector<uint64_t> live;
  live.reserve(rows);
  uint64_t next_id = 0;
  uint64_t sequence = 1;
  Result result;
  BatchBuilder builder(schema, 1, mimi::kMaxBatchSize);
  std::vector<std::byte> row(schema.row_size(), std::byte{1});
  std::vector<std::vector<std::byte>> sealed;
  while (live.size() < rows) {
    sealed.clear();
    for (int b = 0; b < 1000 && live.size() < rows; ++b) {
      builder.Clear();
      for (size_t i = 0; i < kPerBatch && live.size() < rows; ++i) {
        const uint64_t dice = random() % 20;
        const size_t at = live.empty() ? 0 : random() % live.size();
        if (dice < 10 && !live.empty()) {
          FillKey(live[at], schema.key_size(), row.data());
          builder.Put(row);
        } else if (dice == 10 && !live.empty()) {
          FillKey(live[at], schema.key_size(), row.data());
          builder.Erase(std::span(row).first(schema.key_size()));
          live[at] = live.back();
          live.pop_back();
        } else {
          live.push_back(next_id);
          FillKey(next_id++, schema.key_size(), row.data());
          builder.Put(row);
        }
      }
      const BatchView batch = builder.Seal(term, sequence, mimi::UnixTime());
      sequence += batch.size();
      sealed.emplace_back(batch.bytes().begin(), batch.bytes().end());
    }
    std::vector<BatchView> views;
    for (const auto& bytes : sealed) {
      views.push_back(*BatchView::Parse(bytes));
    }
    const auto start = mimi::bench::Now();
    for (const BatchView& view : views) {
      if (!store->Apply(view).ok()) {
        bench.Fail("a batch was refused");
      }
    }
    result.seconds += mimi::bench::SecondsSince(start);
  }
  result.records = sequence - 1;
  result.state = store->state();
  if (result.state.rows != live.size() || result.state.table_full != 0 || result.state.stale != 0) {
    bench.Fail("rows were lost");
  }
  return result;
}

void Measure(mimi::bench::Bench& bench, const std::string& name, const StateSchema& schema,
             size_t rows, int repeats) {
  const std::string mps = "store.memory.apply_mps." + name;
  const std::string size = "store.memory.bytes_per_row." + name;
  if (!bench.Wants(mps) && !bench.Wants(size)) {
    return;
  }
  std::vector<double> speeds;
  std::vector<double> sizes;
  for (int i = 0; i < (bench.smoke() ? 1 : repeats); ++i) {
    const Result result = Fill(schema, bench.Scale(rows), bench);
    speeds.push_back(static_cast<double>(result.records) / result.seconds / 1e6);
    sizes.push_back(static_cast<double>(result.state.memory_bytes) /
                    static_cast<double>(result.state.rows));
  }
  bench.Report(mps, "M/s", speeds);
  bench.Report(size, "B", sizes);  // index, rows with metadata, and the tombstones of the erases
}

}  // namespace

void BenchMain(mimi::bench::Bench& bench) {
  const StateSchema small = SmallSchema();
  const StateSchema& flow = StateSchema::Of<mimi::Flow>();
  Measure(bench, "1m", small, 1'000'000, 5);
  Measure(bench, "10m", small, 10'000'000, 3);
  Measure(bench, "flow_1m", flow, 1'000'000, 3);
  Measure(bench, "flow_10m", flow, 10'000'000, 1);
}
