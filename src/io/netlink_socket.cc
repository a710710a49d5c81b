#include "src/io/netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "src/base/status.h"

namespace mimi {
namespace {

absl::Status Refused(std::string_view what) {
  const int error = errno;
  const auto code = error == EMFILE || error == ENFILE || error == ENOMEM
                        ? absl::StatusCode::kResourceExhausted
                        : absl::StatusCode::kFailedPrecondition;
  return Error(code, "netlink: {}: {}{}", what, std::strerror(error),
               error == EPERM ? " (CAP_NET_ADMIN is needed)" : "");
}

// The forced form goes beyond net.core.[rw]mem_max, and needs the right to.
void SetBuffer(int fd, int forced, int ordinary, std::size_t size) {
  const int value = static_cast<int>(std::min<std::size_t>(size, std::size_t{1} << 30));
  if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) != 0) {
    (void)setsockopt(fd, SOL_SOCKET, ordinary, &value, sizeof(value));
  }
}

bool SetNetlinkOption(int fd, int option, std::uint32_t value) {
  return setsockopt(fd, SOL_NETLINK, option, &value, sizeof(value)) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::Open(NetlinkSocketOptions options) {
  std::unique_ptr<NetlinkSocket> made(new NetlinkSocket());
  made->fd_ =
      UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, options.protocol));
  if (!made->fd_.valid()) {
    return Refused("socket");
  }
  if (absl::Status status = made->Configure(options); !status.ok()) {
    return status;
  }
  const std::size_t batch = std::max<std::size_t>(options.batch, 1);
  made->datagram_size_ = std::max<std::size_t>(options.datagram_size, 4096);
  // Not touched before it is used, so what no datagram ever fills takes no memory.
  made->buffer_.reset(new std::byte[batch * made->datagram_size_]);
  made->parts_.resize(batch);
  made->vectors_.resize(batch);
  for (std::size_t i = 0; i < batch; ++i) {
    made->parts_[i] = {made->buffer_.get() + i * made->datagram_size_, made->datagram_size_};
    made->vectors_[i].msg_hdr = {};
    made->vectors_[i].msg_hdr.msg_iov = &made->parts_[i];
    made->vectors_[i].msg_hdr.msg_iovlen = 1;
  }
  return made;
}

absl::StatusOr<std::unique_ptr<NetlinkSocket>> NetlinkSocket::OpenIn(const NetworkNamespace& inside,
                                                                     NetlinkSocketOptions options) {
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> socket;
  const absl::Status entered = inside.Do([&] { socket = Open(std::move(options)); });
  if (!entered.ok()) {
    return entered;
  }
  return socket;
}

NetlinkSocket::~NetlinkSocket() = default;

absl::Status NetlinkSocket::Configure(const NetlinkSocketOptions& options) {
  const int fd = fd_.get();
  SetBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  SetBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer);
  int given = 0;
  socklen_t size = sizeof(given);
  (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &given, &size);
  receive_buffer_ = static_cast<std::size_t>(given);
  // The kernel's own words in errors, without the request repeated. Old kernels have neither.
  (void)SetNetlinkOption(fd, NETLINK_EXT_ACK, 1);
  (void)SetNetlinkOption(fd, NETLINK_CAP_ACK, 1);
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Refused("bind");
  }
  size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Refused("getsockname");
  }
  port_id_ = address.nl_pid;
  for (const std::uint32_t group : options.groups) {
    if (!SetNetlinkOption(fd, NETLINK_ADD_MEMBERSHIP, group)) {
      return Refused("joining a group of events");
    }
  }
  return absl::OkStatus();
}

absl::Status NetlinkSocket::SetFilter(std::span<const sock_filter> program) {
  sock_fprog filter = {};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = const_cast<sock_filter*>(program.data());
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0) {
    return Refused("socket filter");
  }
  return absl::OkStatus();
}

absl::Status NetlinkSocket::Send(std::span<const std::byte> bytes) {
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                  reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(bytes.size())) {
    return absl::OkStatus();
  }
  if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE || errno == ENOMEM)) {
    return Error(absl::StatusCode::kResourceExhausted, "netlink: {} bytes not sent: {}",
                 bytes.size(), std::strerror(errno));
  }
  return Error(absl::StatusCode::kUnavailable, "netlink: {} of {} bytes sent: {}", sent,
               bytes.size(), std::strerror(errno));
}

absl::StatusOr<std::size_t> NetlinkSocket::Receive() {
  for (;;) {
    const int count = recvmmsg(fd_.get(), vectors_.data(), static_cast<unsigned>(vectors_.size()),
                               MSG_DONTWAIT, nullptr);
    if (count > 0) {
      for (int i = 0; i < count; ++i) {
        mmsghdr& received = vectors_[static_cast<std::size_t>(i)];
        if ((received.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
          ++overruns_;
          received.msg_len = 0;  // half a datagram is none
        }
      }
      return static_cast<std::size_t>(count);
    }
    if (count == 0 || errno == EAGAIN) {
      return std::size_t{0};
    }
    if (errno == ENOBUFS) {
      ++overruns_;
    } else if (errno != EINTR) {
      return Error(absl::StatusCode::kUnavailable, "netlink: receiving: {}", std::strerror(errno));
    }
  }
}

}  // namespace mimi
