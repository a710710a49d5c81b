// The whole way of a record: Put on a lane, pump, memory store, feed, replica, sink.
//
// One producer thread and one loop thread. Rows are 29 bytes (13 of them key), keys uniformly
// random over 1M, all of them live when measuring begins; 5 % erases. The sink counts, and takes
// the time that each row carries; the replica in front of it keeps all rows with their versions, as
// the store does.
//
// pipeline.mps: as fast as the producer gets its records through, in records Put per second, until
// the last one is confirmed in the sink. The producer waits while the lane is half full, so that
// nothing is lost; what the pump coalesced on the way is printed beside it.
// pipeline.lag_ms.*: from Put to the sink's Apply, at 100,000 Puts a second.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "mimi/builtin/memory_store.h"
#include "mimi/publisher.h"

#include "bench/bench.h"
#include "src/base/bytes.h"
#include "src/engine/feed.h"
#include "src/engine/replica.h"

namespace mimi::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::size_t kKeySize = 13;
constexpr std::size_t kRowSize = 29;

StateSchema Schema() {
  return *StateSchema::Builder("bench.rows", 1)
              .Key("key", FieldType::kBytes, kKeySize)
              .Value("made", FieldType::kU64)
              .Value("count", FieldType::kU64)
              .Build();
}

std::uint64_t NowNs() {
  return static_cast<std::uint64_t>(Now().time_since_epoch().count());
}

std::uint64_t NextRandom(std::uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

void MakeRow(std::uint64_t number, std::uint64_t made, std::byte* row) {
  std::memset(row, 0, kRowSize);
  StoreLe(row, number * 0x9E3779B97F4A7C15U);  // keys that differ in every byte
  StoreLe(row + 8, static_cast<std::uint32_t>(number));
  StoreLe(row + kKeySize, made);
  StoreLe(row + kKeySize + 8, number);
}

/// Counts what arrives, and notes how old it is if asked.
class CountingSink final : public Minion {
 public:
  CountingSink(const StateSchema& schema, Loop& loop) : schema_(schema), loop_(loop) {}

  const StateSchema& schema() const override { return schema_; }
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    applied_ += batch.size();
    if (lags != nullptr) {
      const std::uint64_t now = NowNs();
      for (const RecordView record : batch) {
        if (record.op == Op::kPut) {
          lags->push_back(static_cast<double>(now - LoadLe<std::uint64_t>(&record.row[kKeySize])));
        }
      }
    }
    return applied_;
  }
  Position confirmed() const override { return applied_; }
  void Warm(StatusCallback done) override { Answer(std::move(done)); }
  void Activate(StatusCallback done) override { Answer(std::move(done)); }
  void Retire(StatusCallback done) override { Answer(std::move(done)); }
  absl::StatusOr<bool> Audit(AuditVisitor&, std::size_t) override {
    return absl::UnimplementedError("it only counts");
  }
  MinionState state() const override { return {}; }

  std::vector<double>* lags = nullptr;

 private:
  void Answer(StatusCallback done) {
    loop_.Post([done = std::move(done)] { done(absl::OkStatus()); });
  }
  StateSchema schema_;
  Loop& loop_;
  Position applied_ = 0;
};

class Pipeline {
 public:
  Pipeline()
      : loop_(*NewEpollLoop()),
        store_(*NewMemoryStore({}, *loop_)),
        sink(schema_, *loop_),
        replica_(schema_, &sink, *loop_, {}),
        feed_(*store_, *loop_, {.wake = [this] {
          woken_ = true;
        }}) {
    store_->Open(schema_, [](const absl::Status&) {});
    std::uint64_t term = 0;
    store_->Claim({.origin = OriginOf("bench")},
                  [&term](const absl::StatusOr<Claimed>& claimed) { term = claimed->term; });
    publisher_ = *NewPublisher(schema_, OriginOf("bench"), *store_, *loop_, {});
    lane = *publisher_->OpenLane();
    feed_.Subscribe(schema_.table(), replica_);
    replica_.Start();
    feed_.Start();
    while (term == 0) {
      loop_->RunOnce();
    }
    (void)publisher_->SetTerm(term);
  }

  /// Turns until `done`; called by the loop thread.
  template <class Done>
  void RunUntil(Done done) {
    while (!done()) {
      if (!TickOnce()) {
        SleepUntil(std::min(publisher_->NextDeadline(), loop_->now() + milliseconds(10)));
      }
    }
  }
  /// Everything that was put has arrived.
  bool idle() const {
    const PublisherStats stats = publisher_->stats();
    return lane->Confirmed() == lane->Mark() && stats.idle() &&
           replica_.confirmed() == store_->state().head;
  }
  /// What a burst of erases is a share of: without it the pump would hold them all for two seconds.
  void set_rows(std::size_t rows) { publisher_->set_rows(rows); }
  PublisherStats stats() const { return publisher_->stats(); }
  internal::ReplicaState replica() const { return replica_.state(); }

