// A whole pair over Redis while masters die: Sentinel 1+2+3, and a Cluster of 3+3, on ports of this
// host.
//
// One engine takes 10,000 puts a second of 10,000 keys from a lane, another keeps a table beside
// it. For a minute the pair's master is killed each ten seconds, and comes back as a replica.
//
//   redis.recover_s.*     from a put at the kill, or right after, until it is confirmed: detection by Sentinel
//                         (down-after 500 ms) or the Cluster (node-timeout 1 s), election, connecting, claim, resync
//   redis.soak_wrong.*    rows at the end that the second engine's audit finds different from the repository, and rows of
//                         its table that are not the newest that were put
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mimi/builtin/redis_store.h"
#include "mimi/builtin/table_minion.h"
#include "mimi/engine.h"
#include "mimi/lane.h"
#include "mimi/loop.h"
#include "mimi/table.h"

#include "bench/bench.h"
#include "tests/support/redis_lab.h"

namespace {

using namespace mimi;
using bench::Bench;

constexpr std::uint32_t kKeys = 10'000;
constexpr int kPutsPerMillisecond = 10;

StateSchema Schema() {
  return *StateSchema::Builder("bench.soak", 1)
              .Key("id", FieldType::kU32)
              .Value("value", FieldType::kU64)
              .Build();
}

// The pair, on a thread of its own, until it is stopped.
class Pair {
 public:
  explicit Pair(const std::string& url)
      : options_(*RedisStoreOptionsFromUrl(url)), thread_([this] { Run(); }) {}
  ~Pair() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  struct Latency {
    bench::TimePoint put;
    double seconds;
  };
  // Ends it, and says how long each mark took to be confirmed.
  const std::vector<Latency>& Finish() {
    stop_ = true;
    thread_.join();
    return latencies_;
  }
  bool confirmed_some() const { return confirmed_; }
  std::size_t wrong() const { return wrong_; }
  std::uint64_t puts() const { return puts_; }

 private:
  void Run();
  void Walk(Lane& lane);
  void Put(Lane& lane, std::uint32_t id);
  void Turn(Engine& engine) {
    pollfd door = {engine.PollFd(), POLLIN, 0};
    poll(&door, 1, 1);
    engine.RunOnce();
  }
  void Note(const Lane& lane);
  std::size_t Audit(Engine& engine);
  std::size_t CountWrong(const Table& table) const;

