#include "src/steering/rtnetlink_port.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr int kRouteProtocol = NETLINK_ROUTE;
// A slice of a dump: some 300 routes each. A table of a million is read in a second, beside the
// rest.
constexpr std::size_t kSlice = 2;

}  // namespace

absl::Status RtAnswer::ToStatus(std::string_view what) const {
  if (error == 0) {
    return absl::OkStatus();
  }
  const bool lasting = error == EPERM || error == EACCES || error == EINVAL ||
                       error == EOPNOTSUPP || error == EAFNOSUPPORT;
  return Error(lasting ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kUnavailable,
               "{}: {}{}{}{}", what, std::strerror(error),
               error == EPERM ? " (CAP_NET_ADMIN is needed)" : "", text.empty() ? "" : ": ", text);
}

absl::StatusOr<std::unique_ptr<RtnetlinkPort>> RtnetlinkPort::Open(
    const std::string& network_namespace, Loop& loop) {
  absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  std::unique_ptr<RtnetlinkPort> port(new RtnetlinkPort(*std::move(inside), loop));
  absl::Status opened = absl::OkStatus();
  absl::Status entered = port->inside_.Do([&] { opened = port->OpenSockets(); });
  entered.Update(opened);
  if (!entered.ok()) {
    return entered;
  }
  return port;
}

absl::Status RtnetlinkPort::OpenSockets() {
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> changes =
      NetlinkSocket::Open({.protocol = kRouteProtocol, .receive_buffer = 1 << 20, .batch = 8});
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> dumps =
      NetlinkSocket::Open({.protocol = kRouteProtocol, .receive_buffer = 1 << 20, .batch = kSlice});
  if (!changes.ok() || !dumps.ok()) {
    return changes.ok() ? dumps.status() : changes.status();
  }
  changes_ = *std::move(changes);
  dumps_ = *std::move(dumps);
  // The kernel then picks the table of a dump out for us. Old kernels send all.
  const int strict = 1;
  (void)setsockopt(dumps_->fd(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
  names_ = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!names_.valid()) {
    return Error(absl::StatusCode::kResourceExhausted, "no descriptors: {}", std::strerror(errno));
  }
  return absl::OkStatus();
}

RtnetlinkPort::~RtnetlinkPort() {
  if (dumping_) {
    loop_.UnwatchFd(dumps_->fd());
  }
}

absl::StatusOr<Link> RtnetlinkPort::FindLink(const std::string& name) const {
  ifreq request = {};
  if (name.empty() || name.size() >= sizeof(request.ifr_name)) {
    return Error(absl::StatusCode::kFailedPrecondition, "no interface \"{}\"", name);
  }
  std::memcpy(request.ifr_name, name.data(), name.size());
  Link link;
  if (ioctl(names_.get(), SIOCGIFINDEX, &request) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "no interface \"{}\": {}", name,
                 std::strerror(errno));
  }
  link.index = static_cast<std::uint32_t>(request.ifr_ifindex);
  if (ioctl(names_.get(), SIOCGIFFLAGS, &request) == 0) {
    link.up = (request.ifr_flags & IFF_UP) != 0;
  }
  if (ioctl(names_.get(), SIOCGIFHWADDR, &request) == 0 &&
      request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
    Mac mac;
    std::memcpy(mac.octets.data(), request.ifr_hwaddr.sa_data, mac.octets.size());
    link.mac = mac;
  }
  return link;
}

absl::StatusOr<std::vector<RtAnswer>> RtnetlinkPort::Change() {
  if (const absl::Status sent = changes_->Send(writer_.bytes()); !sent.ok()) {
    return sent;
  }
  std::vector<RtAnswer> answers(writer_.messages());
  std::size_t answered = 0;
  while (answered < answers.size()) {
    const absl::StatusOr<std::size_t> count = changes_->Receive();
    if (!count.ok()) {
      return count.status();
    }
    if (*count == 0) {
      return Error(absl::StatusCode::kUnavailable, "the kernel answered {} of {} changes", answered,
                   answers.size());
    }
    for (std::size_t i = 0; i < *count; ++i) {
      NetlinkReader reader(changes_->datagram(i));
      NetlinkError error;
      for (NetlinkMessage message; reader.Next(&message);) {
        // Unsigned: an answer to something older is beyond the end.
        if (ParseNetlinkError(message, &error) && error.sequence - first_ < answers.size()) {
          answers[error.sequence - first_] = {error.error, std::string(error.text)};
          ++answered;
        }
      }
    }
  }
  return answers;
}

