#ifndef MIMI_SRC_WIRE_CTNETLINK_H_
#define MIMI_SRC_WIRE_CTNETLINK_H_

// Connection tracking entries as the kernel's netlink interface carries them, both directions
// (linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h).
//
//   CtMessage event;
//   if (ParseCtMessage(message, &event) == CtRefusal::kNone && event.kind == CtKind::kDestroy) …
//
//   CtEntry entry = CtFromFlow(flow);          // an established copy, ready to be translated
//   entry.timeout = 86400;  entry.present |= kCtTimeout;
//   AppendCtCreate(writer, entry, sequence);   // refused by the kernel (EEXIST) if it is there
//   AppendCtUpdate(writer, entry, kCtTimeout | kCtProtocolState, sequence);
//   AppendCtDelete(writer, entry.orig, entry.zone, id, sequence);
//
// Source and destination of a tuple stand as in the packet. Of ICMP and ICMPv6 the source port is
// the identifier, and the destination port type << 8 | code; a reply tuple has the answer's type.
//
// Threads: functions without state.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mimi/flow.h"
#include "mimi/types.h"

#include "src/wire/netlink.h"

namespace mimi {

struct CtTuple {
  Ip src;
  Ip dst;
  std::uint16_t sport = 0;
  std::uint16_t dport = 0;
  std::uint8_t protocol = 0;
  friend bool operator==(const CtTuple&, const CtTuple&) = default;

  bool is_icmp() const { return protocol == 1 || protocol == 58; }
  /// How an answer to it looks when nothing is translated.
  CtTuple Inverse() const;
};

// CTA_STATUS (enum ip_conntrack_status).
inline constexpr std::uint32_t kIpsExpected = 1U << 0;  ///< an expectation's: FTP data and such
inline constexpr std::uint32_t kIpsSeenReply = 1U << 1;
inline constexpr std::uint32_t kIpsAssured = 1U << 2;
inline constexpr std::uint32_t kIpsConfirmed = 1U << 3;
inline constexpr std::uint32_t kIpsSourceNat = 1U << 4;
inline constexpr std::uint32_t kIpsDestinationNat = 1U << 5;
inline constexpr std::uint32_t kIpsSequenceAdjusted = 1U << 6;
inline constexpr std::uint32_t kIpsDying = 1U << 9;
inline constexpr std::uint32_t kIpsFixedTimeout = 1U << 10;
inline constexpr std::uint32_t kIpsHelper = 1U << 13;
inline constexpr std::uint32_t kIpsOffload = 1U << 14;
inline constexpr std::uint32_t kIpsHardwareOffload = 1U << 15;

// The flags of one TCP direction (IP_CT_TCP_FLAG_*).
inline constexpr std::uint8_t kTcpWindowScale = 0x01;
inline constexpr std::uint8_t kTcpSackPermitted = 0x02;
inline constexpr std::uint8_t kTcpCloseInit = 0x04;
inline constexpr std::uint8_t kTcpBeLiberal = 0x08;

/// enum sctp_conntrack, as far as it matters.
inline constexpr std::uint8_t kSctpClosed = 1;
inline constexpr std::uint8_t kSctpEstablished = 4;
inline constexpr std::uint8_t kSctpShutdownSent = 5;
inline constexpr std::uint8_t kSctpShutdownAckSent = 7;

/// Which members of a CtEntry have a meaning; zone 0 and status are always there.
enum CtPresent : std::uint32_t {
  kCtOrig = 1U << 0,
  kCtReply = 1U << 1,
  kCtId = 1U << 2,
  kCtStatus = 1U << 3,
  kCtTimeout = 1U << 4,
  kCtMark = 1U << 5,
  kCtProtocolState = 1U << 6,  ///< `tcp` or `sctp`, as orig.protocol says
  kCtHelper = 1U << 7,         ///< a helper (FTP, SIP, …) reads its payload
  kCtMaster = 1U << 8,         ///< it came from an expectation of another flow
  kCtSequenceAdjustment = 1U << 9,
  kCtSynproxy = 1U << 10,
  /// One direction has a zone of its own (`ct original zone set`).
  kCtDirectionZone = 1U << 11,
};

struct CtTcpDirection {
  std::uint8_t window_scale = 0;
  std::uint8_t flags = 0;  ///< kTcp…
  friend bool operator==(const CtTcpDirection&, const CtTcpDirection&) = default;
};

struct CtEntry {
  std::uint32_t present = 0;  ///< CtPresent
  CtTuple orig;               ///< as the initiator sends
  CtTuple reply;              ///< as the responder answers: translation is the difference
  std::uint16_t zone = 0;
  std::uint32_t id = 0;
  std::uint32_t status = 0;
  std::uint32_t timeout = 0;  ///< seconds that remain
  std::uint32_t mark = 0;
  std::uint8_t protocol_state = 0;  ///< enum tcp_conntrack or enum sctp_conntrack
  CtTcpDirection tcp_orig;
  CtTcpDirection tcp_reply;
  std::uint32_t sctp_tag_orig = 0;  ///< verification tags
  std::uint32_t sctp_tag_reply = 0;
  friend bool operator==(const CtEntry&, const CtEntry&) = default;