  RedisStoreOptions options_;
  StateSchema schema_ = Schema();
  std::vector<std::uint64_t> newest_ = std::vector<std::uint64_t>(kKeys);
  std::vector<std::byte> row_ = std::vector<std::byte>(Schema().row_size());
  std::mt19937 random_{1};
  std::uint64_t puts_ = 0;
  std::optional<std::pair<Ticket, bench::TimePoint>> mark_;
  std::vector<Latency> latencies_;
  std::size_t wrong_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> confirmed_ = false;
  std::thread thread_;
};

void Pair::Put(Lane& lane, std::uint32_t id) {
  newest_[id] = ++puts_;
  std::memcpy(row_.data(), &id, 4);
  std::memcpy(row_.data() + 4, &puts_, 8);
  lane.Put(row_);
}

// What the engine asks for at the first claim, and when the repository may have lost something.
void Pair::Walk(Lane& lane) {
  if (!lane.ResyncWanted() || !lane.BeginResync()) {
    return;
  }
  for (std::uint32_t id = 0; id < kKeys; ++id) {
    if (newest_[id] != 0) {
      std::memcpy(row_.data(), &id, 4);
      std::memcpy(row_.data() + 4, &newest_[id], 8);
      lane.Walk(row_);
    }
  }
  lane.EndResync();
}

void Pair::Note(const Lane& lane) {
  const auto now = bench::Now();
  if (mark_.has_value() && lane.Confirmed(mark_->first)) {
    latencies_.push_back({mark_->second, bench::SecondsSince(mark_->second)});
    mark_.reset();
    confirmed_ = true;
  }
  if (!mark_.has_value()) {
    mark_ = {lane.Mark(), now};
  }
}

std::size_t Pair::CountWrong(const Table& table) const {
  std::size_t wrong = table.size() > kKeys ? table.size() - kKeys : 0;
  std::vector<std::byte> row(schema_.row_size());
  for (std::uint32_t id = 0; id < kKeys; ++id) {
    std::uint64_t value = 0;
    if (table.Lookup(std::as_bytes(std::span(&id, 1)), row)) {
      std::memcpy(&value, row.data() + 4, 8);
    }
    wrong += value != newest_[id] ? 1U : 0U;
  }
  return wrong;
}

std::size_t Pair::Audit(Engine& engine) {
  std::optional<std::size_t> differing;
  engine.Audit(Side::kMinion, [&](const absl::StatusOr<AuditResult>& result) {
    differing = result.ok() && result->compared != 0 ? result->differing() : kKeys;
  });
  const auto begin = bench::Now();
  while (!differing.has_value() && bench::SecondsSince(begin) < 20) {
    Turn(engine);
  }
  return differing.value_or(kKeys);
}

void Pair::Run() {
  const auto loop = *NewEpollLoop();
  const auto box_store = *NewRedisStore(options_, *loop);
  const auto minion_store = *NewRedisStore(options_, *loop);
  EngineOptions box_options;
  box_options.store = box_store.get();
  box_options.primary.lanes = {schema_};
  const auto box = *NewEngine(std::move(box_options), *loop);
  Lane& lane = **box->OpenLane(Side::kPrimary, schema_);
  Table table(schema_, {.order = TableOrder::kArrival});
  const auto minion = NewTableMinion(table, *loop);
  EngineOptions minion_options;
  minion_options.store = minion_store.get();
  minion_options.minion.minions = {minion.get()};
  const auto beside = *NewEngine(std::move(minion_options), *loop);

  const auto begin = bench::Now();
  while (!stop_) {
    const double due = bench::SecondsSince(begin) * 1000 * kPutsPerMillisecond;
    while (static_cast<double>(puts_) < due) {
      Put(lane, static_cast<std::uint32_t>(random_() % kKeys));
    }
    Walk(lane);
    Note(lane);
    Turn(*box);
    beside->RunOnce();
  }
  const Ticket last = lane.Mark();
  const auto end = bench::Now();
  while ((!lane.Confirmed(last) || CountWrong(table) != 0) && bench::SecondsSince(end) < 20) {
    Walk(lane);
    Turn(*box);
    beside->RunOnce();
  }
  wrong_ = CountWrong(table) + Audit(*beside);
}

void Soak(Bench& bench, const std::string& name, const std::string& key, RedisLab& lab) {
  const auto period = std::chrono::seconds(10);
  const int kills = bench.smoke() ? 1 : 6;
  Pair pair(lab.url() + "?pair=soak");
  while (!pair.confirmed_some()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::vector<bench::TimePoint> killed;
  auto next = bench::Now();
  for (int i = 0; i < kills; ++i) {
    next += bench.smoke() ? std::chrono::seconds(1) : period;
    std::this_thread::sleep_until(next);
    RedisNode& master = *lab.Master(key);
    killed.push_back(bench::Now());
    master.Kill();
    lab.UntilReplaced(key, master);
    lab.Revive();
  }
  std::this_thread::sleep_until(next + (bench.smoke() ? period / 2 : period));
  std::vector<double> recovered(killed.size());
  for (const Pair::Latency& latency : pair.Finish()) {
    const auto end = latency.put + std::chrono::duration<double>(latency.seconds);
    for (std::size_t i = 0; i < killed.size(); ++i) {
      if (latency.put < killed[i] + period && end > killed[i]) {
        const double since = std::chrono::duration<double>(end - killed[i]).count();
        recovered[i] = std::max(recovered[i], std::min(since, latency.seconds));
      }
    }
  }
  bench.Report("redis.recover_s." + name, "s", recovered);
  bench.Report("redis.soak_wrong." + name, "rows", {static_cast<double>(pair.wrong())});
  if (pair.wrong() != 0) {
    bench.Fail("rows differ after " + name + "'s masters died");
  }
  if (*std::max_element(recovered.begin(), recovered.end()) == 0) {
    bench.Fail("no put was followed through a kill");
  }
}

}  // namespace

void BenchMain(Bench& bench) {
  const bool sentinel =
      bench.Wants("redis.recover_s.sentinel") || bench.Wants("redis.soak_wrong.sentinel");
  const bool cluster =
      bench.Wants("redis.recover_s.cluster") || bench.Wants("redis.soak_wrong.cluster");
  if (!sentinel && !cluster) {
    return;
  }
  if (const std::string why = WhyNoRedis(); !why.empty()) {
    std::fprintf(stderr, "redis: skipped, %s\n", why.c_str());
    return;
  }
  if (sentinel) {
    RedisSentinelLab lab;
    Soak(bench, "sentinel", "", lab);
  }
  if (cluster && !bench.smoke()) {  // to see that this program works the one is enough
    RedisClusterLab lab;
    Soak(bench, "cluster", "mimi:{soak}:pair", lab);
  }
}
