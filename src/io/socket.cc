#include "src/io/socket.h"

#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr Ip kNone{};

absl::Status SetOption(int fd, int level, int option, int value, std::string_view name) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
    return SocketError(name, errno);
  }
  return absl::OkStatus();
}

int TtlOf(msghdr* message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
    const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL;
    const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT;
    if (v4 || v6) {
      int ttl = -1;
      std::memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
      return ttl;
    }
  }
  return -1;
}

}  // namespace

absl::Status SocketError(std::string_view what, int error) {
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  switch (error) {
    case EPERM:
    case EACCES:
    case EADDRNOTAVAIL:
    case ENODEV:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      code = absl::StatusCode::kFailedPrecondition;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      code = absl::StatusCode::kResourceExhausted;
      break;
    default:
      break;
  }
  return Error(code, "{}: {}", what, std::strerror(error));
}

SocketAddress::SocketAddress(const Ip& ip, std::uint16_t port, unsigned scope) {
  if (const std::optional<Ipv4> v4 = ip.v4(); v4.has_value()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    std::memcpy(&address.sin_addr, v4->octets.data(), v4->octets.size());
    size = sizeof address;
    std::memcpy(&storage, &address, sizeof address);
    return;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_scope_id = scope;
  std::memcpy(&address.sin6_addr, ip.octets.data(), ip.octets.size());
  size = sizeof address;
  std::memcpy(&storage, &address, sizeof address);
}

Ip SocketAddress::ip() const {
  if (family() == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, &storage, sizeof address);
    Ipv4 v4;
    std::memcpy(v4.octets.data(), &address.sin_addr, v4.octets.size());
    return v4;
  }
  Ip ip;
  if (family() == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, &storage, sizeof address);
    std::memcpy(ip.octets.data(), &address.sin6_addr, ip.octets.size());
  }
  return ip;
}

std::uint16_t SocketAddress::port() const {
  if (family() != AF_INET && family() != AF_INET6) {
    return 0;
  }
  sockaddr_in address;  // the port is at the same place in both
  std::memcpy(&address, &storage, sizeof address);
  return ntohs(address.sin_port);
}

int FamilyOf(const Ip& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

unsigned InterfaceIndex(const std::string& name) {
  return name.empty() ? 0 : if_nametoindex(name.c_str());
}

absl::StatusOr<UniqueFd> OpenSocket(int family, int type, int protocol, const SocketPath& path) {
  UniqueFd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) {
    return SocketError("cannot make a socket", errno);
  }
  if (!path.interface.empty() &&
      setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, path.interface.c_str(),
                 static_cast<socklen_t>(path.interface.size())) != 0) {
    return SocketError("cannot bind to interface " + path.interface, errno);
  }
  if (path.mark != 0 &&
      setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &path.mark, sizeof path.mark) != 0) {
    return SocketError("cannot set mark " + std::to_string(path.mark), errno);
  }
  if (path.local == kNone && path.port == 0) {
    return fd;
  }
  if (family == AF_INET6) {
    if (absl::Status only = SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
        !only.ok()) {
      return only;
    }
  }
  const SocketAddress local(path.local, path.port, InterfaceIndex(path.interface));
  if (bind(fd.get(), local.get(), local.size) != 0) {
    return SocketError(
        "cannot bind to " + path.local.ToString() + " port " + std::to_string(path.port), errno);
  }
  return fd;
}

absl::Status AskForTtl(int fd, int family) {
  return family == AF_INET ? SetOption(fd, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL")
                           : SetOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
}

std::optional<Datagram> Receive(int fd, std::span<std::byte> buffer) {
  Datagram datagram;
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::byte control[256];
  msghdr message{};
  message.msg_name = &datagram.from.storage;
  message.msg_namelen = sizeof datagram.from.storage;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = recvmsg(fd, &message, 0);
  if (size < 0 && errno != EAGAIN) {
    // A pending error (ECONNREFUSED) is taken by being read; what waits behind it is still there.
    size = recvmsg(fd, &message, 0);
  }
  if (size < 0) {
    return std::nullopt;
  }
  datagram.bytes = std::span<const std::byte>(buffer).first(static_cast<std::size_t>(size));
  datagram.from.size = message.msg_namelen;
  datagram.ttl = TtlOf(&message);
  return datagram;
}

bool SendTo(int fd, const SocketAddress& to, std::span<const std::byte> bytes) {
  ssize_t sent = sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, to.get(), to.size);
  if (sent < 0 && errno == ECONNREFUSED) {
    sent = sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, to.get(), to.size);
  }
  return sent == static_cast<ssize_t>(bytes.size());
}

}  // namespace mimi::internal
