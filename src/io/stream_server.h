#ifndef MIMI_SRC_IO_STREAM_SERVER_H_
#define MIMI_SRC_IO_STREAM_SERVER_H_

// StreamServer: listens on a unix or TCP socket, and gives the bytes of each connection to a
// handler. What the bytes mean is the handler's.
//
//   class Echo final : public StreamHandler {
//     void OnInput(std::string& input) override { connection_.Send(input); input.clear(); }
//   };
//   auto server = StreamServer::Listen(ListenUnix("/run/mimi/edge1.sock", {}), loop, options,
//       [](StreamConnection& connection) { return std::make_unique<Echo>(connection); });
//
// Bounded: connections, bytes unread by the handler, and (by the handler, which asks unsent())
// bytes that the peer does not take. A connection without a byte for `idle` is closed.
//
// Threads: the loop thread only. Lifetime: the loop outlives the server; a handler lives as long as
// its connection, and neither longer than the server.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/types.h"

#include "src/base/unique_fd.h"

namespace mimi {

class StreamConnection {
 public:
  virtual ~StreamConnection() = default;
  /// `::` for unix sockets.
  virtual Ip peer() const = 0;
  /// Queues, and sends as much as the socket takes. After Close() nothing.
  virtual void Send(std::string_view bytes) = 0;
  /// Bytes queued and not taken by the socket.
  virtual std::size_t unsent() const = 0;
  /// Once what is queued was sent; no more input is read.
  virtual void Close() = 0;
};

class StreamHandler {
 public:
  /// The connection is gone; nothing may be sent any more.
  virtual ~StreamHandler() = default;
  /// Called with all that is unread; the handler removes what it has understood from the front.
  /// When what is left reaches StreamServerOptions::max_unread the connection is cut.
  virtual void OnInput(std::string& input) = 0;
  /// Everything queued was sent: room for more.
  virtual void OnDrained() {}
};

struct StreamServerOptions {
  std::size_t max_connections = 64;  ///< further ones are closed at once
  std::size_t max_unread = std::size_t{64} * 1024;
  Duration idle{};  ///< 0: for ever
  /// Whether this peer may connect; `::` for unix sockets. Empty: everybody.
  std::function<bool(const Ip& peer)> admit = nullptr;
};

/// What a server has seen; only grows but for `open`.
struct StreamServerStats {
  std::size_t open = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;    ///< beyond max_connections
  std::uint64_t forbidden = 0;  ///< not admitted
  std::uint64_t cut = 0;        ///< max_unread reached, or idle
};

class StreamServer {
 public:
  using MakeHandler = std::function<std::unique_ptr<StreamHandler>(StreamConnection&)>;
  virtual ~StreamServer() = default;
  virtual StreamServerStats stats() const = 0;
  /// Takes a listening socket. Errors: those of the loop.
  static absl::StatusOr<std::unique_ptr<StreamServer>> Listen(UniqueFd socket, Loop& loop,
                                                              const StreamServerOptions& options,
                                                              MakeHandler make_handler);
};

/// A unix socket at `path`, which only its owner may use (0600), or also members of `group` (0660).
/// One that nobody listens at any more is replaced.
/// Errors: AlreadyExists (somebody listens there, or it is no socket), InvalidArgument (too long a
/// path, no such group), FailedPrecondition (rights, no such directory).
absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, const std::string& group = {});

/// Errors: FailedPrecondition (no such address here, rights), Unavailable (port taken).
absl::StatusOr<UniqueFd> ListenTcp(const Ip& address, std::uint16_t port);
/// The port that a listening TCP socket has got.
std::uint16_t LocalPort(const UniqueFd& socket);

}  // namespace mimi

#endif  // MIMI_SRC_IO_STREAM_SERVER_H_
