// The Redis store, against a redis-server of this program's own, on a local socket.
//
// 13-byte keys and 24-byte values, uniform random over 1M keys; batches of 64 KiB (1,000 records or
// so). One thread makes the batches, writes and reads; the server is the other. Every metric counts
// until a batch is confirmed, which means: stored in the server's feed, and readable through this
// handle.
//
//   redis.apply_kps      4M records, sealed beforehand
//   redis.sustained_kps  10 s and more, records made meanwhile, the tables in the server kept up;
//   counted until these
//                        are level with the feed. redis.table_lag_s is how far they were behind at worst;
//                        redis.sustained_lost compares what a reader loads then, row by row, with what was written
//   redis.load_s         a new handle, from connecting to 1M rows applied to a RowMap
//   redis.lag_ms         10,000 records a second, two at a time: from Apply to another handle's cursor
//   redis.bytes_per_row  the server's used_memory, less that of an empty repository, the feed
//   trimmed to 1 MiB
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mimi/builtin/redis_store.h"
#include "mimi/flow.h"
#include "mimi/loop.h"

#include "bench/bench.h"
#include "bench/store/private_redis.h"
#include "src/state/row_map.h"

namespace {

using namespace mimi;
using bench::Bench;
using bench::PrivateRedis;

constexpr std::size_t kKeySize = 13;
constexpr std::size_t kValueSize = 24;
constexpr std::size_t kSmallFeed = std::size_t{1} << 20;
constexpr std::size_t kFeed = std::size_t{64} << 20;

StateSchema SmallSchema() {
  return *StateSchema::Builder("bench.rows", 1)
              .Key("key", FieldType::kBytes, kKeySize)
              .Value("value", FieldType::kBytes, kValueSize)
              .Build();
}

// Key number `id`, with `value` behind it.
void FillRow(const StateSchema& schema, std::uint64_t id, std::uint64_t value,
             std::vector<std::byte>* row) {
  row->assign(schema.default_row().begin(), schema.default_row().end());
  const std::uint64_t mixed = (id + 1) * 0x9E3779B97F4A7C15U;
  std::memcpy(row->data(), &mixed, 8);
  std::memcpy(row->data() + schema.key_size(), &value, 8);
}

struct Handle {
  Handle(const PrivateRedis& server, const std::string& pair, std::size_t feed_bytes = kFeed) {
    RedisStoreOptions options = *RedisStoreOptionsFromUrl("unix://" + server.socket());
    options.pair = pair;
    options.feed_bytes = feed_bytes;
    options.reply_timeout = std::chrono::seconds(10);
    store = *NewRedisStore(options, *loop);
  }
  void Turn() {
    if (!loop->RunOnce()) {
      pollfd readable = {loop->PollFd(), POLLIN, 0};
      poll(&readable, 1, 1);
    }
  }
  template <class Done>
  void Until(Done done) {
    while (!done()) {
      Turn();
    }
  }
  std::uint64_t Enter(const StateSchema& schema) {
    bool open = false;
    store->Open(schema, [&open](const absl::Status& status) { open = status.ok(); });
    Until([&] { return open; });
    std::uint64_t term = 0;
    store->Claim({.origin = 1}, [&term](const absl::StatusOr<Claimed>& c) { term = c->term; });
    Until([&] { return term != 0; });
    return term;
  }
  // Offers it until it is taken.
  Position Apply(const BatchView& batch) {
    absl::StatusOr<Position> taken = store->Apply(batch);
    while (taken.status().code() == absl::StatusCode::kResourceExhausted) {
      Turn();
      taken = store->Apply(batch);
    }
    return taken.value();
  }
  void Confirm(Position last) {
    Until([&] { return store->confirmed() >= last; });
  }

  std::unique_ptr<Loop> loop = *NewEpollLoop();
  std::unique_ptr<StateStore> store;
};

// Batches of records about keys below `keys`, by turns or at random.
class Source {
 public:
  Source(const StateSchema& schema, std::uint64_t term, std::size_t keys, bool random)
      : schema_(schema), builder_(schema, 1), term_(term), newest_(keys), random_keys_(random) {}

  // At most `records`. Valid until the next call.
  BatchView Next(std::size_t records) {
    builder_.Clear();
    while (builder_.size() < records && !builder_.full()) {
      const std::size_t id = (random_keys_ ? random_() : made_) % newest_.size();
      newest_[id] = ++made_;
      FillRow(schema_, id, made_, &row_);
      builder_.Put(row_);
    }
    const BatchView batch = builder_.Seal(term_, sequence_, UnixTime());
    sequence_ += batch.size();
    return batch;
  }
  std::vector<std::vector<std::byte>> Make(std::size_t records) {
    std::vector<std::vector<std::byte>> sealed;
    while (made_ < records) {
      const BatchView batch = Next(records - made_);
      sealed.emplace_back(batch.bytes().begin(), batch.bytes().end());
    }
    return sealed;
  }
  std::size_t made() const { return made_; }
  // The last value of each key; 0: none.
  const std::vector<std::uint64_t>& newest() const { return newest_; }

