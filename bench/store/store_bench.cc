// Records per second into a memory store, and bytes per row: sealed batches of 256 records
// (bench/rows.h) through Apply, with terms, fences, versions, tombstones and the feed.
//
//   store.memory.apply_mps.*      fills an empty table until N rows live
//   store.memory.steady_mps.*     goes on over N live rows
//   store.memory.bytes_per_row.*  index, rows with their metadata and tombstones, when N rows live
//   store.memory.lost.*           records that were refused, and rows that are missing at the end
//   store.memory.peer_mps.*       the first stream into an absl::flat_hash_map of key and value with
//                                 prefetching: no versions, fences, tombstones or feed
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "mimi/builtin/memory_store.h"
#include "mimi/flow.h"
#include "mimi/testing/virtual_loop.h"

#include "bench/bench.h"
#include "bench/rows.h"

namespace {

using mimi::BatchView;
using mimi::StateSchema;
using mimi::bench::ChangeStream;

// Batches sealed at once, outside the measured time.
constexpr size_t kAtOnce = 1000;

std::vector<BatchView> Views(const ChangeStream::Sealed& sealed) {
  std::vector<BatchView> views;
  for (const auto& bytes : sealed) {
    views.push_back(*BatchView::Parse(bytes));
  }
  return views;
}

// Seconds that `apply` takes for what the stream makes.
template <class Apply>
double Timed(const std::vector<BatchView>& views, Apply apply) {
  const auto start = mimi::bench::Now();
  for (const BatchView& view : views) {
    apply(view);
  }
  return mimi::bench::SecondsSince(start);
}

struct Result {
  double apply_mps = 0;
  double steady_mps = 0;
  double bytes_per_row = 0;
  double lost = 0;
};

Result FillStore(const StateSchema& schema, size_t rows, mimi::bench::Bench& bench) {
  mimi::VirtualClock clock;
  mimi::VirtualLoop loop(clock);
  auto store = *mimi::NewMemoryStore({}, loop);
  uint64_t term = 0;
  store->Open(schema, [](const absl::Status&) {});
  store->Claim({.origin = 1},
               [&](const absl::StatusOr<mimi::Claimed>& claim) { term = claim->term; });
  loop.RunUntilIdle();

  uint64_t refused = 0;
  const auto apply = [&](const BatchView& view) {
    refused += store->Apply(view).ok() ? 0 : view.size();
  };
  ChangeStream changes(schema, 1, term, rows);
  Result result;
  double seconds = 0;
  while (!changes.full()) {
    const ChangeStream::Sealed sealed = changes.Fill(kAtOnce);
    seconds += Timed(Views(sealed), apply);
  }
  result.apply_mps = static_cast<double>(changes.records()) / seconds / 1e6;
  result.bytes_per_row =
      static_cast<double>(store->state().memory_bytes) / static_cast<double>(changes.live());

  const uint64_t filled = changes.records();
  seconds = 0;
  for (size_t i = 0; i < bench.Scale(4); ++i) {
    const ChangeStream::Sealed sealed = changes.Steady(bench.Scale(kAtOnce));
    seconds += Timed(Views(sealed), apply);
  }
  result.steady_mps = static_cast<double>(changes.records() - filled) / seconds / 1e6;

  const mimi::StoreState state = store->state();
  const uint64_t missing =
      changes.live() > state.rows ? changes.live() - state.rows : state.rows - changes.live();
  result.lost = static_cast<double>(refused + state.table_full + state.stale + missing);
  if (result.lost > 0) {
    bench.Fail("records were lost");
  }
  return result;
}

double FillMap(size_t rows) {
  using Key = std::array<std::byte, 13>;
  using Value = std::array<std::byte, 16>;
  constexpr size_t kAhead = 16;
  const StateSchema schema = mimi::bench::SmallSchema();
  absl::flat_hash_map<Key, Value> map;
  const auto key_of = [](const mimi::RecordView& record) {
    Key key;
    std::memcpy(key.data(), record.key.data(), key.size());
    return key;
  };
  const auto apply = [&](const BatchView& view) {
    for (size_t i = 0; i < view.size() + kAhead; ++i) {
      if (i < view.size()) {
        map.prefetch(key_of(view[i]));
      }
      if (i >= kAhead) {
        const mimi::RecordView record = view[i - kAhead];
        if (record.op == mimi::Op::kPut) {
          std::memcpy(map[key_of(record)].data(), record.row.data() + 13, 16);
        } else {
          map.erase(key_of(record));
        }
      }
    }
  };
  ChangeStream changes(schema, 1, 1, rows);
  double seconds = 0;
  while (!changes.full()) {
    const ChangeStream::Sealed sealed = changes.Fill(kAtOnce);
    seconds += Timed(Views(sealed), apply);
  }
  return static_cast<double>(changes.records()) / seconds / 1e6;
}

void Measure(mimi::bench::Bench& bench, const std::string& name, const StateSchema& schema,
             size_t rows, int repeats) {
  const std::string metric = "store.memory.";
  const std::vector<std::string> names = {
      metric + "apply_mps." + name, metric + "steady_mps." + name, metric + "bytes_per_row." + name,
      metric + "lost." + name};
  if (std::none_of(names.begin(), names.end(),
                   [&](const std::string& each) { return bench.Wants(each); })) {
    return;
  }
  std::array<std::vector<double>, 4> values;
  for (int i = 0; i < (bench.smoke() ? 1 : repeats); ++i) {
    const Result result = FillStore(schema, bench.Scale(rows), bench);
    values[0].push_back(result.apply_mps);
    values[1].push_back(result.steady_mps);
    values[2].push_back(result.bytes_per_row);
    values[3].push_back(result.lost);
  }
  bench.Report(names[0], "M/s", values[0]);
  bench.Report(names[1], "M/s", values[1]);
  bench.Report(names[2], "B", values[2]);
  bench.Report(names[3], "count", values[3]);
}

}  // namespace

void BenchMain(mimi::bench::Bench& bench) {
  const StateSchema small = mimi::bench::SmallSchema();
  const StateSchema& flow = StateSchema::Of<mimi::Flow>();
  bench.Run("store.memory.peer_mps.1m", "M/s", [&] { return FillMap(bench.Scale(1'000'000)); });
  Measure(bench, "1m", small, 1'000'000, 5);
  Measure(bench, "10m", small, 10'000'000, 3);
  Measure(bench, "flow_1m", flow, 1'000'000, 3);
  Measure(bench, "flow_10m", flow, 10'000'000, 1);
}