  bool has(std::uint32_t bits) const { return (present & bits) == bits; }
  std::uint8_t family() const;  ///< AF_INET or AF_INET6
};

enum class CtKind : std::uint8_t {
  kNew,      ///< an event, or one entry of a dump or of the answer to a get
  kUpdate,   ///< an event
  kDestroy,  ///< an event
};

struct CtMessage {
  CtKind kind = CtKind::kNew;
  std::uint32_t port_id = 0;  ///< who caused it: 0 for traffic and timers
  std::uint32_t sequence = 0;
  bool dumped = false;  ///< part of a dump's answer (NLM_F_MULTI)
  CtEntry entry;
};

/// Why a message was not taken. Each has a counter where messages are read.
enum class CtRefusal : std::uint8_t {
  kNone,
  kNotConntrack,     ///< another subsystem or message type
  kTruncated,        ///< an attribute leaves its container, or the fixed part is short
  kBadAttribute,     ///< an attribute's size is not that of its type
  kNoTuple,          ///< without an original tuple there is no flow
  kUnknownProtocol,  ///< neither IPv4 nor IPv6
};
inline constexpr std::size_t kCtRefusals = 6;
std::string_view CtRefusalName(CtRefusal refusal);

/// Reads an event or a dumped entry. `out` is unspecified on a refusal.
CtRefusal ParseCtMessage(const NetlinkMessage& message, CtMessage* out);

// Requests. Each appends one message. `flags` are added to NLM_F_REQUEST: NLM_F_ACK to be answered,
// NLM_F_ECHO to be told of what was made as if one had subscribed (its id is in there).

/// IPCTNL_MSG_CT_NEW, CREATE | EXCL. The recipe that keeps a connection alive in a second box: the
/// reply tuple is sent as the plain inverse of the original one, and CTA_NAT_SRC / CTA_NAT_DST with
/// min = max; the kernel derives the translated reply tuple. (A translated one here makes an entry
/// that matches but does not translate.) EEXIST: the original or the translated tuple is taken.
/// REQUIRES: kCtOrig, kCtReply, kCtTimeout, and kCtStatus with
/// kIpsConfirmed. TCP needs kCtProtocolState, or the connection dies.
void AppendCtCreate(NetlinkWriter& writer, const CtEntry& entry, std::uint32_t sequence,
                    std::uint16_t flags = 0);

/// IPCTNL_MSG_CT_NEW, REPLACE: changes `what` (of kCtStatus, kCtTimeout, kCtMark, kCtProtocolState)
/// of the entry with this original tuple. The kernel cannot change a translation (EOPNOTSUPP): that
/// is delete and create.
void AppendCtUpdate(NetlinkWriter& writer, const CtEntry& entry, std::uint32_t what,
                    std::uint32_t sequence, std::uint16_t flags = 0);

/// IPCTNL_MSG_CT_DELETE of one entry; with an id only if it is that very entry (else ENOENT).
void AppendCtDelete(NetlinkWriter& writer, const CtTuple& orig, std::uint16_t zone,
                    std::optional<std::uint32_t> id, std::uint32_t sequence,
                    std::uint16_t flags = 0);

/// IPCTNL_MSG_CT_GET of the entry that has this tuple as its original one, or as its reply: whose
/// translation it is. Answered by a message for ParseCtMessage.
enum class CtHalf : std::uint8_t { kOrig, kReply };
void AppendCtGet(NetlinkWriter& writer, CtHalf half, const CtTuple& tuple, std::uint16_t zone,
                 std::uint32_t sequence);

/// IPCTNL_MSG_CT_GET of all entries, both families, all zones. With a mask other than 0 only those
/// with (mark & mask) == value.
struct CtMarkFilter {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
};
void AppendCtDump(NetlinkWriter& writer, std::uint32_t sequence, CtMarkFilter filter = {});

/// Appends the message that ParseCtMessage reads: what the kernel would send. For tests and
/// fuzzers.
void AppendCtMessage(NetlinkWriter& writer, const CtMessage& message);

// Flow (mimi/flow.h) and entry.

/// What a flow row says of an entry. Of ICMP reply_sport is the identifier that the responder sees,
/// reply_dport the type and code of its answer. `mark_mask` takes off bits that are not the
/// operator's. idle_timeout is not set: only an event has the whole of it. REQUIRES: kCtOrig,
/// kCtReply.
Flow FlowFromCt(const CtEntry& entry, std::uint32_t mark_mask = ~std::uint32_t{0});

/// The entry that carries a flow on: CONFIRMED, and SEEN_REPLY | ASSURED unless the flow is kNew;
/// TCP in its state (ESTABLISHED if the row does not know) with BE_LIBERAL | WINDOW_SCALE |
/// SACK_PERM in both directions, SCTP ESTABLISHED with its tags; mark and zone. The time-out is the
/// caller's to set.
CtEntry CtFromFlow(const Flow& flow);

/// Whether the reply tuple is that of the flow as the kernel would derive it.
inline bool SameTranslation(const CtEntry& a, const CtEntry& b) {
  return a.orig == b.orig && a.reply == b.reply && a.zone == b.zone;
}

}  // namespace mimi

#endif  // MIMI_SRC_WIRE_CTNETLINK_H_
