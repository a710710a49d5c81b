// What goes wrong with a Redis server: each trouble has its name, nothing blocks, and the table is
// right afterwards.
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/store/redis_store_under_test.h"

namespace mimi {
namespace {

using absl::StatusCode;
using contract::Word;

// A writer that goes on whatever happens, and what must be in the table at the end.
struct Publisher {
  explicit Publisher(RedisBench& b, std::string_view name = "writer")
      : bench(b), node(b, schema, name, ClaimMode::kShared), writer(NewWriter()) {}
  contract::Writer NewWriter() const { return {schema, node.origin, node.claim.term}; }

  // Offers `count` batches of a row each; returns how long the slowest call took. What is not taken
  // is offered again.
  Duration Publish(int count) {
    Duration slowest{};
    for (int i = 0; i < count; ++i) {
      ++value;
      const BatchView batch = writer.Put({value % 100, value}).Seal();
      const auto begin = std::chrono::steady_clock::now();
      absl::StatusOr<Position> taken = node.store->Apply(batch);
      slowest = std::max<Duration>(slowest, std::chrono::steady_clock::now() - begin);
      REQUIRE(bench.Until([&] {
        if (!taken.ok()) {
          taken = node.store->Apply(batch);
        }
        return taken.ok();
      }));
      last = *taken;
    }
    return slowest;
  }
  bool Confirmed() {
    return bench.Until([this] { return node.store->confirmed() >= last; });
  }
  // Every value once in the feed, the newest of each key in the table.
  void Check() {
    CHECK(Confirmed());
    CHECK(node.store->state().head == value);
    std::map<Word, Word> expected;
    for (Word i = 1; i <= value; ++i) {
      expected[i % 100] = i;
    }
    std::map<Word, Word> rows;
    const auto reader = bench.Handle();
    REQUIRE(bench.Open(*reader, schema).ok());
    for (const auto& [id, row] : contract::LoadedRows(bench, *reader, schema)) {
      rows[id] = row.words[1];
    }
    CHECK(rows == expected);
  }

  RedisBench& bench;
  StateSchema schema = contract::WordSchema(1);
  contract::Node node;
  contract::Writer writer;
  Word value = 0;
  Position last = 0;
};

constexpr Duration kAtOnce = std::chrono::milliseconds(100);

TEST_CASE("redis store: a server that is not there is \"refused\", and found when it comes") {
  RedisServer server;
  const RedisStoreOptions options = RedisBench::Options(server);
  server.Stop();
  RedisBench bench(options);
  const auto store = bench.Handle();
  const std::string reason = bench.UntilUnavailable(*store, "refused");
  CHECK(reason.find(server.socket()) != std::string::npos);
  CHECK(bench.Open(*store, contract::WordSchema(1)).code() == StatusCode::kUnavailable);
  const auto snapshot = store->Snapshot(0, [] {});
  REQUIRE(snapshot.ok());
  CHECK(bench.Until([&] { return absl::IsUnavailable((*snapshot)->Next().status()); }));
  server.Start();
  CHECK(bench.UntilAvailable(*store));
  Publisher publisher(bench);
  publisher.Publish(10);
  publisher.Check();
}

TEST_CASE("redis store: connections that are reset lose and double nothing") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  for (int round = 0; round < 20; ++round) {
    publisher.Publish(20);
    server.Run("CLIENT KILL TYPE normal");
    publisher.Publish(20);
    bench.Settle();
  }
  publisher.Check();
}

TEST_CASE("redis store: a server that hangs is \"no answer\", and blocks nobody") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(10);
  REQUIRE(publisher.Confirmed());
  server.Signal(SIGSTOP);
  CHECK(publisher.Publish(50) < kAtOnce);
  bench.UntilUnavailable(*publisher.node.store, "no answer");
  CHECK(publisher.Publish(50) < kAtOnce);
  CHECK(bench.Lookup(*publisher.node.store, publisher.schema.table(), {1}).status().code() ==
        StatusCode::kUnavailable);
  server.Signal(SIGCONT);
  CHECK(bench.UntilAvailable(*publisher.node.store));
  publisher.Check();
}

TEST_CASE("redis store: a slow server is waited for") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  server.Run("CLIENT PAUSE 150 ALL");
  CHECK(publisher.Publish(50) < kAtOnce);
  CHECK(publisher.node.store->state().available);
  publisher.Check();
}

TEST_CASE("redis store: what waits for a server is bounded") {
  RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  options.window_bytes = 1000;
  RedisBench bench(options);
  Publisher publisher(bench);
  server.Signal(SIGSTOP);
  bench.UntilUnavailable(*publisher.node.store, "no answer");
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = publisher.node.store->Apply(publisher.writer.Put({1, 1}).Seal()).status();
  }
  CHECK(status.code() == StatusCode::kResourceExhausted);
  server.Signal(SIGCONT);
}

TEST_CASE("redis store: a full server is \"out of memory\" until there is room") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(10);
  REQUIRE(publisher.Confirmed());
  server.Run("CONFIG SET maxmemory 1");
  CHECK(publisher.Publish(10) < kAtOnce);
  bench.UntilUnavailable(*publisher.node.store, "out of memory");
  server.Run("CONFIG SET maxmemory 0");
  CHECK(bench.UntilAvailable(*publisher.node.store));
  publisher.Check();
}

TEST_CASE("redis store: a server that became a replica is a \"read-only replica\"") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(10);
  REQUIRE(publisher.Confirmed());
  server.Run("REPLICAOF 127.0.0.1 1");
  publisher.Publish(10);
  bench.UntilUnavailable(*publisher.node.store, "read-only replica");
  server.Run("REPLICAOF NO ONE");
  CHECK(bench.UntilAvailable(*publisher.node.store));
  publisher.Check();
}

