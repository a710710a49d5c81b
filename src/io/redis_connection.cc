#include "src/io/redis_connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <hiredis/hiredis.h>

#include "src/base/status.h"
#include "src/io/redis_words.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kReadSize = std::size_t{128} << 10;
// Of one turn of the loop: at most 1 MiB is parsed, well below a millisecond.
constexpr int kReadsPerTurn = 8;
// A reply beyond this is no reply of ours.
constexpr std::size_t kLargestReply = std::size_t{256} << 20;

}  // namespace

std::string ToString(const RedisAddress& address) {
  if (!address.path.empty()) {
    return address.path;
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

RedisConnection::RedisConnection(const RedisStoreOptions& options, RedisAddress address, Loop& loop)
    : options_(options),
      address_(std::move(address)),
      loop_(loop),
      reader_(redisReaderCreate(), redisReaderFree),
      heard_(loop.now()) {
}

RedisConnection::~RedisConnection() {
  *alive_ = false;
  loop_.Cancel(timer_);
  if (fd_.valid() && watched_ != 0) {
    loop_.UnwatchFd(fd_.get());
  }
}

absl::Status RedisConnection::Failure(std::string_view state, std::string_view detail) const {
  return Error(absl::StatusCode::kUnavailable, "{}: {}{}{}", ToString(address_), state,
               detail.empty() ? "" : ": ", detail);
}

void RedisConnection::End(absl::Status why) {
  if (std::exchange(over_, true)) {
    return;
  }
  loop_.Post([this, alive = alive_, why = std::move(why)] {
    if (*alive) {
      const auto ended = std::move(ended_);
      ended(why);
    }
  });
}

void RedisConnection::Start(std::function<void(absl::Status)> ended) {
  ended_ = std::move(ended);
  ArmDeadline();
  if (address_.path.empty()) {
    resolving_ = Resolve(
        address_.host, address_.port, loop_,
        [this](absl::StatusOr<std::vector<SocketAddress>> found) { OnResolved(std::move(found)); });
    return;
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address_.path.size() >= sizeof name.sun_path) {
    End(Failure("unreachable", "the socket's path is too long"));
    return;
  }
  std::memcpy(name.sun_path, address_.path.data(), address_.path.size());
  if (absl::Status status = ConnectTo(reinterpret_cast<const sockaddr*>(&name), sizeof name);
      !status.ok()) {
    End(status);
  }
}

void RedisConnection::OnResolved(absl::StatusOr<std::vector<SocketAddress>> found) {
  if (!found.ok()) {
    End(Failure("unreachable", Message(found.status())));
    return;
  }
  candidates_ = *std::move(found);
  std::reverse(candidates_.begin(), candidates_.end());
  last_error_ = Failure("unreachable");
  if (absl::Status status = ConnectNext(); !status.ok()) {
    End(status);
  }
}

// A name may have several addresses; the first that takes us is good.
absl::Status RedisConnection::ConnectNext() {
  while (!candidates_.empty()) {
    const SocketAddress address = candidates_.back();
    candidates_.pop_back();
    last_error_ = ConnectTo(address.get(), address.size);
    if (last_error_.ok()) {
      return last_error_;
    }
  }
  return last_error_;
}

absl::Status RedisConnection::ConnectTo(const sockaddr* address, socklen_t size) {
  if (fd_.valid() && std::exchange(watched_, 0) != 0) {
    loop_.UnwatchFd(fd_.get());
  }
  fd_ = UniqueFd(socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) {
    return Failure("unreachable", std::strerror(errno));
  }
  if (address->sa_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (connect(fd_.get(), address, size) != 0 && errno != EINPROGRESS) {
    return Failure(SocketTrouble(errno), std::strerror(errno));
  }
  WatchFor(kWritable);
  return absl::OkStatus();
}

void RedisConnection::WatchFor(std::uint32_t events) {
  if (watched_ == events || over_) {
    return;
  }
  const absl::Status status =
      loop_.WatchFd(fd_.get(), events, [this](std::uint32_t ready) { OnReady(ready); });
  if (!status.ok()) {
    End(status);
    return;
  }
  watched_ = events;
}

void RedisConnection::OnReady(std::uint32_t events) {
  if (over_) {
    loop_.UnwatchFd(fd_.get());
    watched_ = 0;
    return;
  }
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      OnConnected();
      return;
    }
    last_error_ = Failure(SocketTrouble(error), std::strerror(error));
    if (absl::Status status = ConnectNext(); !status.ok()) {
      End(status);
    }
    return;
  }
  const std::shared_ptr<bool> alive = alive_;
  if ((events & (kReadable | kFailed)) != 0 && !Read()) {
    return;
  }
  if (*alive && !over_ && (events & kWritable) != 0) {
    Flush();
  }
}

void RedisConnection::OnConnected() {
  connected_ = true;
  WatchFor(kReadable);
  if (options_.tls) {
    absl::StatusOr<std::unique_ptr<TlsSession>> tls = TlsSession::New(
        {.name = options_.server_name.empty() ? address_.host : options_.server_name,
         .ca_file = options_.ca_file,
         .cert_file = options_.cert_file,
         .key_file = options_.key_file});
    if (!tls.ok()) {
      End(Prepend(ToString(address_), tls.status()));
      return;
    }
    tls_ = *std::move(tls);
  }
  LogIn();
  Flush();
}

// In front of what is waiting to be sent.
void RedisConnection::LogIn() {
  std::string hello;
  std::deque<Waiting> answers;
  if (!options_.password.empty()) {
    if (options_.user.empty()) {
      const std::string_view auth[] = {"AUTH", options_.password};
      AppendCommand(auth, &hello);
    } else {
      const std::string_view auth[] = {"AUTH", options_.user, options_.password};
      AppendCommand(auth, &hello);
    }
    answers.push_back({[this](RedisReply reply) {
                         if (reply.view().is_error()) {
                           End(Failure("wrong password", reply.view().text()));
                         }
                       },
                       Duration::zero()});
  }
  if (options_.database != 0) {
    const std::string number = std::to_string(options_.database);
    const std::string_view select[] = {"SELECT", number};
    AppendCommand(select, &hello);
    answers.push_back({[this](RedisReply reply) {
                         if (reply.view().is_error()) {
                           End(Failure("no such database", reply.view().text()));
                         }
                       },
                       Duration::zero()});
  }
  out_.insert(0, hello);
  waiting_.insert(waiting_.begin(), std::make_move_iterator(answers.begin()),
                  std::make_move_iterator(answers.end()));
  heard_ = loop_.now();
}

void RedisConnection::Send(std::span<const std::string_view> arguments, ReplyCallback done,
                           Duration patience) {
  if (over_) {
    return;
  }
  if (waiting_.empty()) {
    heard_ = loop_.now();
  }
  AppendCommand(arguments, &out_);
  waiting_.push_back({std::move(done), patience});
  PostFlush();
}

void RedisConnection::PostFlush() {
  if (!connected_ || std::exchange(flush_posted_, true)) {
    return;
  }
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      flush_posted_ = false;
      Flush();
    }
  });
}

