#ifndef MIMI_SRC_STORE_REDIS_REDIS_LINK_H_
#define MIMI_SRC_STORE_REDIS_REDIS_LINK_H_

// RedisLink: the way to the server, kept up: it is found (redis_route.h), two connections (one for
// commands, one that waits for the feed), the scripts loaded, the repository's incarnation known.
//
// When a connection ends, or the server answers with an error, both are dropped, and after a
// jittered back-off all begins anew; the reason stays readable. So no answer of the server but a
// good one is ever seen by the callbacks. Sentinels are asked twice a second whether the master is
// still the one: an old one that was cut off from them does not know better.
//
// Threads: the loop thread only. Callbacks never run inside a call of this.
// Lifetime: options, keys, loop and owner outlive it; a callback is dropped when the link goes
// down.

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "mimi/builtin/redis_store.h"
#include "mimi/loop.h"

#include "src/base/backoff.h"
#include "src/io/redis_connection.h"
#include "src/store/redis/redis_layout.h"
#include "src/store/redis/redis_route.h"
#include "src/store/redis/redis_scripts.h"

namespace mimi::internal {

class RedisLinkOwner {
 public:
  virtual ~RedisLinkOwner() = default;
  virtual void OnUp(const RedisFacts& facts) = 0;
  /// It was up, or did not get there.
  virtual void OnDown() = 0;
};

class RedisLink {
 public:
  using Arguments = std::span<const std::string_view>;
  using Answer = std::function<void(RedisValue)>;

  RedisLink(const RedisStoreOptions& options, const RedisKeys& keys, Loop& loop,
            RedisLinkOwner& owner);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  void Start() { Connect(); }
  bool up() const { return up_; }
  /// The server takes what is written, as far as known; else trouble() says why not.
  bool available() const { return up_ && !hindered_; }
  /// Why it went down last, or does not take writes; OK before the first attempt has ended.
  const absl::Status& trouble() const { return trouble_; }
  bool has_replicas() const { return has_replicas_; }

  /// One of our scripts, or a command, on the first connection. REQUIRES: up.
  void Run(Script script, Arguments keys, Arguments arguments, Answer done);
  void Send(Arguments arguments, Answer done, Duration patience = Duration::zero());
  /// On the second one, which may wait for `patience`.
  void SendToFeed(Arguments arguments, Answer done, Duration patience = Duration::zero());

  /// Begins anew, because of `state` ("DETAIL" in words).
  void Fail(std::string_view state, std::string_view detail);
  /// The server took a write.
  void Worked();

 private:
  void Connect();
  void ConnectTo(const RedisAddress& address);
  void WatchMaster();
  void Prepare();
  void OnInfo(std::string_view info);
  void OnHello(RedisValue answer);
  void SendOn(RedisConnection& connection, Arguments arguments, Answer done, Duration patience);
  void Down(const absl::Status& why);

  const RedisStoreOptions& options_;
  const RedisKeys& keys_;
  Loop& loop_;
  RedisLinkOwner& owner_;
  Backoff backoff_;
  RedisRoute route_;
  RedisAddress address_;
  unsigned redirections_ = 0;  // since it was up
  TimerId watch_ = 0;
  std::array<std::string, kScripts> hashes_;
  std::unique_ptr<RedisConnection> commands_;
  std::unique_ptr<RedisConnection> feed_;
  TimerId retry_ = 0;
  bool up_ = false;
  bool hindered_ = false;
  bool has_replicas_ = false;
  absl::Status trouble_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_LINK_H_
