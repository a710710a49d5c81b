// The Redis store on a Cluster: the contract, masters that die, slots that move.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "tests/store/redis_survivors.h"
#include "tests/support/redis_lab.h"

namespace mimi {
namespace {

RedisClusterLab& Lab() {
  static RedisClusterLab lab(2000);
  return lab;
}

std::string KeyOf(const std::string& pair) {
  return "mimi:{" + pair + "}:pair";
}

RedisStoreOptions Options(std::string pair) {
  RedisStoreOptions options = *RedisStoreOptionsFromUrl(Lab().url());
  options.pair = std::move(pair);
  options.reply_timeout = std::chrono::seconds(1);
  return options;
}

// A restart is a master that an operator stops: its replica takes its place.
class ClusterUnderTest final : public RedisStoreUnderTest {
 public:
  explicit ClusterUnderTest(const RedisStoreOptions& options)
      : RedisStoreUnderTest(options, nullptr), key_(KeyOf(options.pair)) {}
  bool Restart() override {
    RedisNode& master = *Lab().Master(key_);
    master.Stop();
    Lab().UntilReplaced(key_, master);
    Lab().Revive();
    return true;
  }

 private:
  std::string key_;
};

contract::StoreFactory Make() {
  return [](const contract::StoreLimits& limits) {
    static int pairs = 0;
    RedisStoreOptions options = Options("pair" + std::to_string(++pairs));
    options.max_rows = limits.max_rows;
    options.feed_bytes = limits.feed_bytes;
    options.tombstone_age = limits.tombstone_age;
    return std::make_unique<ClusterUnderTest>(options);
  };
}

}  // namespace

MIMI_STORE_CONTRACT("redis store on a cluster", Make())

namespace {

TEST_CASE("redis store on a cluster: a killed master is replaced, and readers end up right") {
  RedisBench bench(Options("killed"));
  SurvivingWriter writer(bench);
  SurvivingReader reader(bench, writer.schema());
  writer.Publish(150);
  REQUIRE(writer.Confirmed());
  CHECK(reader.UntilRows(writer.rows()));
  RedisNode& master = *Lab().Master(KeyOf("killed"));
  master.Kill();
  const auto begin = std::chrono::steady_clock::now();
  writer.Publish(20);
  CHECK(writer.Confirmed());
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  MESSAGE("writes flow again after ", taken.count(), " ms");
  CHECK(writer.claims() == 2);
  CHECK(reader.UntilRows(writer.rows()));
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
  Lab().Revive();
}

TEST_CASE("redis store on a cluster: a slot moves while it is written, key by key") {
  RedisBench bench(Options("moving"));
  SurvivingWriter writer(bench);
  SurvivingReader reader(bench, writer.schema());
  writer.Publish(150);
  REQUIRE(writer.Confirmed());
  const RedisNode* const before = Lab().Master(KeyOf("moving"));
  int keys = 0;
  Lab().MoveSlot(KeyOf("moving"), [&] {
    ++keys;
    writer.Publish(5);
    bench.Settle();
    reader.Turn();
  });
  CHECK(keys >= 5);
  CHECK(Lab().Master(KeyOf("moving")) != before);
  writer.Publish(20);
  CHECK(writer.Confirmed());
  CHECK(reader.UntilRows(writer.rows()));
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
}

TEST_CASE("redis store on a cluster: pairs live on different masters") {
  RedisBench bench(Options("one"));
  RedisBench other(Options("two"));
  SurvivingWriter first(bench);
  SurvivingWriter second(other);
  first.Publish(3);
  second.Publish(4);
  CHECK(first.Confirmed());
  CHECK(second.Confirmed());
  CHECK(Lab().Master(KeyOf("one")) != Lab().Master(KeyOf("two")));
}

TEST_CASE("redis store: a node of a cluster is no server by itself, and says so") {
  RedisStoreOptions options = Options("lone");
  options.deployment = RedisStoreOptions::Deployment::kStandalone;
  const RedisNode* const owner = Lab().Master(KeyOf("lone"));
  int others = 0;
  for (const auto& node : Lab().nodes()) {
    if (node.get() != owner) {
      options.addresses = {{"127.0.0.1", node->port()}};
      RedisBench bench(options);
      const auto store = bench.Handle();
      const bool master = node->Says("INFO replication", "role:master");
      bench.UntilUnavailable(*store, master ? "moved" : "read-only replica");
      others += master ? 1 : 0;
    }
  }
  CHECK(others == 2);
}

}  // namespace
}  // namespace mimi
