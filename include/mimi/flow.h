#ifndef MIMI_FLOW_H_
#define MIMI_FLOW_H_

/// \file
/// Flow: the built-in schema (table "mimi.flow") that makes unlike boxes interchangeable.
///
/// A flow is two tuples: how its initiator sends, and how its responder answers. Network address
/// translation, load balancing and plain firewalling are the same record; what was translated is
/// the difference between the reply tuple and the turned-around original one.
///
///     Flow flow;                                       // a client reaches a backend by a virtual address
///     flow.protocol = IpProtocol::kTcp;
///     flow.orig_src = *Ip::Parse("198.51.100.7"), flow.orig_sport = 40000;
///     flow.orig_dst = *Ip::Parse("203.0.113.1"),  flow.orig_dport = 443;     // the virtual address
///     flow.reply_src = *Ip::Parse("10.0.0.5"),    flow.reply_sport = 8443;   // the backend
///     flow.reply_dst = flow.orig_src,             flow.reply_dport = flow.orig_sport;
///     flow.state = FlowState::kEstablished;
///     lane->Put(flow);
///
/// A box whose state is of another kind declares a schema of its own (schema.h, typed.h).
///
/// Threads: values; any.

#include <cstdint>
#include <string_view>

#include "mimi/schema.h"
#include "mimi/typed.h"
#include "mimi/types.h"

namespace mimi {

/// How far a flow has come. The numbers of the TCP states are those of Linux
/// (`enum tcp_conntrack`, linux/netfilter/nf_conntrack_tcp.h). Other protocols use kNew and
/// kEstablished.
enum class FlowState : std::uint8_t {
  kUnknown = 0,
  kSynSent = 1,
  kSynReceived = 2,
  kEstablished = 3,  ///< TCP: the handshake is complete; others: both sides have sent
  kFinWait = 4,
  kCloseWait = 5,
  kLastAck = 6,
  kTimeWait = 7,
  kClose = 8,     ///< TCP: reset
  kSynSent2 = 9,  ///< simultaneous open
  kNew = 32,      ///< not TCP: only the initiator has sent
};

template <>
struct EnumNames<FlowState> {
  static constexpr EnumName<FlowState> kNames[] = {{"unknown", FlowState::kUnknown},
                                                   {"syn_sent", FlowState::kSynSent},
                                                   {"syn_received", FlowState::kSynReceived},
                                                   {"established", FlowState::kEstablished},
                                                   {"fin_wait", FlowState::kFinWait},
                                                   {"close_wait", FlowState::kCloseWait},
                                                   {"last_ack", FlowState::kLastAck},
                                                   {"time_wait", FlowState::kTimeWait},
                                                   {"close", FlowState::kClose},
                                                   {"syn_sent2", FlowState::kSynSent2},
                                                   {"new", FlowState::kNew}};
};

/// Which kind of driver saw the flow, for people and for choosing between two that disagree.
enum class FlowSource : std::uint8_t {
  kUnknown = 0,
  kInternal = 1,   ///< the box's own code
  kConntrack = 2,  ///< the kernel's events
  kNflog = 3,
  kSyslog = 4,
  kMirror = 5,    ///< packets on both sides of the box
  kSymbolic = 6,  ///< computed from the box's configuration
};

template <>
struct EnumNames<FlowSource> {
  static constexpr EnumName<FlowSource> kNames[] = {
      {"unknown", FlowSource::kUnknown},     {"internal", FlowSource::kInternal},
      {"conntrack", FlowSource::kConntrack}, {"nflog", FlowSource::kNflog},
      {"syslog", FlowSource::kSyslog},       {"mirror", FlowSource::kMirror},
      {"symbolic", FlowSource::kSymbolic}};
};

struct Flow {
  static constexpr std::string_view kTable = "mimi.flow";

  // Key: the flow as its initiator sends it.
  std::uint16_t zone = 0;  ///< conntrack zone, VRF or routing instance
  IpProtocol protocol = IpProtocol::kNone;
  Ip orig_src;
  /// ICMP and ICMPv6: the identifier. Protocols without ports: 0.
  Port orig_sport;
  Ip orig_dst;
  /// ICMP and ICMPv6: IcmpPort(type, code) of the request.
  Port orig_dport;

  // Value: the flow as its responder answers it, so source is the real server.
  Ip reply_src;
  Port reply_sport;
  Ip reply_dst;
  Port reply_dport;
  FlowState state = FlowState::kUnknown;
  /// How long it may stay silent before it is forgotten; 0: as long as the box that takes it thinks
  /// fit.
  Duration idle_timeout{};
  std::uint32_t mark = 0;  ///< the box's own word for the flow (connmark, policy number)
  /// What the protocol remembers of each direction. TCP: TcpMemory(). SCTP: the verification tag.
  std::uint32_t proto_orig = 0;
  std::uint32_t proto_reply = 0;
  FlowSource source = FlowSource::kUnknown;
  /// In percent. Less than 100: inferred, such as by a symbolic driver.
  std::uint8_t confidence = 100;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(zone)), Key(CEREAL_NVP(protocol)), Key(CEREAL_NVP(orig_src)),
       Key(CEREAL_NVP(orig_sport)), Key(CEREAL_NVP(orig_dst)), Key(CEREAL_NVP(orig_dport)));
    // Audits compare key, translation and mark; what changes with every packet, or tells only
    // where a row comes from, is soft.
    ar(CEREAL_NVP(reply_src), CEREAL_NVP(reply_sport), CEREAL_NVP(reply_dst),
       CEREAL_NVP(reply_dport), Soft(CEREAL_NVP(state)), Soft(CEREAL_NVP(idle_timeout)),
       CEREAL_NVP(mark), Soft(CEREAL_NVP(proto_orig)), Soft(CEREAL_NVP(proto_reply)),
       Soft(CEREAL_NVP(source)), Soft(CEREAL_NVP(confidence)));
  }
  friend bool operator==(const Flow&, const Flow&) = default;
};

/// The schema of Flow: rows of 98 bytes, 39 of them the key.
const StateSchema& FlowSchema();

/// An ICMP request's type and code as a destination port.
constexpr Port IcmpPort(std::uint8_t type, std::uint8_t code) {
  return Port(static_cast<std::uint16_t>(type << 8 | code));
}

/// proto_orig and proto_reply of TCP: `flags` are Linux's IP_CT_TCP_FLAG_* of the direction's
/// sender (1 window scale known, 2 SACK permitted, 4 close initiated, 8 be liberal), `window_scale`
/// its RFC 7323 shift count. 0: nothing known.
constexpr std::uint32_t TcpMemory(std::uint8_t flags, std::uint8_t window_scale) {
  return static_cast<std::uint32_t>(flags << 8 | window_scale);
}
constexpr std::uint8_t TcpFlags(std::uint32_t memory) {
  return static_cast<std::uint8_t>(memory >> 8);
}
constexpr std::uint8_t TcpWindowScale(std::uint32_t memory) {
  return static_cast<std::uint8_t>(memory);
}

}  // namespace mimi

#endif  // MIMI_FLOW_H_
