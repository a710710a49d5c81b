// The contract of stores on a real redis-server.
#include <memory>
#include <string>

#include "tests/store/redis_store_under_test.h"

namespace mimi {
namespace {

// One server for all; each check has a pair of its own in it.
contract::StoreFactory Make(RedisStoreOptions::Rows rows) {
  return [rows](const contract::StoreLimits& limits) {
    static RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
    static int pairs = 0;
    RedisStoreOptions options = *RedisStoreOptionsFromUrl("unix://" + server.socket());
    options.pair = "pair" + std::to_string(++pairs);
    options.rows = rows;
    options.max_rows = limits.max_rows;
    options.feed_bytes = limits.feed_bytes;
    options.tombstone_age = limits.tombstone_age;
    return std::make_unique<RedisStoreUnderTest>(options, &server);
  };
}

}  // namespace

MIMI_STORE_CONTRACT("redis store", Make(RedisStoreOptions::Rows::kPacked))

namespace json {
MIMI_STORE_CONTRACT("redis store with rows as JSON", Make(RedisStoreOptions::Rows::kJson))
}  // namespace json

}  // namespace mimi
