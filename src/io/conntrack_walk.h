#ifndef MIMI_SRC_IO_CONNTRACK_WALK_H_
#define MIMI_SRC_IO_CONNTRACK_WALK_H_

// ConntrackWalk: the kernel's connection tracking table from its first entry to its last, in steps.
//
//   while (const CtEntry* entry = *walk->Next()) { … }      // may be interrupted anywhere
//
// Entries that come and go meanwhile may be shown or not. The kernel makes the next part of its
// answer when this one is taken, inside the system call, so a walk never waits. Whoever gives one
// up in the middle opens another: the kernel does not begin a second answer on one socket.
//
// Threads: one at a time. Lifetime: an entry is valid until the next call.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/io/netlink_socket.h"
#include "src/io/network_namespace.h"
#include "src/wire/ctnetlink.h"

namespace mimi {

class ConntrackWalk {
 public:
  static absl::StatusOr<std::unique_ptr<ConntrackWalk>> Open(const NetworkNamespace& inside);

  /// The next entry; nullptr: this was the last one, and the next call begins anew. Errors:
  /// Unavailable (the walk begins anew).
  absl::StatusOr<const CtEntry*> Next();

 private:
  ConntrackWalk() = default;
  absl::Status Start();
  absl::StatusOr<bool> Fill();

  std::unique_ptr<NetlinkSocket> socket_;
  NetlinkWriter writer_{64};
  std::uint32_t sequence_ = 0;
  bool walking_ = false;
  bool ended_ = false;
  std::vector<CtEntry> entries_;
  std::size_t at_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_IO_CONNTRACK_WALK_H_
