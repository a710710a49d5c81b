// What a packet thread pays for Table::Lookup of uniform random live rows, for a burst of packets
// whose keys have been parsed, so that the processor can begin the next lookup early. `latency`:
// nothing can be begun early, each key depends on the last row. `many`: Table::LookupMany.
// Alone, and with a writer at a million changes per second on another thread.
#include <atomic>
#include <chrono>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "mimi/flow.h"
#include "mimi/table.h"

#include "bench/bench.h"
#include "bench/rows.h"

namespace {

using mimi::BatchBuilder;
using mimi::StateSchema;
using mimi::Table;

using mimi::bench::FillKey;
using mimi::bench::kPerBatch;
using mimi::bench::SmallSchema;

class Writer {
 public:
  Writer(Table& table, size_t rows)
      : table_(table),
        rows_(rows),
        builder_(table.schema(), 1, 256 * 1024),
        row_(table.schema().row_size()) {}

  void Fill() {
    for (uint64_t id = 0; id < rows_; ++id) {
      Put(id);
    }
    Flush();
  }
  // Random changes, in batches, at about a million per second.
  void Run(const std::atomic<bool>& stop) {
    std::mt19937_64 random(2);
    const auto start = mimi::bench::Now();
    for (uint64_t done = 0; !stop.load(std::memory_order_relaxed);) {
      if (mimi::bench::NanosecondsSince(start) < static_cast<double>(done) * 1000) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      for (size_t i = 0; i < kPerBatch; ++i, ++done) {
        Put(random() % rows_);
      }
    }
    Flush();
  }

 private:
  void Put(uint64_t id) {
    FillKey(id, std::span(row_).first(table_.schema().key_size()));
    builder_.Put(row_);
    if (builder_.size() == kPerBatch) {
      Flush();
    }
  }
  void Flush() {
    const mimi::BatchView batch = builder_.Seal(1, sequence_, mimi::UnixTime());
    sequence_ += batch.size();
    if (!table_.Apply(batch).ok()) {
      std::abort();
    }
    builder_.Clear();
  }

  Table& table_;
  size_t rows_;
  BatchBuilder builder_;
  std::vector<std::byte> row_;
  uint64_t sequence_ = 1;
};

enum class Keys { kIndependent, kDependent };

// Nanoseconds per lookup.
template <Keys kind>
double LookupNs(const Table& table, size_t rows, size_t count, mimi::bench::Bench& bench) {
  constexpr size_t kBurst = 1024;
  const size_t key_size = table.schema().key_size();
  std::vector<std::byte> keys(kBurst * key_size);
  std::vector<std::byte> row(table.schema().row_size());
  std::mt19937_64 random(3);
  uint64_t missed = 0;
  uint64_t id = 0;
  double ns = 0;
  for (size_t done = 0; done < count; done += kBurst) {
    for (size_t i = 0; i < kBurst; ++i) {
      FillKey(random() % rows, std::span(keys).subspan(i * key_size, key_size));
    }
    const auto start = mimi::bench::Now();
    for (size_t i = 0; i < kBurst; ++i) {
      const size_t at = kind == Keys::kDependent ? (i + id) % kBurst : i;
      missed += table.Lookup(std::span(keys).subspan(at * key_size, key_size), row) ? 0U : 1U;
      id = std::to_integer<uint64_t>(row.back()) & 0x80;  // never set
    }
    ns += mimi::bench::NanosecondsSince(start);
  }
  if (missed != 0) {
    bench.Fail("live rows were not found");
  }
  return ns / static_cast<double>((count + kBurst - 1) / kBurst * kBurst);
}

double ManyNs(const Table& table, size_t rows, size_t count, mimi::bench::Bench& bench) {
  constexpr size_t kMany = 32;
  const size_t key_size = table.schema().key_size();
  std::vector<std::byte> keys(key_size * kMany);
  std::vector<std::byte> out(table.schema().row_size() * kMany);
  bool found[kMany];
  std::mt19937_64 random(3);
  uint64_t hits = 0;
  const auto start = mimi::bench::Now();
  for (size_t i = 0; i < count / kMany + 1; ++i) {
    for (size_t k = 0; k < kMany; ++k) {
      FillKey(random() % rows, std::span(keys).subspan(k * key_size, key_size));
    }
    hits += table.LookupMany(keys, out, found);
  }
  if (hits != (count / kMany + 1) * kMany) {
    bench.Fail("live rows were not found");
  }
  return mimi::bench::NanosecondsSince(start) / static_cast<double>(hits);
}

void Measure(mimi::bench::Bench& bench, const std::string& name, const StateSchema& schema,
             size_t rows) {
  const std::string alone = "table.lookup_alone_ns." + name;
  const std::string written = "table.lookup_ns." + name;
  const std::string latency = "table.lookup_latency_ns." + name;
  const std::string many = "table.lookup_many_ns." + name;
  if (!bench.Wants(alone) && !bench.Wants(written) && !bench.Wants(latency) && !bench.Wants(many)) {
    return;
  }
  rows = bench.Scale(rows);
  const size_t count = bench.Scale(2'000'000);
  Table table(schema);
  Writer writer(table, rows);
  writer.Fill();
  bench.Run(alone, "ns", [&] { return LookupNs<Keys::kIndependent>(table, rows, count, bench); });
  std::atomic<bool> stop{false};
  std::thread thread([&] { writer.Run(stop); });
  bench.Run(written, "ns", [&] { return LookupNs<Keys::kIndependent>(table, rows, count, bench); });
  bench.Run(latency, "ns", [&] { return LookupNs<Keys::kDependent>(table, rows, count, bench); });
  bench.Run(many, "ns", [&] { return ManyNs(table, rows, count, bench); });
  stop = true;
  thread.join();
  bench.Report("table.bytes_per_row." + name, "B",
               {static_cast<double>(table.state().memory_bytes) / static_cast<double>(rows)});
}

}  // namespace

void BenchMain(mimi::bench::Bench& bench) {
  const StateSchema small = SmallSchema();
  const StateSchema& flow = StateSchema::Of<mimi::Flow>();
  Measure(bench, "100k", small, 100'000);
  Measure(bench, "1m", small, 1'000'000);
  Measure(bench, "10m", small, 10'000'000);
  Measure(bench, "flow_100k", flow, 100'000);
  Measure(bench, "flow_10m", flow, 10'000'000);
}
