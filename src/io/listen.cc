// Listening sockets.

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "src/base/status.h"
#include "src/io/stream_server.h"

namespace mimi {
namespace {

absl::Status Failed(std::string_view what, int error) {
  absl::StatusCode code = absl::StatusCode::kFailedPrecondition;
  if (error == EADDRINUSE) {
    code = absl::StatusCode::kUnavailable;
  } else if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
    code = absl::StatusCode::kResourceExhausted;
  }
  return Error(code, "{}: {}", what, std::strerror(error));
}

template <class Address>
int Bind(const UniqueFd& socket, const Address& address) {
  const void* const bytes = &address;
  return bind(socket.get(), static_cast<const sockaddr*>(bytes), sizeof address);
}

// A socket file that its owner left behind is removed; one that somebody listens at is not.
absl::Status ClearPath(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    return absl::OkStatus();  // bind() says what is wrong with the directory
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error(absl::StatusCode::kAlreadyExists, "{}: exists and is no socket", path);
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* const bytes = &address;
  if (connect(probe.get(), static_cast<const sockaddr*>(bytes), sizeof address) == 0 ||
      errno == EAGAIN) {
    return Error(absl::StatusCode::kAlreadyExists, "{}: another process listens there", path);
  }
  if (errno != ECONNREFUSED) {
    return Failed(path, errno);
  }
  return unlink(path.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : Failed(path, errno);
}

absl::Status GiveToGroup(const std::string& path, const std::string& name) {
  std::array<char, 4096> buffer;
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: there is no group \"{}\"", path, name);
  }
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0 ||
      chmod(path.c_str(), 0660) != 0) {
    return Failed(path, errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "\"{}\": a socket's path has 1 to {} bytes, not {}", path,
                 sizeof address.sun_path - 1, path.size());
  }
  path.copy(address.sun_path, path.size());
  if (const absl::Status clear = ClearPath(path, address); !clear.ok()) {
    return clear;
  }
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Linux gives the file the mode of the socket's inode, less the umask: this way there is no
  // moment at which others could connect.
  if (!fd.valid() || fchmod(fd.get(), 0600) != 0 || Bind(fd, address) != 0) {
    return Failed(path, errno);
  }
  if (!group.empty()) {
    if (const absl::Status given = GiveToGroup(path, group); !given.ok()) {
      unlink(path.c_str());
      return given;
    }
  }
  if (listen(fd.get(), 64) != 0) {
    return Failed(path, errno);
  }
  return fd;
}

absl::StatusOr<UniqueFd> ListenTcp(const Ip& address, std::uint16_t port) {
  const std::string what = fmt::format("{} port {}", address.ToString(), port);
  const std::optional<Ipv4> v4 = address.v4();
  UniqueFd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return Failed(what, errno);
  }
  int bound = 0;
  if (v4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, v4->octets.data(), 4);
    bound = Bind(fd, in);
  } else {
    const int off = 0;  // `::` takes both families
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.octets.data(), 16);
    bound = Bind(fd, in);
  }
  if (bound != 0 || listen(fd.get(), 64) != 0) {
    return Failed(what, errno);
  }
  return fd;
}

std::uint16_t LocalPort(const UniqueFd& socket) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  void* const bytes = &address;
  if (getsockname(socket.get(), static_cast<sockaddr*>(bytes), &size) != 0) {
    return 0;
  }
  // sockaddr_in has the port at the same place.
  return ntohs(address.sin6_port);
}

}  // namespace mimi
