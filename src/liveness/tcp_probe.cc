// tcp and http: a connection through the box, and for http what the service says.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/liveness/probe.h"
#include "src/wire/http_status.h"

namespace mimi {
namespace {

class TcpProbe : public internal::Probe {
 public:
  TcpProbe(std::string_view kind, const ProbePath& path, std::uint16_t port, Loop& loop)
      : Probe(kind, fmt::format("{} port {}", path.target.ToString(), port), path, loop),
        to_(path.target, port, internal::InterfaceIndex(path.interface)) {}
  ~TcpProbe() override { Stop(); }

 protected:
  void Begin() override {
    Abandon();
    absl::StatusOr<UniqueFd> fd = internal::OpenSocket(to_.family(), SOCK_STREAM, 0, socket_path());
    if (!fd.ok()) {
      Failed(Message(fd.status()));
      return;
    }
    fd_ = *std::move(fd);
    // Closed by a reset: a probe leaves no TIME_WAIT behind, here or in the box.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd_.get(), to_.get(), to_.size) != 0 && errno != EINPROGRESS) {
      Fail(errno);
      return;
    }
    const absl::Status watched =
        loop().WatchFd(fd_.get(), kWritable, [this](std::uint32_t) { OnConnected(); });
    if (!watched.ok()) {
      Abandon();
      Failed(Message(watched));
    }
  }

  void Abandon() override {
    if (fd_.valid()) {
      loop().UnwatchFd(fd_.get());
      UniqueFd closed = std::move(fd_);
    }
  }

  /// The connection stands.
  virtual void Talk() {
    Abandon();
    Succeeded("the connection is accepted");
  }

  void Fail(int error) {
    Abandon();
    Failed(std::strerror(error));
  }

  int fd() const { return fd_.get(); }

 private:
  void OnConnected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      error = errno;
    }
    if (error != 0) {
      Fail(error);
    } else {
      Talk();
    }
  }

  const internal::SocketAddress to_;
  UniqueFd fd_;
};

class HttpProbe final : public TcpProbe {
 public:
  HttpProbe(const HttpProbeOptions& options, std::string request, Loop& loop)
      : TcpProbe("http", options.path, options.port, loop),
        options_(options),
        request_(std::move(request)) {}
  ~HttpProbe() override { Stop(); }

 private:
  void Talk() override {
    received_.clear();
    // The send buffer of a new connection holds any request that the options allow.
    const ssize_t sent = send(fd(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) {
      Fail(sent < 0 ? errno : ENOBUFS);
      return;
    }
    const absl::Status watched =
        loop().WatchFd(fd(), kReadable, [this](std::uint32_t) { OnReadable(); });
    if (!watched.ok()) {
      Abandon();
      Failed(Message(watched));
    }
  }

  void OnReadable() {
    std::array<char, 2048> buffer;
    const ssize_t size = recv(fd(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno != EAGAIN) {
        Fail(errno);
      }
      return;
    }
    received_.append(buffer.data(), static_cast<std::size_t>(size));
    int status = 0;
    switch (internal::ParseHttpStatus(received_, &status)) {
      case internal::HttpStatusProgress::kMore:
        if (size == 0) {
          Abandon();
          Failed("closed without an answer");
        }
        return;
      case internal::HttpStatusProgress::kMalformed:
        Abandon();
        Failed("the answer is not HTTP");
        return;
      case internal::HttpStatusProgress::kDone:
        break;
    }
    Abandon();
    if (status >= options_.status_from && status <= options_.status_to) {
      Succeeded(fmt::format("status {}", status));
    } else {
      Failed(fmt::format("status {}, expected {} to {}", status, options_.status_from,
                         options_.status_to));
    }
  }

  const HttpProbeOptions options_;
  const std::string request_;
  std::string received_;
};

constexpr auto kBad = absl::StatusCode::kInvalidArgument;
constexpr std::size_t kLongestRequest = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewTcpProbe(const TcpProbeOptions& options, Loop& loop) {
  if (absl::Status checked = internal::CheckProbePath("tcp", options.path); !checked.ok()) {
    return checked;
  }
  if (options.port == 0) {
    return Error(kBad, "tcp probe: no port");
  }
  return std::make_unique<TcpProbe>("tcp", options.path, options.port, loop);
}

absl::StatusOr<std::unique_ptr<Liveness>> NewHttpProbe(const HttpProbeOptions& options,
                                                       Loop& loop) {
  if (absl::Status checked = internal::CheckProbePath("http", options.path); !checked.ok()) {
    return checked;
  }
  if (options.port == 0) {
    return Error(kBad, "http probe: no port");
  }
  if (options.status_from < 100 || options.status_to > 599 ||
      options.status_from > options.status_to) {
    return Error(kBad, "http probe: status {} to {}, expected a range within 100 to 599",
                 options.status_from, options.status_to);
  }
  const std::string target = options.path.target.ToString();
  const std::string host = !options.host.empty()         ? options.host
                           : options.path.target.is_v4() ? target
                                                         : fmt::format("[{}]", target);
  if (!internal::IsHttpHost(host) || !internal::IsHttpUri(options.uri)) {
    return Error(kBad,
                 "http probe: host or uri holds a space or control character, or the uri "
                 "does not start with '/'");
  }
  std::string request = internal::HttpGet(host, options.uri);
  if (request.size() > kLongestRequest) {
    return Error(kBad, "http probe: the request has {} bytes, expected at most {}", request.size(),
                 kLongestRequest);
  }
  return std::make_unique<HttpProbe>(options, std::move(request), loop);
}

}  // namespace mimi
