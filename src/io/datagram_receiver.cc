#include "src/io/datagram_receiver.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "src/base/unique_fd.h"
#include "src/io/socket.h"

namespace mimi::internal {
namespace {

constexpr Duration kSlice = std::chrono::microseconds(500);
constexpr int kBetweenLooks = 32;  // datagrams between two looks at the clock

class Receiver final : public DatagramReceiver {
 public:
  Receiver(UniqueFd socket, std::size_t max_size, Loop& loop, OnDatagram on_datagram,
           OnPause on_pause)
      : socket_(std::move(socket)),
        loop_(loop),
        on_datagram_(std::move(on_datagram)),
        on_pause_(std::move(on_pause)),
        buffer_(max_size) {}
  ~Receiver() override { loop_.UnwatchFd(socket_.get()); }

  absl::Status Start() {
    return loop_.WatchFd(socket_.get(), kReadable, [this](std::uint32_t) { Read(); });
  }

  std::uint16_t port() const override {
    SocketAddress address;
    return getsockname(socket_.get(), address.get(), &address.size) == 0 ? address.port()
                                                                         : std::uint16_t{0};
  }
  std::uint64_t dropped() const override { return dropped_; }
  std::size_t receive_buffer() const override {
    int size = 0;
    socklen_t length = sizeof size;
    getsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, &length);
    return static_cast<std::size_t>(size);
  }

 private:
  void Read() {
    const MonotonicTime until = loop_.now() + kSlice;
    do {
      for (int i = 0; i < kBetweenLooks; ++i) {
        if (!One()) {
          return on_pause_();
        }
      }
    } while (loop_.now() < until);
    on_pause_();
  }

  // False: there is nothing.
  bool One() {
    SocketAddress from;
    iovec into{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
    msghdr message{};
    message.msg_name = from.get();
    message.msg_namelen = sizeof(from.storage);
    message.msg_iov = &into;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (size < 0) {
      return errno == EINTR;
    }
    CountDrops(&message);
    on_datagram_(from.ip(), {buffer_.data(), static_cast<std::size_t>(size)},
                 (message.msg_flags & MSG_TRUNC) != 0);
    return true;
  }

  // The kernel's count is of 32 bits and only grows.
  void CountDrops(msghdr* message) {
    for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
        std::uint32_t seen = 0;
        std::memcpy(&seen, CMSG_DATA(c), sizeof seen);
        dropped_ += static_cast<std::uint32_t>(seen - kernel_count_);
        kernel_count_ = seen;
      }
    }
  }

  UniqueFd socket_;
  Loop& loop_;
  OnDatagram on_datagram_;
  OnPause on_pause_;
  std::vector<char> buffer_;
  std::uint32_t kernel_count_ = 0;
  std::uint64_t dropped_ = 0;
};

void GrowBuffer(int fd, std::size_t bytes) {
  const int size = static_cast<int>(std::min<std::size_t>(bytes, std::size_t{1} << 30));
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatagramReceiver>> DatagramReceiver::Open(
    const DatagramReceiverOptions& options, Loop& loop, OnDatagram on_datagram, OnPause on_pause) {
  const std::string what = fmt::format("{} port {}", options.address.ToString(), options.port);
  const int family = FamilyOf(options.address);
  UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return SocketError(what, errno);
  }
  const int on = 1;
  const int off = 0;
  if (family == AF_INET6) {  // `::` takes both families
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  GrowBuffer(socket.get(), options.receive_buffer);
  const SocketAddress address(options.address, options.port);
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) != 0 ||
      bind(socket.get(), address.get(), address.size) != 0) {
    return SocketError(what, errno);
  }
  auto receiver = std::make_unique<Receiver>(std::move(socket), options.max_size, loop,
                                             std::move(on_datagram), std::move(on_pause));
  if (const absl::Status started = receiver->Start(); !started.ok()) {
    return started;
  }
  return std::unique_ptr<DatagramReceiver>(std::move(receiver));
}

}  // namespace mimi::internal
