#include "src/io/stream_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "src/io/socket.h"

namespace mimi {
namespace {

constexpr std::size_t kReadSize = std::size_t{16} * 1024;

class Server;

class Connection final : public StreamConnection {
 public:
  Connection(Server& server, UniqueFd socket, const Ip& peer)
      : server_(server), socket_(std::move(socket)), peer_(peer) {}
  ~Connection() override;

  Ip peer() const override { return peer_; }
  void Send(std::string_view bytes) override;
  std::size_t unsent() const override { return unsent_.size() - sent_; }
  void Close() override;

  /// False: the connection is over, and shall be destroyed.
  bool OnReady(std::uint32_t events);
  bool Watch();
  int fd() const { return socket_.get(); }
  MonotonicTime last_byte() const { return last_byte_; }
  void set_handler(std::unique_ptr<StreamHandler> handler) { handler_ = std::move(handler); }
  bool over() const { return broken_ || (closing_ && unsent() == 0); }

 private:
  bool Read();
  void Flush();

  Server& server_;
  UniqueFd socket_;
  Ip peer_;
  std::unique_ptr<StreamHandler> handler_;
  std::string unread_;
  std::string unsent_;
  std::size_t sent_ = 0;  ///< of unsent_
  bool closing_ = false;
  bool broken_ = false;
  bool ended_ = false;  ///< the peer sends no more
  std::uint32_t watched_ = 0;
  MonotonicTime last_byte_;
};

class Server final : public StreamServer {
 public:
  Server(UniqueFd socket, Loop& loop, const StreamServerOptions& options, MakeHandler make_handler)
      : socket_(std::move(socket)),
        loop_(loop),
        options_(options),
        make_handler_(std::move(make_handler)) {}
  ~Server() override {
    loop_.Cancel(idle_timer_);
    loop_.UnwatchFd(socket_.get());
    connections_.clear();
    *alive_ = false;
  }

  absl::Status Start() {
    ArmIdle();
    return loop_.WatchFd(socket_.get(), kReadable, [this](std::uint32_t) { Accept(); });
  }
  StreamServerStats stats() const override {
    StreamServerStats stats = stats_;
    stats.open = connections_.size();
    return stats;
  }

  Loop& loop() { return loop_; }
  const StreamServerOptions& options() const { return options_; }
  void CountCut() { ++stats_.cut; }
  void OnReady(int fd, std::uint32_t events) {
    const auto found = connections_.find(fd);
    if (found != connections_.end() && !found->second->OnReady(events)) {
      connections_.erase(found);
    }
  }
  /// For a connection that ended outside of its own callback.
  void ReapSoon(int fd) {
    loop_.Post([this, fd, alive = alive_] {
      if (*alive) {
        const auto found = connections_.find(fd);
        if (found != connections_.end() && found->second->over()) {
          connections_.erase(found);
        }
      }
    });
  }

 private:
  void Accept() {
    while (true) {
      internal::SocketAddress peer;
      UniqueFd socket(accept4(socket_.get(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.valid()) {
        // ECONNABORTED and its like concern one connection. Out of descriptors: look again when the
        // loop turns, by which time something may have been closed.
        return;
      }
      if (options_.admit && !options_.admit(peer.ip())) {
        ++stats_.forbidden;
        continue;
      }
      if (connections_.size() >= options_.max_connections) {
        ++stats_.refused;
        continue;
      }
      ++stats_.accepted;
      const int fd = socket.get();
      auto connection = std::make_unique<Connection>(*this, std::move(socket), peer.ip());
      connection->set_handler(make_handler_(*connection));
      if (connection->Watch()) {
        connections_.emplace(fd, std::move(connection));
      }
    }
  }

  void ArmIdle() {
    if (options_.idle <= Duration::zero()) {
      return;
    }
    idle_timer_ = loop_.At(loop_.now() + options_.idle / 2, [this] {
      const MonotonicTime oldest = loop_.now() - options_.idle;
      stats_.cut += std::erase_if(
          connections_, [&](const auto& entry) { return entry.second->last_byte() < oldest; });
      ArmIdle();
    });
  }

  UniqueFd socket_;
  Loop& loop_;
  StreamServerOptions options_;
  MakeHandler make_handler_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  StreamServerStats stats_;
  TimerId idle_timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Connection::~Connection() {
  server_.loop().UnwatchFd(socket_.get());
  handler_.reset();  // while Send() and Close() can still be called
}

bool Connection::Watch() {
  last_byte_ = server_.loop().now();
  const std::uint32_t wanted =
      (closing_ || ended_ ? 0U : kReadable) | (unsent() > 0 ? kWritable : 0U);
  if (wanted == watched_ && wanted != 0) {
    return true;
  }
  watched_ = wanted;
  return server_.loop()
      .WatchFd(socket_.get(), wanted,
               [this, fd = socket_.get()](std::uint32_t events) { server_.OnReady(fd, events); })
      .ok();
}

void Connection::Send(std::string_view bytes) {
  if (closing_ || broken_) {
    return;
  }
  unsent_.append(bytes);
  Flush();
  if (broken_) {
    server_.ReapSoon(fd());
  } else {
    Watch();
  }
}

void Connection::Close() {
  closing_ = true;
  Watch();
  server_.ReapSoon(fd());
}

void Connection::Flush() {
  while (unsent() > 0) {
    const ssize_t n =
        send(socket_.get(), unsent_.data() + sent_, unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      broken_ = errno != EAGAIN && errno != EINTR;
      break;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  if (sent_ == unsent_.size()) {
    unsent_.clear();
    sent_ = 0;
  } else if (sent_ > kReadSize * 4) {  // do not keep what is gone
    unsent_.erase(0, sent_);
    sent_ = 0;
  }
}

// False: over.
bool Connection::Read() {
  char buffer[kReadSize];
  const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n == 0) {
    // Half-closed by a client that waits for its answer: what is queued, and what a handler still
    // sends, goes out; the next failure to send ends it.
    ended_ = true;
    return unsent() > 0;
  }
  if (n < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  unread_.append(buffer, static_cast<std::size_t>(n));
  handler_->OnInput(unread_);
  if (unread_.size() >= server_.options().max_unread) {
    server_.CountCut();
    return false;
  }
  return true;
}

bool Connection::OnReady(std::uint32_t events) {
  if ((events & kWritable) != 0 && unsent() > 0) {
    Flush();
    if (unsent() == 0 && !broken_ && !closing_) {
      handler_->OnDrained();
    }
  }
  const bool readable = (events & (kReadable | kFailed)) != 0;
  if (readable && !closing_ && !broken_ && !Read()) {
    return false;
  }
  if (closing_ && (events & kFailed) != 0) {
    return false;
  }
  if (ended_ && unsent() == 0) {
    return false;
  }
  return !over() && Watch();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamServer>> StreamServer::Listen(
    UniqueFd socket, Loop& loop, const StreamServerOptions& options, MakeHandler make_handler) {
  auto server = std::make_unique<Server>(std::move(socket), loop, options, std::move(make_handler));
  const absl::Status started = server->Start();
  if (!started.ok()) {
    return started;
  }
  return std::unique_ptr<StreamServer>(std::move(server));
}

}  // namespace mimi