absl::StatusOr<RtAnswer> RtnetlinkPort::Get(const Visitor& visit) {
  if (const absl::Status sent = changes_->Send(writer_.bytes()); !sent.ok()) {
    return sent;
  }
  for (;;) {
    const absl::StatusOr<std::size_t> count = changes_->Receive();
    if (!count.ok()) {
      return count.status();
    }
    if (*count == 0) {
      return Error(absl::StatusCode::kUnavailable, "the kernel did not answer");
    }
    for (std::size_t i = 0; i < *count; ++i) {
      NetlinkReader reader(changes_->datagram(i));
      for (NetlinkMessage message; reader.Next(&message);) {
        if (message.sequence != first_) {
          continue;
        }
        if (NetlinkError error; ParseNetlinkError(message, &error)) {
          return RtAnswer{error.error, std::string(error.text)};
        }
        visit(message);
        return RtAnswer();
      }
    }
  }
}

void RtnetlinkPort::Dump(Request request, Visitor visit, StatusCallback done) {
  waiting_.push_back({std::move(request), std::move(visit), std::move(done)});
  if (waiting_.size() == 1) {
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) {
        BeginDump();
      }
    });
  }
}

void RtnetlinkPort::BeginDump() {
  NetlinkWriter writer(64);
  dump_sequence_ = NextSequence();
  waiting_.front().request(writer, dump_sequence_);
  interrupted_ = false;
  seen_overruns_ = dumps_->overruns();
  absl::Status begun = dumps_->Send(writer.bytes());
  if (begun.ok()) {
    begun = loop_.WatchFd(dumps_->fd(), kReadable, [this](std::uint32_t) { OnDump(); });
    dumping_ = begun.ok();
  }
  if (!begun.ok()) {
    EndDump(begun);
  }
}

void RtnetlinkPort::OnDump() {
  absl::Status end;
  if (ReadSlice(&end)) {
    loop_.UnwatchFd(dumps_->fd());
    dumping_ = false;
    EndDump(end);
  }
}

absl::Status RtnetlinkPort::EndOfDump() const {
  if (dumps_->overruns() != seen_overruns_) {
    return Error(absl::StatusCode::kUnavailable, "a part of the dump was lost");
  }
  return interrupted_ ? Error(absl::StatusCode::kAborted, "it changed while it was read")
                      : absl::OkStatus();
}

bool RtnetlinkPort::ReadSlice(absl::Status* end) {
  const absl::StatusOr<std::size_t> count = dumps_->Receive();
  if (!count.ok()) {
    *end = count.status();
    return true;
  }
  for (std::size_t i = 0; i < *count; ++i) {
    NetlinkReader reader(dumps_->datagram(i));
    for (NetlinkMessage message; reader.Next(&message);) {
      if (message.sequence != dump_sequence_) {
        continue;
      }
      interrupted_ |= (message.flags & NLM_F_DUMP_INTR) != 0;
      NetlinkError error;
      if (ParseNetlinkError(message, &error)) {
        *end = error.error != 0 ? RtAnswer{error.error, std::string(error.text)}.ToStatus("dump")
                                : EndOfDump();
        return true;
      }
      waiting_.front().visit(message);
    }
  }
  return false;
}

void RtnetlinkPort::EndDump(const absl::Status& end) {
  const StatusCallback done = std::move(waiting_.front().done);
  waiting_.pop_front();
  if (!waiting_.empty()) {
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) {
        BeginDump();
      }
    });
  }
  done(end);  // last: it may destroy this
}

}  // namespace mimi::internal
