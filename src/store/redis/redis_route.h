#ifndef MIMI_SRC_STORE_REDIS_REDIS_ROUTE_H_
#define MIMI_SRC_STORE_REDIS_REDIS_ROUTE_H_

// RedisRoute: which server holds the pair now.
//
//   one server   always that
//   Sentinel     the master that the first sentinel who answers names (SENTINEL GET-MASTER-ADDR-BY-NAME); the one that
//                answered last is asked first. https://redis.io/docs/latest/develop/reference/sentinel-clients/
//   Cluster      any known node; it answers MOVED, with the one that holds the pair's slot, or ASK while the slot moves,
//                whereupon every command needs ASKING in front. Nodes become known from CLUSTER SLOTS.
//                https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
//
//     route.Find([this](absl::StatusOr<RedisAddress> found) { … connect … });
//     if (reply is an error && route.Follow(error, address)) { … end this connection, and Find() again … }
//
// Threads: the loop thread only. Lifetime: options and loop outlive it; `found` is dropped with it.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/redis_store.h"
#include "mimi/loop.h"

#include "src/io/redis_connection.h"
#include "src/io/redis_reply.h"
#include "src/io/redis_words.h"

namespace mimi::internal {

class RedisRoute {
 public:
  using Found = std::function<void(const absl::StatusOr<RedisAddress>&)>;

  RedisRoute(const RedisStoreOptions& options, Loop& loop);
  RedisRoute(const RedisRoute&) = delete;
  RedisRoute& operator=(const RedisRoute&) = delete;

  /// Calls `found` once, perhaps inside; a second call takes the place of the first. Errors:
  /// Unavailable, with the last sentinel's reason.
  void Find(Found found);

  /// A Cluster's way of saying that this server, `from`, is the wrong one: who is right will be
  /// found next. False: the error is another.
  bool Follow(std::string_view error, const RedisAddress& from);
  /// Find() will answer with what Follow() was told.
  bool follows() const { return next_.has_value(); }
  /// ASKING belongs in front of each command to the one that was found last.
  bool asking() const { return asking_; }
  /// The nodes of an answer to CLUSTER SLOTS, by `from`.
  void Learn(RedisValue slots, const RedisAddress& from);

 private:
  void AskSentinel();
  void OnMaster(RedisValue answer);
  void NextSentinel(const absl::Status& why);
  void Deliver(const absl::StatusOr<RedisAddress>& found);
  void LearnNode(RedisValue node, const RedisAddress& from);

  const RedisStoreOptions& options_;
  Loop& loop_;
  Found found_;
  // Sentinel.
  RedisStoreOptions sentinel_options_;
  std::unique_ptr<RedisConnection> sentinel_;
  std::size_t at_ = 0;
  std::size_t tried_ = 0;
  // Cluster.
  std::vector<RedisAddress> nodes_;
  std::size_t turn_ = 0;
  std::optional<RedisRedirection> next_;
  bool asking_ = false;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_ROUTE_H_