TEST_CASE("redis store: a wrong password is named, and never shown") {
  const RedisServer server(
      {"--requirepass", "right", "--user", "mimi", "on", ">secret", "~mimi:*", "+@all"});
  RedisStoreOptions options = RedisBench::Options(server);
  const auto reason = [&] {
    RedisBench bench(options);
    const auto store = bench.Handle();
    return bench.UntilUnavailable(*store, ": ");
  };
  CHECK(reason().find("wrong password") != std::string::npos);
  options.password = "wrong-one";
  CHECK(reason().find("wrong password") != std::string::npos);
  CHECK(reason().find("wrong-one") == std::string::npos);
  options.password = "right";
  {
    RedisBench bench(options);
    Publisher publisher(bench);
    publisher.Publish(5);
    publisher.Check();
  }
  options.user = "mimi";
  options.password = "secret";
  options.pair = "edge2";
  {
    RedisBench bench(options);
    Publisher publisher(bench);
    publisher.Publish(5);
    publisher.Check();
  }
  options.prefix = "elsewhere";
  CHECK(reason().find("no permission") != std::string::npos);
}

TEST_CASE("redis store: a key of ours with a wrong type is named, and mended by its removal") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  server.Run("SET mimi:{edge1}:feed x");
  publisher.Publish(5);
  bench.UntilUnavailable(*publisher.node.store, "wrong type");
  server.Run("DEL mimi:{edge1}:feed");
  CHECK(bench.UntilAvailable(*publisher.node.store));
  publisher.Check();
}

TEST_CASE("redis store: databases and prefixes keep repositories apart") {
  const RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  RedisBench first(options);
  Publisher publisher(first);
  publisher.Publish(5);
  publisher.Check();
  options.database = 3;
  RedisBench second(options);
  Publisher other(second);
  other.Publish(3);
  other.Check();
  options.prefix = "lab";
  RedisBench third(options);
  Publisher another(third);
  another.Publish(4);
  another.Check();
  publisher.Check();
}

TEST_CASE("redis store: rows beyond max_rows are missing, until there is room and a resync") {
  const RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  options.max_rows = 3;
  RedisBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "node", ClaimMode::kShared);
  contract::Writer writer(schema, node.origin, node.claim.term);
  for (Word id = 1; id <= 5; ++id) {
    writer.Put({id, id});
  }
  REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
  CHECK(node.store->state().table_full == 2);
  CHECK(node.store->state().rows_missing == 2);
  CHECK(node.store->state().missing_fit == 0);
  REQUIRE(bench.Apply(*node.store, writer.Erase(1).Seal()).ok());
  CHECK(node.store->state().rows_missing == 2);
  CHECK(node.store->state().missing_fit == 1);
}

// The repository is gone: the writer is told, claims anew in the new one, and puts everything
// again.
void CheckReplaced(RedisBench& bench, Publisher& publisher, std::uint64_t before) {
  const StateStore& store = *publisher.node.store;
  REQUIRE(bench.Until([&] {
    const StoreState state = store.state();
    return state.available && state.incarnation != before;
  }));
  const absl::Status told = bench.Apply(*publisher.node.store, publisher.writer.Put({1, 1}).Seal());
  // The new repository has no such table, or no such term.
  CHECK((told.code() == StatusCode::kFailedPrecondition ||
         told.code() == StatusCode::kInvalidArgument));
  REQUIRE(bench.Open(*publisher.node.store, publisher.schema).ok());
  const auto claimed = bench.Claim(*publisher.node.store, {.origin = publisher.node.origin,
                                                           .mode = ClaimMode::kShared,
                                                           .floor = publisher.node.claim.term});
  REQUIRE(claimed.ok());
  CHECK(claimed->term > publisher.node.claim.term);
  publisher.node.claim = *claimed;
  publisher.writer = publisher.NewWriter();
  publisher.value = 0;
  publisher.Publish(120);
  publisher.Check();
}

TEST_CASE(
    "redis store: FLUSHALL under our feet is another incarnation, and data loss for readers") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(200);
  publisher.Check();
  const auto reader = bench.Handle();
  REQUIRE(bench.Open(*reader, publisher.schema).ok());
  const StoreState before = reader->state();
  const auto watch = reader->Watch({before.incarnation, 5}, [] {});
  REQUIRE(watch.ok());
  server.Run("FLUSHALL");
  CHECK(bench.Until([&] { return absl::IsDataLoss((*watch)->Next().status()); }));
  CheckReplaced(bench, publisher, before.incarnation);
}

TEST_CASE("redis store: a restart without persistence is another incarnation") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(200);
  REQUIRE(publisher.Confirmed());
  const std::uint64_t before = publisher.node.store->state().incarnation;
  server.Kill();
  bench.UntilUnavailable(*publisher.node.store, "re");  // refused, or reset
  server.Start();
  CheckReplaced(bench, publisher, before);
}

TEST_CASE("redis store: batches that wait when the repository is replaced are refused, not lost") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  Publisher publisher(bench);
  publisher.Publish(5);
  REQUIRE(publisher.Confirmed());
  server.Kill();
  bench.UntilUnavailable(*publisher.node.store, "re");
  const auto taken = publisher.node.store->Apply(publisher.writer.Put({1, 7}).Seal());
  REQUIRE(taken.ok());
  server.Start();
  REQUIRE(bench.UntilAvailable(*publisher.node.store));
  CHECK_MESSAGE(publisher.node.store->confirmed() < *taken, "not before its writer was told");
  const absl::Status told =
      publisher.node.store->Apply(publisher.writer.Put({1, 8}).Seal()).status();
  CHECK(told.code() == StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace mimi
