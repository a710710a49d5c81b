#ifndef MIMI_SRC_WIRE_ROW_FILTER_H_
#define MIMI_SRC_WIRE_ROW_FILTER_H_

// RowFilter: which entries of the kernel's table can be rows. Drivers and minions must agree on it:
// what the one publishes is what the other's audit has to find.
//
// Not those of the box's own sockets, which no other box can go on with; not TCP and SCTP before
// they are assured or while they close; nothing that hangs on a helper, an expectation or an
// adjusted sequence.
//
// Standby. A minion gives entries without traffic here a time-out that no protocol has
// (StandbyAbove); the first packet gives them the protocol's own. Entries that it knows to be this
// box's own, which have only come to rest here, get one above kOwnStandby.
//
// Threads: one at a time.

#include <cstdint>
#include <utility>

#include "mimi/flow.h"

#include "src/base/local_addresses.h"
#include "src/wire/ctnetlink.h"

namespace mimi::internal {

/// Seconds. An entry with at least this time-out has not seen traffic since a minion put it there.
/// `longest`: of all protocols' own.
constexpr std::uint32_t StandbyAbove(std::uint32_t longest) {
  return longest + 24 * 3600;
}

/// Seconds. See above. Kernels take 24 days at most; a minion renews it each hour.
inline constexpr std::uint32_t kOwnStandby = 22 * 24 * 3600;

class RowFilter {
 public:
  void set_local(LocalAddresses local) { local_ = std::move(local); }
  /// Flows without connection that nobody has answered are no rows, unless a minion put them there.
  void leave_out_unanswered(std::uint32_t standby_above) { unanswered_above_ = standby_above; }

  /// It cannot go on elsewhere: something in this box belongs to it.
  static bool Tied(const CtEntry& entry) {
    constexpr std::uint32_t kTied =
        kCtHelper | kCtMaster | kCtSequenceAdjustment | kCtSynproxy | kCtDirectionZone;
    constexpr std::uint32_t kTiedStatus = kIpsExpected | kIpsSequenceAdjusted | kIpsHelper;
    return (entry.present & kTied) != 0 || (entry.status & kTiedStatus) != 0;
  }
  /// One end of it is a socket of the box.
  bool Local(const CtEntry& entry) const {
    return local_.Contains(entry.orig.src) || local_.Contains(entry.reply.src);
  }
  /// Its handshake is complete, or an answer has come.
  static bool Complete(const CtEntry& entry) {
    switch (static_cast<IpProtocol>(entry.orig.protocol)) {
      case IpProtocol::kTcp:
      case IpProtocol::kSctp:
        return (entry.status & kIpsAssured) != 0;
      default:
        return (entry.status & kIpsSeenReply) != 0;
    }
  }
  /// The protocol says that it ends or has ended.
  static bool Closing(const CtEntry& entry) {
    if (!entry.has(kCtProtocolState)) {
      return false;
    }
    switch (static_cast<IpProtocol>(entry.orig.protocol)) {
      case IpProtocol::kTcp:
        return entry.protocol_state >= static_cast<std::uint8_t>(FlowState::kFinWait) &&
               entry.protocol_state <= static_cast<std::uint8_t>(FlowState::kClose);
      case IpProtocol::kSctp:
        return entry.protocol_state == kSctpClosed ||
               (entry.protocol_state >= kSctpShutdownSent &&
                entry.protocol_state <= kSctpShutdownAckSent);
      default:
        return false;
    }
  }

  bool IsRow(const CtEntry& entry) const {
    if (!entry.has(kCtOrig | kCtReply) || Tied(entry) || Local(entry)) {
      return false;
    }
    switch (static_cast<IpProtocol>(entry.orig.protocol)) {
      case IpProtocol::kTcp:
        return Complete(entry) &&
               entry.protocol_state == static_cast<std::uint8_t>(FlowState::kEstablished);
      case IpProtocol::kSctp:
        return Complete(entry) && !Closing(entry);
      default:
        return Complete(entry) || entry.timeout >= unanswered_above_;
    }
  }

 private:
  LocalAddresses local_;
  std::uint32_t unanswered_above_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_ROW_FILTER_H_