 private:
  const StateSchema& schema_;
  BatchBuilder builder_;
  std::uint64_t term_;
  std::uint64_t sequence_ = 1;
  std::size_t made_ = 0;
  std::vector<std::uint64_t> newest_;
  bool random_keys_;
  std::mt19937_64 random_{1};
  std::vector<std::byte> row_;
};

double KiloPerSecond(std::size_t records, double seconds) {
  return static_cast<double>(records) / seconds / 1000;
}

// A new handle's rows, in a RowMap.
std::unique_ptr<RowMap> LoadAll(const PrivateRedis& server, const std::string& pair,
                                const StateSchema& schema) {
  Handle reader(server, pair);
  auto rows = std::make_unique<RowMap>(schema);
  const auto cursor = *reader.store->Snapshot(0, [] {});
  while (!cursor->done()) {
    const auto batch = cursor->Next();
    if (batch.ok() && batch->has_value()) {
      rows->Apply(**batch, reader.loop->now(), 0);
    } else if (!cursor->done()) {
      reader.Turn();
    }
  }
  return rows;
}

// Rows that are not the newest that was written.
std::size_t CountWrong(RowMap& rows, const StateSchema& schema,
                       const std::vector<std::uint64_t>& newest) {
  std::size_t wrong = 0;
  std::size_t expected = 0;
  std::vector<std::byte> row;
  for (std::size_t id = 0; id < newest.size(); ++id) {
    if (newest[id] == 0) {
      continue;
    }
    ++expected;
    FillRow(schema, id, newest[id], &row);
    const auto found = rows.Find(std::span(row).first(schema.key_size()));
    wrong += !found.has_value() || !std::ranges::equal(found->row, row) ? 1U : 0U;
  }
  return wrong + (rows.size() > expected ? rows.size() - expected : 0);
}

void MeasureApply(Bench& bench) {
  const PrivateRedis server;
  const StateSchema schema = SmallSchema();
  const std::size_t records = bench.Scale(4'000'000);
  int pair = 0;
  bench.Run("redis.apply_kps", "k/s", [&] {
    Handle handle(server, "apply" + std::to_string(++pair));
    Source source(schema, handle.Enter(schema), bench.Scale(1'000'000), true);
    const auto batches = source.Make(records);
    std::vector<BatchView> views;
    for (const auto& bytes : batches) {
      views.push_back(*BatchView::Parse(bytes));
    }
    const auto start = bench::Now();
    Position last = 0;
    for (const BatchView& view : views) {
      last = handle.Apply(view);
    }
    handle.Confirm(last);
    const double seconds = bench::SecondsSince(start);
    const StoreState state = handle.store->state();
    if (state.head != records || state.stale != 0 || state.table_full != 0) {
      bench.Fail("records were lost");
    }
    server.Ask("FLUSHALL");
    return KiloPerSecond(records, seconds);
  });
}

// How far the tables in the server are behind the feed, in seconds, as it grows.
class TableLag {
 public:
  TableLag(const PrivateRedis& server, std::string pair)
      : server_(server), command_("HGET mimi:{" + std::move(pair) + "}:pair position") {}

  void Look(Position head) {
    const auto now = bench::Now();
    if (now < next_) {
      return;
    }
    next_ = now + std::chrono::milliseconds(100);
    seen_.emplace_back(now, head);
    const auto position = static_cast<Position>(server_.Number(command_, "\r\n"));
    while (!seen_.empty() && seen_.front().second <= position) {
      seen_.pop_front();
    }
    const double lag = seen_.empty() ? 0 : bench::SecondsSince(seen_.front().first);
    worst_ = std::max(worst_, lag);
    level_ = position >= head;
  }
  bool level() const { return level_; }
  double worst() const { return worst_; }

