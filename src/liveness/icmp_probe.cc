// icmp: echo requests through the box.
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <random>
#include <utility>

#include "src/base/status.h"
#include "src/liveness/probe.h"
#include "src/wire/icmp_echo.h"

namespace mimi {
namespace {

using internal::IcmpEcho;
using internal::IcmpFamily;

constexpr int kMostAtOnce = 256;

class IcmpProbe final : public internal::Probe {
 public:
  IcmpProbe(const IcmpProbeOptions& options, Loop& loop)
      : Probe("icmp", options.path.target.ToString(), options.path, loop),
        family_(options.path.target.is_v4() ? IcmpFamily::kV4 : IcmpFamily::kV6),
        to_(options.path.target, 0, internal::InterfaceIndex(options.path.interface)) {}
  ~IcmpProbe() override { Stop(); }

 private:
  // A ping socket gives us our own replies only and needs no capability, where the group is allowed
  // (net.ipv4.ping_group_range); else a raw one, which sees every ICMP packet of the host.
  absl::Status Open() override {
    const int protocol = family_ == IcmpFamily::kV4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    raw_ = false;
    absl::StatusOr<UniqueFd> fd =
        internal::OpenSocket(to_.family(), SOCK_DGRAM, protocol, socket_path());
    if (fd.status().code() == absl::StatusCode::kFailedPrecondition) {
      raw_ = true;
      fd = internal::OpenSocket(to_.family(), SOCK_RAW, protocol, socket_path());
    }
    if (!fd.ok()) {
      return fd.status();
    }
    fd_ = *std::move(fd);
    std::random_device random;
    echo_ = {.identifier = static_cast<std::uint16_t>(random()),
             .sequence = 0,
             .token = std::uint64_t{random()} << 32 | random()};
    return loop().WatchFd(fd_.get(), kReadable, [this](std::uint32_t) { OnReadable(); });
  }

  void Close() override {
    loop().UnwatchFd(fd_.get());
    UniqueFd closed = std::move(fd_);
  }

  void Begin() override {
    ++echo_.sequence;
    ++echo_.token;
    waiting_ = true;
    if (!internal::SendTo(fd_.get(), to_, internal::EncodeEchoRequest(family_, echo_))) {
      waiting_ = false;
      Failed(Message(internal::SocketError("cannot send", errno)));
    }
  }

  void Abandon() override { waiting_ = false; }

  void OnReadable() {
    std::array<std::byte, 2048> buffer;
    for (int i = 0; i < kMostAtOnce; ++i) {
      const std::optional<internal::Datagram> datagram = internal::Receive(fd_.get(), buffer);
      if (!datagram.has_value()) {
        return;
      }
      const bool header = raw_ && family_ == IcmpFamily::kV4;
      const std::optional<IcmpEcho> reply =
          internal::ParseEchoReply(family_, header, datagram->bytes);
      // The kernel writes its own identifier into a ping socket's requests: the token tells.
      if (waiting_ && reply.has_value() && reply->token == echo_.token &&
          reply->sequence == echo_.sequence && datagram->from.ip() == path().target) {
        waiting_ = false;
        Succeeded("the echo is answered");
        return;
      }
    }
  }

  const IcmpFamily family_;
  const internal::SocketAddress to_;
  UniqueFd fd_;
  bool raw_ = false;
  bool waiting_ = false;
  IcmpEcho echo_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewIcmpProbe(const IcmpProbeOptions& options,
                                                       Loop& loop) {
  if (absl::Status checked = internal::CheckProbePath("icmp", options.path); !checked.ok()) {
    return checked;
  }
  return std::make_unique<IcmpProbe>(options, loop);
}

}  // namespace mimi
