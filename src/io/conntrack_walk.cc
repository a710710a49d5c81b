#include "src/io/conntrack_walk.h"

#include <linux/netlink.h>

#include <utility>

#include "src/base/status.h"

namespace mimi {

absl::StatusOr<std::unique_ptr<ConntrackWalk>> ConntrackWalk::Open(const NetworkNamespace& inside) {
  std::unique_ptr<ConntrackWalk> walk(new ConntrackWalk);
  // One datagram at a time: the kernel makes the next one when this one is taken.
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> socket =
      NetlinkSocket::OpenIn(inside, {.receive_buffer = std::size_t{256} << 10, .batch = 1});
  if (!socket.ok()) {
    return socket.status();
  }
  walk->socket_ = *std::move(socket);
  return walk;
}

absl::Status ConntrackWalk::Start() {
  writer_.Clear();
  AppendCtDump(writer_, ++sequence_);
  walking_ = true;
  ended_ = false;
  return socket_->Send(writer_.bytes());
}

// False: nothing was there.
absl::StatusOr<bool> ConntrackWalk::Fill() {
  entries_.clear();
  at_ = 0;
  const absl::StatusOr<std::size_t> count = socket_->Receive();
  if (!count.ok()) {
    return count.status();
  }
  for (std::size_t i = 0; i < *count; ++i) {
    NetlinkReader reader(socket_->datagram(i));
    for (NetlinkMessage message; reader.Next(&message);) {
      NetlinkError error;
      if (message.sequence != sequence_) {
        continue;
      }
      if (message.type == NLMSG_DONE) {
        ended_ = true;
      } else if (ParseNetlinkError(message, &error)) {
        return Error(absl::StatusCode::kUnavailable, "conntrack: cannot walk the table: errno {}",
                     error.error);
      } else if (CtMessage one; ParseCtMessage(message, &one) == CtRefusal::kNone) {
        entries_.push_back(one.entry);
      }
    }
  }
  return *count > 0;
}

absl::StatusOr<const CtEntry*> ConntrackWalk::Next() {
  if (!walking_) {
    if (absl::Status status = Start(); !status.ok()) {
      walking_ = false;
      return status;
    }
  }
  while (at_ == entries_.size()) {
    if (ended_) {
      walking_ = false;
      entries_.clear();
      at_ = 0;
      return nullptr;
    }
    const absl::StatusOr<bool> filled = Fill();
    if (!filled.ok() || !*filled) {
      walking_ = false;
      return filled.ok() ? Error(absl::StatusCode::kUnavailable, "conntrack: a walk broke off")
                         : filled.status();
    }
  }
  return &entries_[at_++];
}

}  // namespace mimi
