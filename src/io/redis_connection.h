#ifndef MIMI_SRC_IO_REDIS_CONNECTION_H_
#define MIMI_SRC_IO_REDIS_CONNECTION_H_

// RedisConnection: one connection to one Redis server, from connect to close.
//
//   auto connection = std::make_unique<RedisConnection>(options, address, loop);
//   connection->Start([](absl::Status ended) {…});            // once, with the reason; drop the
//   object there connection->Send({"GET", key}, [](RedisReply reply) {…});   // at once: kept until
//   there is a connection
//
// Start connects (TCP or a socket of this host), does the TLS handshake, logs in and selects the
// database. Commands are pipelined; answers come in order. A server that owes an answer and says
// nothing for `reply_timeout` is given up, and so is one that does not let us in within
// `connect_timeout`. Nothing is tried again here, and errors that the server answers are handed on.
//
// A reason is "ADDRESS: STATE: detail", with the named states of redis_store.h: "refused", "no
// answer", …
//
// Threads: the loop thread only. Callbacks never run inside Start or Send.
// Lifetime: options, loop outlive it. A callback may destroy it; callbacks are dropped with it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "mimi/builtin/redis_store.h"
#include "mimi/loop.h"

#include "src/base/unique_fd.h"
#include "src/io/redis_reply.h"
#include "src/io/resolver.h"
#include "src/io/tls_session.h"

struct redisReader;

namespace mimi::internal {

class RedisConnection {
 public:
  using ReplyCallback = std::function<void(RedisReply)>;

  RedisConnection(const RedisStoreOptions& options, RedisAddress address, Loop& loop);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void Start(std::function<void(absl::Status)> ended);

  /// `patience`: how much longer than reply_timeout the answer may take (BLOCK, WAIT).
  void Send(std::span<const std::string_view> arguments, ReplyCallback done,
            Duration patience = Duration::zero());
  void Send(std::initializer_list<std::string_view> arguments, ReplyCallback done,
            Duration patience = Duration::zero()) {
    Send(std::span(arguments.begin(), arguments.size()), std::move(done), patience);
  }

  /// "ADDRESS: state: detail", Unavailable.
  absl::Status Failure(std::string_view state, std::string_view detail = {}) const;
  /// Ends it with this reason, soon. Nothing is delivered any more.
  void End(absl::Status why);

 private:
  struct Waiting {
    ReplyCallback done;
    Duration patience;
  };

  void OnResolved(absl::StatusOr<std::vector<SocketAddress>> found);
  absl::Status ConnectNext();
  absl::Status ConnectTo(const sockaddr* address, socklen_t size);
  void OnReady(std::uint32_t events);
  void OnConnected();
  void LogIn();
  bool Read();
  bool TakeReplies();
  bool Deliver(RedisReply reply);
  void Flush();
  void PostFlush();
  void WatchFor(std::uint32_t events);
  void CheckDeadline();
  void ArmDeadline();

  const RedisStoreOptions& options_;
  RedisAddress address_;
  Loop& loop_;
  std::function<void(absl::Status)> ended_;
  std::shared_ptr<void> resolving_;
  std::vector<SocketAddress> candidates_;
  absl::Status last_error_;
  UniqueFd fd_;
  std::uint32_t watched_ = 0;
  bool connected_ = false;
  bool over_ = false;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
  std::string out_;       // on its way
  std::string wire_;      // TLS: the same, encrypted
  std::size_t sent_ = 0;  // of out_, or with TLS of wire_
  std::deque<Waiting> waiting_;
  bool flush_posted_ = false;
  MonotonicTime heard_{};  // the last sign of life, or when we began to wait
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// "10.0.0.7:6379", "/run/redis.sock"
std::string ToString(const RedisAddress& address);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_REDIS_CONNECTION_H_