void RedisConnection::Flush() {
  if (over_ || !connected_) {
    return;
  }
  if (tls_ != nullptr) {
    if (absl::Status status = tls_->Send(std::exchange(out_, {})); !status.ok()) {
      End(Prepend(ToString(address_), status));
      return;
    }
    tls_->Take(&wire_);
  }
  std::string& bytes = tls_ != nullptr ? wire_ : out_;
  while (sent_ < bytes.size()) {
    const ssize_t put = send(fd_.get(), bytes.data() + sent_, bytes.size() - sent_, MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        break;
      }
      End(Failure(SocketTrouble(errno), std::strerror(errno)));
      return;
    }
    sent_ += static_cast<std::size_t>(put);
  }
  if (sent_ == bytes.size()) {
    bytes.clear();
    sent_ = 0;
    WatchFor(kReadable);
    return;
  }
  if (sent_ > bytes.size() / 2) {
    bytes.erase(0, sent_);
    sent_ = 0;
  }
  WatchFor(kReadable | kWritable);
}

// False: the connection is over or gone.
bool RedisConnection::Read() {
  const std::shared_ptr<bool> alive = alive_;
  std::unique_ptr<char[]> block(new char[kReadSize]);
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = recv(fd_.get(), block.get(), kReadSize, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return true;
    }
    if (got <= 0) {
      End(got == 0 ? Failure("reset", "the server closed the connection")
                   : Failure(SocketTrouble(errno), std::strerror(errno)));
      return false;
    }
    heard_ = loop_.now();
    std::string_view bytes(block.get(), static_cast<std::size_t>(got));
    std::string plain;
    if (tls_ != nullptr) {
      const bool established = tls_->established();
      if (absl::Status status = tls_->Receive(bytes, &plain); !status.ok()) {
        End(Prepend(ToString(address_), status));
        return false;
      }
      if (!established) {
        Flush();  // the handshake's next message
      }
      bytes = plain;
    }
    if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK ||
        reader_->len > kLargestReply) {
      End(Failure("not Redis", "an answer that cannot be read"));
      return false;
    }
    if (!TakeReplies() || !*alive) {
      return false;
    }
    if (static_cast<std::size_t>(got) < kReadSize) {
      return true;
    }
  }
  return true;
}

bool RedisConnection::TakeReplies() {
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
      End(Failure("not Redis", reader_->errstr));
      return false;
    }
    if (reply == nullptr) {
      return true;
    }
    if (!Deliver(RedisReply(static_cast<redisReply*>(reply)))) {
      return false;
    }
  }
}

bool RedisConnection::Deliver(RedisReply reply) {
  if (waiting_.empty()) {
    End(Failure("not Redis", "an answer that nobody asked for"));
    return false;
  }
  const Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  const std::shared_ptr<bool> alive = alive_;
  next.done(std::move(reply));
  return *alive && !over_;
}

void RedisConnection::ArmDeadline() {
  const Duration wait = !connected_        ? options_.connect_timeout
                        : waiting_.empty() ? options_.reply_timeout
                                           : options_.reply_timeout + waiting_.front().patience;
  timer_ = loop_.At(std::max(heard_ + wait, loop_.now() + std::chrono::milliseconds(1)),
                    [this] { CheckDeadline(); });
}

void RedisConnection::CheckDeadline() {
  timer_ = 0;
  if (over_) {
    return;
  }
  const Duration silent = loop_.now() - heard_;
  const bool late =
      connected_ ? !waiting_.empty() && silent >= options_.reply_timeout + waiting_.front().patience
                 : silent >= options_.connect_timeout;
  if (late) {
    End(Failure("no answer"));
    return;
  }
  if (waiting_.empty() && connected_) {
    heard_ = loop_.now();
  }
  ArmDeadline();
}

}  // namespace mimi::internal