 private:
  bool TickOnce() {
    loop_->RunOnce();
    woken_ = false;
    publisher_->Tick(loop_->now());
    loop_->RunOnce();
    // Downstream first: a feed that got no more time than the pump would fall behind for ever.
    while (feed_.Tick(loop_->now())) {}
    const bool more = replica_.Tick(loop_->now());
    return more || woken_ || publisher_->NextDeadline() <= loop_->now();
  }
  static void SleepUntil(MonotonicTime at) {
    const auto ns = at.time_since_epoch().count();
    const timespec when = {ns / 1'000'000'000, ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
  }

  StateSchema schema_ = Schema();
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Publisher> publisher_;
  bool woken_ = false;

 public:
  CountingSink sink;
  Lane* lane = nullptr;

 private:
  internal::Replica replica_;
  internal::Feed feed_;
};

/// The producer thread's work: `count` records, as fast as they go or `every` apart.
void Produce(Lane& lane, std::size_t count, std::size_t keys, Duration every,
             std::uint64_t* random) {
  std::byte row[kRowSize];
  auto at = Now();
  for (std::size_t i = 0; i < count; ++i) {
    if (every > Duration(0)) {
      for (at += every; Now() < at;) {}
    } else if (i % 64 == 0) {
      while (lane.Mark() - lane.Confirmed() > lane.capacity() / 2) {
        std::this_thread::sleep_for(microseconds(20));
      }
    }
    const std::uint64_t roll = NextRandom(random);
    MakeRow((roll >> 8) % keys, every > Duration(0) ? NowNs() : 0, row);
    if ((roll & 0xff) < 13) {  // 5 %
      lane.Erase(std::span<const std::byte>(row, kKeySize));
    } else {
      lane.Put(std::span<const std::byte>(row, kRowSize));
    }
  }
}

void Fill(Pipeline& pipeline, std::size_t keys) {
  std::byte row[kRowSize];
  for (std::size_t number = 0; number < keys; ++number) {
    MakeRow(number, 0, row);
    pipeline.lane->Put(std::span<const std::byte>(row, kRowSize));
    if (number % 4096 == 4095) {
      pipeline.RunUntil([&] { return pipeline.idle(); });
    }
  }
  pipeline.RunUntil([&] { return pipeline.idle(); });
  pipeline.set_rows(keys);
}

/// Runs a producer beside the loop until all has arrived. Returns the seconds that it took.
double RunProducer(Pipeline& pipeline, std::size_t count, std::size_t keys, Duration every) {
  static std::uint64_t random = 88172645463325252U;
  std::atomic<bool> produced{false};
  const auto start = Now();
  std::thread producer([&] {
    Produce(*pipeline.lane, count, keys, every, &random);
    produced = true;
  });
  pipeline.RunUntil([&] { return produced && pipeline.idle(); });
  const double seconds = SecondsSince(start);
  producer.join();
  return seconds;
}

double Percentile(std::vector<double>& values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

void CheckNothingLost(Bench& bench, const Pipeline& pipeline) {
  if (pipeline.lane->lost() > 0 || pipeline.stats().lost() > 0) {
    bench.Fail("records were lost on the way");
  }
  if (pipeline.replica().loads != 1) {
    bench.Fail("the replica fell so far behind that it had to load again");
  }
  if (!bench.smoke() && pipeline.stats().held_erases > 0) {
    bench.Fail("the pump took the erases for a burst, and held them");
  }
}

void MeasureRate(Bench& bench, Pipeline& pipeline, std::size_t keys) {
  const std::size_t count = bench.Scale(20'000'000);
  bench.Run("pipeline.mps", "M records/s", [&] {
    const std::uint64_t coalesced = pipeline.stats().coalesced;
    const double seconds = RunProducer(pipeline, count, keys, Duration(0));
    std::fprintf(stderr, "pipeline.mps: %.2f %% coalesced\n",
                 100.0 * static_cast<double>(pipeline.stats().coalesced - coalesced) /
                     static_cast<double>(count));
    return static_cast<double>(count) / seconds / 1e6;
  });
}

void MeasureLag(Bench& bench, Pipeline& pipeline, std::size_t keys) {
  const std::size_t count = bench.Scale(300'000);
  std::vector<double> p50;
  std::vector<double> p99;
  std::vector<double> lags;
  for (int run = 0; run < (bench.smoke() ? 1 : 5); ++run) {
    lags.clear();
    lags.reserve(count);
    pipeline.sink.lags = &lags;
    RunProducer(pipeline, count, keys, microseconds(10));
    pipeline.sink.lags = nullptr;
    p50.push_back(Percentile(lags, 0.5) / 1e6);
    p99.push_back(Percentile(lags, 0.99) / 1e6);
  }
  bench.Report("pipeline.lag_ms.p50", "ms", p50);
  bench.Report("pipeline.lag_ms.p99", "ms", p99);
}

}  // namespace
}  // namespace mimi::bench

void BenchMain(mimi::bench::Bench& bench) {
  using namespace mimi::bench;  // NOLINT(google-build-using-namespace)
  const std::size_t keys = bench.Scale(1'000'000);
  Pipeline pipeline;
  Fill(pipeline, keys);
  if (bench.Wants("pipeline.mps")) {
    MeasureRate(bench, pipeline, keys);
  }
  if (bench.Wants("pipeline.lag_ms.p50") || bench.Wants("pipeline.lag_ms.p99")) {
    MeasureLag(bench, pipeline, keys);
  }
  CheckNothingLost(bench, pipeline);
}