 private:
  const PrivateRedis& server_;
  std::string command_;
  bench::TimePoint next_{};
  std::deque<std::pair<bench::TimePoint, Position>> seen_;
  double worst_ = 0;
  bool level_ = false;
};

void MeasureSustained(Bench& bench) {
  const PrivateRedis server;
  const StateSchema schema = SmallSchema();
  const double seconds = bench.smoke() ? 0.1 : 10;
  Handle handle(server, "sustained");
  Source source(schema, handle.Enter(schema), bench.Scale(1'000'000), true);
  TableLag lag(server, "sustained");
  const auto start = bench::Now();
  Position last = 0;
  while (bench::SecondsSince(start) < seconds) {
    last = handle.Apply(source.Next(~std::size_t{0}));
    lag.Look(handle.store->state().head);
  }
  handle.Confirm(last);
  handle.Until([&] {
    lag.Look(handle.store->state().head);
    return lag.level();
  });
  const double taken = bench::SecondsSince(start);
  if (handle.store->state().head != source.made()) {
    bench.Fail("records were lost");
  }
  if (lag.worst() > 10) {
    bench.Fail("the tables were more than 10 s behind the feed");
  }
  bench.Report("redis.sustained_kps", "k/s", {KiloPerSecond(source.made(), taken)});
  bench.Report("redis.table_lag_s", "s", {lag.worst()});
  const std::size_t wrong =
      CountWrong(*LoadAll(server, "sustained", schema), schema, source.newest());
  bench.Report("redis.sustained_lost", "rows", {static_cast<double>(wrong)});
  if (wrong != 0) {
    bench.Fail("rows of the repository are not the newest that were confirmed");
  }
}

// One row of each key, in the tables, the feed trimmed.
void Fill(Handle& handle, const StateSchema& schema, std::size_t rows) {
  Source source(schema, handle.Enter(schema), rows, false);
  Position last = 0;
  while (source.made() < rows) {
    last = handle.Apply(source.Next(rows - source.made()));
  }
  handle.Confirm(last);
  handle.Until([&] { return handle.store->state().feed_bytes <= kSmallFeed; });
}

void MeasureLoad(Bench& bench) {
  const PrivateRedis server;
  const StateSchema schema = SmallSchema();
  const std::size_t keys = bench.Scale(1'000'000);
  Handle writer(server, "load", kSmallFeed);
  Fill(writer, schema, keys);
  bench.Run("redis.load_s", "s", [&] {
    const auto start = bench::Now();
    const auto rows = LoadAll(server, "load", schema);
    if (rows->size() != keys) {
      bench.Fail("rows are missing after a load");
    }
    return bench::SecondsSince(start);
  });
  bench.Run("redis.lookup_us", "us", [&] {
    std::vector<std::byte> row;
    const std::size_t count = bench.Scale(5000);
    std::size_t found = 0;
    const auto start = bench::Now();
    for (std::size_t i = 0; i < count; ++i) {
      FillRow(schema, i * 199 % keys, 0, &row);
      bool answered = false;
      writer.store->Lookup(schema.table(), std::span(row).first(kKeySize), [&](const auto& answer) {
        answered = true;
        found += answer.ok() ? 1U : 0U;
      });
      writer.Until([&] { return answered; });
    }
    if (found != count) {
      bench.Fail("rows were not found");
    }
    return bench::NanosecondsSince(start) / 1000 / static_cast<double>(count);
  });
}

void MeasureLag(Bench& bench) {
  const PrivateRedis server;
  const StateSchema schema = SmallSchema();
  Handle writer(server, "lag");
  Source source(schema, writer.Enter(schema), 1'000'000, true);
  RedisStoreOptions options = *RedisStoreOptionsFromUrl("unix://" + server.socket());
  options.pair = "lag";
  const auto reader = *NewRedisStore(options, *writer.loop);  // one thread turns both
  const auto cursor = *reader->Watch({}, [] {});
  writer.Until([&] { return reader->state().available; });
  const std::size_t count = bench.Scale(25'000);
  std::deque<bench::TimePoint> sent;
  std::vector<double> lags;
  std::size_t made = 0;
  MonotonicTime due = writer.loop->now();
  const std::function<void()> publish = [&] {
    const BatchView two = source.Next(2);
    sent.push_back(bench::Now());
    writer.Apply(two);
    due += std::chrono::microseconds(200);
    if (++made < count) {
      writer.loop->At(due, publish);
    }
  };
  writer.loop->At(due, publish);
  while (lags.size() < count) {
    writer.Turn();
    auto batch = cursor->Next();
    for (; batch.ok() && batch->has_value(); batch = cursor->Next()) {
      lags.push_back(bench::NanosecondsSince(sent.front()) / 1e6);
      sent.pop_front();
    }
    if (!batch.ok()) {
      bench.Fail("the reader lost the feed");
      return;
    }
  }
  std::sort(lags.begin(), lags.end());
  bench.Report("redis.lag_ms.p50", "ms", {lags[lags.size() / 2]});
  bench.Report("redis.lag_ms.p99", "ms", {lags[lags.size() * 99 / 100]});
}

void MeasureSize(Bench& bench, std::string_view metric, const StateSchema& schema) {
  if (!bench.Wants(metric)) {
    return;
  }
  const PrivateRedis server;
  const std::size_t rows = bench.Scale(1'000'000);
  Handle handle(server, "size", kSmallFeed);
  handle.Enter(schema);
  const double empty = server.used_memory();
  Fill(handle, schema, rows);
  // The server gives the buffers of its connections back within a second or two.
  std::this_thread::sleep_for(std::chrono::seconds(bench.smoke() ? 0 : 3));
  bench.Report(metric, "bytes", {(server.used_memory() - empty) / static_cast<double>(rows)});
}

}  // namespace

void BenchMain(Bench& bench) {
  if (!PrivateRedis::IsInstalled()) {
    std::fputs("redis: skipped, redis-server is not installed\n", stderr);
    return;
  }
  if (bench.Wants("redis.apply_kps")) {
    MeasureApply(bench);
  }
  if (bench.Wants("redis.sustained_kps") || bench.Wants("redis.table_lag_s")) {
    MeasureSustained(bench);
  }
  if (bench.Wants("redis.load_s") || bench.Wants("redis.lookup_us")) {
    MeasureLoad(bench);
  }
  if (bench.Wants("redis.lag_ms")) {
    MeasureLag(bench);
  }
  MeasureSize(bench, "redis.bytes_per_row.37", SmallSchema());
  MeasureSize(bench, "redis.bytes_per_row.flow", FlowSchema());
}
