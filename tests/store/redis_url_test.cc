#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "mimi/builtin/redis_store.h"

namespace mimi {
namespace {

using Deployment = RedisStoreOptions::Deployment;

std::string Complaint(std::string_view url) {
  return std::string(RedisStoreOptionsFromUrl(url).status().message());
}

TEST_CASE("redis url: host, port, user, password and database") {
  const auto plain = RedisStoreOptionsFromUrl("redis://redis.example");
  REQUIRE(plain.ok());
  CHECK(plain->addresses == std::vector<RedisAddress>{{"redis.example", 6379}});
  CHECK(!plain->tls);
  CHECK(plain->prefix == "mimi");
  const auto full = RedisStoreOptionsFromUrl(
      "rediss://mimi:s%40cret:x@[2001:db8::7]:7000/3?pair=edge1&"
      "ca=/etc/ca.pem&rows=json&feed_bytes=1000");
  REQUIRE(full.ok());
  CHECK(full->addresses == std::vector<RedisAddress>{{"2001:db8::7", 7000}});
  CHECK(full->tls);
  CHECK(full->user == "mimi");
  CHECK(full->password == "s@cret:x");
  CHECK(full->database == 3);
  CHECK(full->pair == "edge1");
  CHECK(full->ca_file == "/etc/ca.pem");
  CHECK(full->rows == RedisStoreOptions::Rows::kJson);
  CHECK(full->feed_bytes == 1000);
}

TEST_CASE("redis url: sockets, sentinels and clusters") {
  const auto socket = RedisStoreOptionsFromUrl("unix://:secret@/run/redis.sock?db=2");
  REQUIRE(socket.ok());
  CHECK(socket->addresses == std::vector<RedisAddress>{{"", 0, "/run/redis.sock"}});
  CHECK(socket->password == "secret");
  CHECK(socket->database == 2);
  const auto sentinel = RedisStoreOptionsFromUrl("redis-sentinel://a,b:7,[::1]:8/mymaster/4");
  REQUIRE(sentinel.ok());
  CHECK(sentinel->deployment == Deployment::kSentinel);
  CHECK(sentinel->addresses == std::vector<RedisAddress>{{"a", 26379}, {"b", 7}, {"::1", 8}});
  CHECK(sentinel->service == "mymaster");
  CHECK(sentinel->database == 4);
  const auto login =
      RedisStoreOptionsFromUrl("redis-sentinel://u:p@a/m?sentinel_user=s&sentinel_password=q%26");
  REQUIRE(login.ok());
  CHECK(login->password == "p");
  CHECK(login->sentinel_user == "s");
  CHECK(login->sentinel_password == "q&");
  const auto cluster = RedisStoreOptionsFromUrl("rediss-cluster://a,b");
  REQUIRE(cluster.ok());
  CHECK(cluster->deployment == Deployment::kCluster);
  CHECK(cluster->addresses.size() == 2);
}

TEST_CASE("redis url: what is wrong is named, and no password is shown") {
  for (const std::string_view url :
       {"", "http://a", "redis://", "redis://a:0", "redis://a:70000", "redis://a:x", "redis://a/x",
        "redis://a,b", "redis://[::1", "redis-sentinel://a", "redis-cluster://a/1",
        "unix://relative", "redis://a?colour=red", "redis://a?rows=xml", "redis://a?pair=%z1",
        "redis://a?db=-1", "redis://a%", "redis://:pa%ss@a"}) {
    CAPTURE(url);
    const auto options = RedisStoreOptionsFromUrl(url);
    const bool by_the_store = url == "redis://a%";  // a host of that name is not looked for here
    CHECK((options.ok() == by_the_store));
    CHECK(options.status().code() ==
          (by_the_store ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument));
  }
  CHECK(Complaint("redis://a?colour=red").find("colour") != std::string::npos);
  CHECK(Complaint("redis://u:secret@a:x").find("secret") == std::string::npos);
  CHECK(RedactRedisUrl("redis://u:secret@a:1/2?x=y@z") == "redis://u@a:1/2?x=y@z");
  CHECK(RedactRedisUrl("redis://a") == "redis://a");
  CHECK(RedactRedisUrl("redis-sentinel://:x@a/m?sentinel_password=q&db=1") ==
        "redis-sentinel://@a/m?sentinel_password=&db=1");
  CHECK(IsRedisUrl("unix:///x"));
  CHECK(!IsRedisUrl("/var/lib/mimi"));
}

}  // namespace
}  // namespace mimi
