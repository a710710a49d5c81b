// The Redis store over Sentinel: the contract, and masters that die.
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "tests/store/redis_survivors.h"
#include "tests/support/redis_lab.h"

namespace mimi {
namespace {

RedisSentinelLab& Lab() {
  static RedisSentinelLab lab(1500);
  return lab;
}

RedisStoreOptions Options(std::string pair) {
  RedisStoreOptions options = *RedisStoreOptionsFromUrl(Lab().url());
  options.pair = std::move(pair);
  options.reply_timeout = std::chrono::seconds(1);
  return options;
}

// A restart is a master that an operator stops: a replica takes its place.
class SentinelUnderTest final : public RedisStoreUnderTest {
 public:
  using RedisStoreUnderTest::RedisStoreUnderTest;
  bool Restart() override {
    RedisNode& master = *Lab().Master("");
    master.Stop();
    Lab().UntilReplaced("", master);
    Lab().Revive();
    return true;
  }
};

contract::StoreFactory Make() {
  return [](const contract::StoreLimits& limits) {
    static int pairs = 0;
    RedisStoreOptions options = Options("pair" + std::to_string(++pairs));
    options.max_rows = limits.max_rows;
    options.feed_bytes = limits.feed_bytes;
    options.tombstone_age = limits.tombstone_age;
    return std::make_unique<SentinelUnderTest>(options, nullptr);
  };
}

}  // namespace

MIMI_STORE_CONTRACT("redis store over sentinel", Make())

namespace {

void CheckFailOver(RedisBench& bench, SurvivingWriter& writer, RedisNode& master) {
  const auto begin = std::chrono::steady_clock::now();
  writer.Publish(20);
  CHECK(writer.Confirmed());
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  MESSAGE("writes flow again after ", taken.count(), " ms");
  CHECK(writer.claims() > 1);
  const RedisNode* const now = Lab().Master("");
  REQUIRE(now != nullptr);
  CHECK(now != &master);
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
}

TEST_CASE("redis store over sentinel: a killed master is replaced, and readers end up right") {
  RedisBench bench(Options("killed"));
  SurvivingWriter writer(bench);
  SurvivingReader reader(bench, writer.schema());
  writer.Publish(150);
  REQUIRE(writer.Confirmed());
  CHECK(reader.UntilRows(writer.rows()));
  RedisNode& master = *Lab().Master("");
  master.Kill();
  CheckFailOver(bench, writer, master);
  CHECK(reader.UntilRows(writer.rows()));
  CHECK(reader.loads() == 2);
  Lab().Revive();
}

TEST_CASE("redis store over sentinel: a master that hangs is left for the one that replaces it") {
  RedisBench bench(Options("hung"));
  SurvivingWriter writer(bench);
  writer.Publish(10);
  REQUIRE(writer.Confirmed());
  RedisNode& master = *Lab().Master("");
  master.Signal(SIGSTOP);
  CheckFailOver(bench, writer, master);
  master.Signal(SIGCONT);
  master.Kill();
  Lab().Revive();
}

TEST_CASE("redis store over sentinel: a sentinel that is gone, and one that knows nothing") {
  RedisStoreOptions options = Options("others");
  options.addresses.insert(options.addresses.begin(), {{"127.0.0.1", 1}});
  {
    RedisBench bench(options);
    SurvivingWriter writer(bench);
    writer.Publish(3);
    CHECK(writer.Confirmed());
  }
  options.service = "nobody";
  RedisBench bench(options);
  const auto store = bench.Handle();
  const std::string reason = bench.UntilUnavailable(*store, "no such master");
  CHECK(reason.find("nobody") != std::string::npos);
}

}  // namespace
}  // namespace mimi
