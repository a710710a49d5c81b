#include "src/steering/announcer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "src/base/status.h"
#include "src/wire/arp_nd.h"

namespace mimi::internal {

absl::StatusOr<std::unique_ptr<Announcer>> Announcer::Open(const NetworkNamespace& inside) {
  UniqueFd socket;
  int error = 0;
  const absl::Status entered = inside.Do([&] {
    // Protocol 0: it sends, and receives nothing.
    socket = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = errno;
  });
  if (!entered.ok()) {
    return entered;
  }
  if (!socket.valid()) {
    return Error(absl::StatusCode::kFailedPrecondition, "announcing addresses: {}{}",
                 std::strerror(error), error == EPERM ? " (CAP_NET_RAW is needed)" : "");
  }
  return std::unique_ptr<Announcer>(new Announcer(std::move(socket)));
}

bool Announcer::Send(std::span<const std::byte> frame, std::uint16_t protocol,
                     std::uint32_t out) const {
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(protocol);
  to.sll_ifindex = static_cast<int>(out);
  to.sll_halen = ETH_ALEN;
  std::memcpy(to.sll_addr, frame.data(), ETH_ALEN);
  return sendto(socket_.get(), frame.data(), frame.size(), 0,
                reinterpret_cast<const sockaddr*>(&to),
                sizeof(to)) == static_cast<ssize_t>(frame.size());
}

absl::Status Announcer::Announce(const std::vector<IpPrefix>& addresses, const Mac& owner,
                                 std::uint32_t out, const Mac& source, bool router) const {
  absl::Status status = absl::OkStatus();
  for (const IpPrefix& prefix : addresses) {
    bool sent;
    if (const std::optional<Ipv4> v4 = prefix.address.v4(); v4.has_value()) {
      sent = Send(GratuitousArp(source, owner, *v4, ArpForm::kRequest), ETH_P_ARP, out);
      sent = Send(GratuitousArp(source, owner, *v4, ArpForm::kReply), ETH_P_ARP, out) && sent;
    } else {
      sent = Send(UnsolicitedAdvertisement(source, owner, Ipv6{prefix.address.octets}, router),
                  ETH_P_IPV6, out);
    }
    if (!sent) {
      status.Update(Error(absl::StatusCode::kUnavailable, "announcing {}: {}",
                          prefix.address.ToString(), std::strerror(errno)));
    }
  }
  return status;
}

bool Announcer::IsRouter(const NetworkNamespace& inside, const std::string& interface) {
  char forwarding = '0';
  (void)inside.Do([&] {
    const std::string path = "/proc/sys/net/ipv6/conf/" + interface + "/forwarding";
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || read(fd.get(), &forwarding, 1) != 1) {
      forwarding = '0';  // no IPv6
    }
  });
  return forwarding != '0';
}

}  // namespace mimi::internal
