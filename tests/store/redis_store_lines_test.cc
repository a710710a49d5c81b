// The Redis store on bad lines, and readers that fall behind: what was written is there once, and
// all agree.
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "tests/store/redis_proxy.h"
#include "tests/store/redis_survivors.h"

namespace mimi {
namespace {

// A server behind a proxy.
struct Line {
  Line() { options.addresses = {{.host = {}, .port = 0, .path = proxy.socket()}}; }
  RedisServer server;
  std::uint32_t seed = std::random_device{}();
  RedisProxy proxy{server.socket(), server.directory() + "proxy", seed};
  RedisStoreOptions options = RedisBench::Options(server);
};

// Everything once, in order, by the same claim.
void CheckWhole(RedisBench& bench, SurvivingWriter& writer) {
  CHECK(writer.Confirmed());
  CHECK(writer.claims() == 1);
  CHECK(writer.store().state().head == writer.fed());
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
}

TEST_CASE("redis store: a slow line is waited for") {
  Line line;
  RedisBench bench(line.options);
  SurvivingWriter writer(bench);
  line.proxy.Set(RedisProxy::Fault::kSlow);
  writer.Publish(100);
  CHECK(writer.store().state().available);
  CheckWhole(bench, writer);
}

TEST_CASE("redis store: a line that hangs is \"no answer\", and nothing is lost on it") {
  Line line;
  RedisBench bench(line.options);
  SurvivingWriter writer(bench);
  writer.Publish(20);
  line.proxy.Set(RedisProxy::Fault::kHang);
  writer.Publish(20);
  bench.UntilUnavailable(writer.store(), "no answer");
  writer.Publish(20);
  line.proxy.Set(RedisProxy::Fault::kNone);
  CHECK(bench.UntilAvailable(writer.store()));
  CheckWhole(bench, writer);
}

TEST_CASE("redis store: connections cut in the midst of an answer lose and double nothing") {
  Line line;
  CAPTURE(line.seed);
  RedisBench bench(line.options);
  SurvivingWriter writer(bench);
  for (int round = 0; round < 10; ++round) {
    const int before = line.proxy.cuts();
    line.proxy.Set(RedisProxy::Fault::kCut);
    writer.Publish(20);
    CHECK(bench.Until([&] { return line.proxy.cuts() >= before + 3; }));
    line.proxy.Set(RedisProxy::Fault::kNone);
    writer.Publish(20);
  }
  CheckWhole(bench, writer);
}

TEST_CASE("redis store: who has much under way reads what he missed without delay") {
  RedisServer server({"--appendonly", "yes"});
  RedisBench bench(RedisBench::Options(server));
  SurvivingWriter writer(bench);
  writer.Publish(300);  // far more than the tables have
  CHECK(writer.Confirmed());
  server.Stop();
  writer.Publish(20);
  server.Start();
  const auto begin = std::chrono::steady_clock::now();
  CHECK(writer.Confirmed());
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
}

TEST_CASE("redis store: two readers and a late third agree, also where the feed was trimmed") {
  RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  options.feed_bytes = 8192;
  RedisBench bench(options);
  SurvivingWriter writer(bench);
  SurvivingReader quick(bench, writer.schema());
  SurvivingReader slow(bench, writer.schema());
  writer.Publish(50);
  CHECK(slow.UntilRows(writer.rows()));
  for (int i = 0; i < 100 && !slow.outrun(); ++i) {
    writer.Publish(50);
    writer.Erase(static_cast<contract::Word>(i));
    CHECK(writer.Confirmed());
    CHECK(bench.Until([&] {
      quick.Turn();
      return quick.rows() == writer.rows();
    }));
  }
  REQUIRE(slow.outrun());
  CHECK(slow.UntilRows(writer.rows()));
  CHECK(slow.loads() == 2);
  CHECK(quick.UntilRows(writer.rows()));
  SurvivingReader late(bench, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
  CHECK((quick.live() == slow.live()));  // with origins and versions
  CHECK((quick.live() == late.live()));
}

TEST_CASE("redis store: a reader makes the same of rows as JSON as of packed ones") {
  RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  options.rows = RedisStoreOptions::Rows::kJson;
  RedisBench bench(options);
  SurvivingWriter writer(bench);
  SurvivingReader early(bench, writer.schema());
  writer.Publish(150);
  writer.Erase(7);
  CHECK(writer.Confirmed());
  CHECK(early.UntilRows(writer.rows()));
  REQUIRE(bench.Until([&] {  // all of it is in the tables
    return server.Run("HGET mimi:{edge1}:pair position").find("151") != std::string::npos;
  }));
  CHECK(server.Run("HGET mimi:{edge1}:rows:contract.rows:1 0").find("{\"op\":\"put\"") !=
        std::string::npos);
  RedisBench packed(RedisBench::Options(server));
  SurvivingReader late(packed, writer.schema());
  CHECK(late.UntilRows(writer.rows()));
  CHECK((late.live() == early.live()));
  server.Run("HSET mimi:{edge1}:rows:contract.rows:1 0 {");
  const auto reader = bench.Handle();
  bench.UntilUnavailable(*reader, "damaged");
}

TEST_CASE("redis store: when the tables' keeper is gone another writer takes over") {
  RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  const auto says = [&server](const char* field, std::string_view value) {
    return server.Run(std::string("HGET mimi:{edge1}:pair ") + field)
               .find("\r\n" + std::string(value) + "\r\n") != std::string::npos;
  };
  auto keeper = std::make_unique<SurvivingWriter>(bench, "keeper");
  SurvivingWriter heir(bench, "heir");  // its term is newer
  keeper->Publish(150);
  REQUIRE(keeper->Confirmed());
  REQUIRE(bench.Until([&] { return says("position", "150"); }));
  CHECK(says("gen", "1"));
  std::map<contract::Word, contract::Word> rows = keeper->rows();
  keeper.reset();
  heir.Publish(10);
  CHECK(heir.Confirmed());
  for (const auto& [id, value] : heir.rows()) {
    rows[id] = value;
  }
  REQUIRE(bench.Until([&] { return says("gen", "2"); }));
  CHECK(bench.Until([&] { return says("position", std::to_string(heir.store().state().head)); }));
  CHECK(server.Run("EXISTS mimi:{edge1}:rows:contract.rows:1") == ":0\r\n");
  SurvivingReader late(bench, heir.schema());
  CHECK(late.UntilRows(rows));
}

}  // namespace
}  // namespace mimi
