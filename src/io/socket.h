#ifndef MIMI_SRC_IO_SOCKET_H_
#define MIMI_SRC_IO_SOCKET_H_

/// \file
/// Sockets by our own address type: what livenesses and steerings share. All are non-blocking and
/// closed on exec.
///
/// Threads: any; a socket belongs to one at a time.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/types.h"

#include "src/base/unique_fd.h"

namespace mimi::internal {

/// "what: text of the errno value", with the code that says what to do about it: rights and missing
/// things FailedPrecondition, shortages ResourceExhausted, the rest Unavailable.
absl::Status SocketError(std::string_view what, int error);

/// An address and port for the kernel. `scope`: the interface of an IPv6 link-local address.
struct SocketAddress {
  SocketAddress() = default;
  SocketAddress(const Ip& ip, std::uint16_t port, unsigned scope = 0);

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  /// `::` and 0 when it is neither IPv4 nor IPv6.
  Ip ip() const;
  std::uint16_t port() const;

  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
};

/// Where a socket's packets come from and go.
struct SocketPath {
  Ip local{};  ///< `::`: not bound to an address
  std::uint16_t port = 0;
  std::string interface {};  ///< SO_BINDTODEVICE
  std::uint32_t mark = 0;    ///< SO_MARK
};

/// Makes a socket of that family and sets it on the path; bound when `path` names a local address
/// or a port. Errors: SocketError's, with what failed in words.
absl::StatusOr<UniqueFd> OpenSocket(int family, int type, int protocol, const SocketPath& path);

int FamilyOf(const Ip& ip);
/// 0: there is none, or the name is empty.
unsigned InterfaceIndex(const std::string& name);

/// One datagram, as it was received.
struct Datagram {
  std::span<const std::byte> bytes;  ///< in the buffer that Receive() was given
  SocketAddress from;
  /// The TTL or hop limit, where the socket asks for it (AskForTtl); -1: not told.
  int ttl = -1;
};

/// Makes Receive() tell the TTL. Errors: SocketError's.
absl::Status AskForTtl(int fd, int family);

/// The next datagram; nullopt when there is none now (or an error of an earlier send was reported:
/// for what watches others that means the same, nobody answers).
std::optional<Datagram> Receive(int fd, std::span<std::byte> buffer);

/// Whether the kernel took it whole.
bool SendTo(int fd, const SocketAddress& to, std::span<const std::byte> bytes);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_SOCKET_H_
