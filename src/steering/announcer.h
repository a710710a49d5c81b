#ifndef MIMI_SRC_STEERING_ANNOUNCER_H_
#define MIMI_SRC_STEERING_ANNOUNCER_H_

// Announcer: tells the neighbours of an interface where addresses are, by gratuitous ARP and
// unsolicited neighbour advertisements.
//
// Threads: one at a time.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/steering.h"

#include "src/base/unique_fd.h"
#include "src/io/network_namespace.h"

namespace mimi::internal {

class Announcer {
 public:
  /// Errors: FailedPrecondition (CAP_NET_RAW).
  static absl::StatusOr<std::unique_ptr<Announcer>> Open(const NetworkNamespace& inside);

  /// One announcement of each address: it is at `owner`. `out`: the number of the interface that
  /// they leave by; `source`: its own address, so that switches do not learn the wrong port.
  /// Errors: Unavailable (the first that could not be sent; the others were tried).
  absl::Status Announce(const std::vector<IpPrefix>& addresses, const Mac& owner, std::uint32_t out,
                        const Mac& source, bool router) const;

  /// Whether this host forwards IPv6 packets that come in by `interface`.
  static bool IsRouter(const NetworkNamespace& inside, const std::string& interface);

 private:
  explicit Announcer(UniqueFd socket) : socket_(std::move(socket)) {}
  bool Send(std::span<const std::byte> frame, std::uint16_t protocol, std::uint32_t out) const;

  UniqueFd socket_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STEERING_ANNOUNCER_H_
