#ifndef MIMI_TESTS_STORE_REDIS_STORE_UNDER_TEST_H_
#define MIMI_TESTS_STORE_REDIS_STORE_UNDER_TEST_H_

// Redis stores on a real loop and a real server, for the contract's tools.

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/builtin/redis_store.h"
#include "mimi/contract/store_contract.h"
#include "mimi/loop.h"

#include "tests/store/redis_server.h"

namespace mimi {

class RedisStoreUnderTest : public contract::StoreUnderTest {
 public:
  // `server` is restarted by Restart(), if it is given.
  RedisStoreUnderTest(RedisStoreOptions options, RedisServer* server)
      : options_(std::move(options)), server_(server), loop_(*NewEpollLoop()) {}
  Loop& loop() override { return *loop_; }
  std::unique_ptr<StateStore> NewHandle() override {
    auto store = NewRedisStore(options_, *loop_);
    REQUIRE_MESSAGE(store.ok(), store.status().ToString());
    return *std::move(store);
  }
  bool Restart() override {
    if (server_ == nullptr) {
      return false;
    }
    server_->Stop();
    server_->Start();
    return true;
  }

 private:
  RedisStoreOptions options_;
  RedisServer* server_;
  std::unique_ptr<Loop> loop_;
};

// The contract's tools on one server, with short patience.
struct RedisBench : contract::Bench {
  explicit RedisBench(const RedisStoreOptions& options)
      : Bench([&options](const contract::StoreLimits&) {
          return std::make_unique<RedisStoreUnderTest>(options, nullptr);
        }) {}
  static RedisStoreOptions Options(const RedisServer& server) {
    RedisStoreOptions options = *RedisStoreOptionsFromUrl("unix://" + server.socket());
    options.pair = "edge1";
    options.connect_timeout = std::chrono::milliseconds(500);
    options.reply_timeout = std::chrono::milliseconds(300);
    options.retry_min = std::chrono::milliseconds(5);
    options.retry_max = std::chrono::milliseconds(50);
    return options;
  }
  // Until the handle says so; the whole reason.
  std::string UntilUnavailable(const StateStore& store, std::string_view word) {
    std::string reason;
    const bool seen = Until([&] {
      const StoreState state = store.state();
      reason = state.available ? "" : state.reason;
      return reason.find(word) != std::string::npos;
    });
    CHECK_MESSAGE(seen, "expected \"", std::string(word), "\", last seen \"", reason, "\"");
    return reason;
  }
  bool UntilAvailable(const StateStore& store) {
    return Until([&] { return store.state().available; });
  }
};

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_REDIS_STORE_UNDER_TEST_H_
