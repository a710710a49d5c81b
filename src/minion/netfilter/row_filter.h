#ifndef MIMI_SRC_MINION_NETFILTER_ROW_FILTER_H_
#define MIMI_SRC_MINION_NETFILTER_ROW_FILTER_H_

// RowFilter: which entries of the kernel's table can be rows.
//
// Not those of the box's own sockets, which no other box can go on with; not TCP before it is
// assured or while it closes; nothing that hangs on a helper, an expectation or an adjusted
// sequence.
//
// Threads: one at a time.

#include <utility>

#include "mimi/flow.h"

#include "src/io/network_namespace.h"
#include "src/wire/ctnetlink.h"

namespace mimi::internal {

class RowFilter {
 public:
  void set_local(LocalAddresses local) { local_ = std::move(local); }

  bool IsRow(const CtEntry& entry) const {
    constexpr std::uint32_t kTied =
        kCtHelper | kCtMaster | kCtSequenceAdjustment | kCtSynproxy | kCtDirectionZone;
    if (!entry.has(kCtOrig | kCtReply) || (entry.present & kTied) != 0 ||
        local_.Contains(entry.orig.src) || local_.Contains(entry.reply.src)) {
      return false;
    }
    if (entry.orig.protocol != static_cast<std::uint8_t>(IpProtocol::kTcp)) {
      return true;
    }
    return (entry.status & kIpsAssured) != 0 &&
           entry.protocol_state == static_cast<std::uint8_t>(FlowState::kEstablished);
  }

 private:
  LocalAddresses local_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_ROW_FILTER_H_
