#include <linux/netfilter/nf_conntrack_tcp.h>

#include "src/wire/ctnetlink.h"

namespace mimi {
namespace {

// What of a direction's flags means anything elsewhere.
constexpr std::uint8_t kKeptTcpFlags =
    kTcpWindowScale | kTcpSackPermitted | kTcpCloseInit | kTcpBeLiberal;
constexpr std::uint8_t kLiberal = kTcpBeLiberal | kTcpWindowScale | kTcpSackPermitted;

static_assert(kTcpBeLiberal == IP_CT_TCP_FLAG_BE_LIBERAL);
static_assert(static_cast<int>(FlowState::kEstablished) == TCP_CONNTRACK_ESTABLISHED);
static_assert(static_cast<int>(FlowState::kSynSent2) == TCP_CONNTRACK_SYN_SENT2);

FlowState StateOf(const CtEntry& entry) {
  switch (entry.orig.protocol) {
    case 6:
      if (entry.has(kCtProtocolState) && entry.protocol_state <= TCP_CONNTRACK_SYN_SENT2) {
        return static_cast<FlowState>(entry.protocol_state);
      }
      return (entry.status & kIpsAssured) != 0 ? FlowState::kEstablished : FlowState::kUnknown;
    case 132:
      if (entry.has(kCtProtocolState) &&
          (entry.protocol_state == kSctpClosed || (entry.protocol_state >= kSctpShutdownSent &&
                                                   entry.protocol_state <= kSctpShutdownAckSent))) {
        return FlowState::kClose;
      }
      return (entry.status & kIpsAssured) != 0 ? FlowState::kEstablished : FlowState::kNew;
    default:
      return (entry.status & kIpsSeenReply) != 0 ? FlowState::kEstablished : FlowState::kNew;
  }
}

CtTcpDirection DirectionOf(std::uint32_t memory) {
  return {.window_scale = TcpWindowScale(memory),
          .flags = static_cast<std::uint8_t>((TcpFlags(memory) & kTcpCloseInit) | kLiberal)};
}

}  // namespace

Flow FlowFromCt(const CtEntry& entry, std::uint32_t mark_mask) {
  Flow flow;
  flow.zone = entry.zone;
  flow.protocol = static_cast<IpProtocol>(entry.orig.protocol);
  flow.orig_src = entry.orig.src;
  flow.orig_sport = entry.orig.sport;
  flow.orig_dst = entry.orig.dst;
  flow.orig_dport = entry.orig.dport;
  flow.reply_src = entry.reply.src;
  flow.reply_sport = entry.reply.sport;
  flow.reply_dst = entry.reply.dst;
  flow.reply_dport = entry.reply.dport;
  flow.state = StateOf(entry);
  flow.mark = entry.mark & mark_mask;
  if (entry.has(kCtProtocolState) && entry.orig.protocol == 6) {
    flow.proto_orig = TcpMemory(entry.tcp_orig.flags & kKeptTcpFlags, entry.tcp_orig.window_scale);
    flow.proto_reply =
        TcpMemory(entry.tcp_reply.flags & kKeptTcpFlags, entry.tcp_reply.window_scale);
  } else if (entry.orig.protocol == 132) {
    flow.proto_orig = entry.sctp_tag_orig;
    flow.proto_reply = entry.sctp_tag_reply;
  }
  flow.source = FlowSource::kConntrack;
  return flow;
}

CtEntry CtFromFlow(const Flow& flow) {
  CtEntry entry;
  entry.present = kCtOrig | kCtReply | kCtStatus | kCtMark;
  entry.zone = flow.zone;
  const auto protocol = static_cast<std::uint8_t>(flow.protocol);
  entry.orig = {.src = flow.orig_src,
                .dst = flow.orig_dst,
                .sport = flow.orig_sport.value,
                .dport = flow.orig_dport.value,
                .protocol = protocol};
  entry.reply = {.src = flow.reply_src,
                 .dst = flow.reply_dst,
                 .sport = flow.reply_sport.value,
                 .dport = flow.reply_dport.value,
                 .protocol = protocol};
  entry.mark = flow.mark;
  entry.status = kIpsConfirmed;
  if (flow.state != FlowState::kNew) {
    entry.status |= kIpsSeenReply | kIpsAssured;
  }
  if (flow.protocol == IpProtocol::kTcp) {
    entry.present |= kCtProtocolState;
    entry.protocol_state = flow.state == FlowState::kUnknown || flow.state > FlowState::kSynSent2
                               ? static_cast<std::uint8_t>(FlowState::kEstablished)
                               : static_cast<std::uint8_t>(flow.state);
    entry.tcp_orig = DirectionOf(flow.proto_orig);
    entry.tcp_reply = DirectionOf(flow.proto_reply);
  } else if (flow.protocol == IpProtocol::kSctp) {
    entry.present |= kCtProtocolState;
    entry.protocol_state = kSctpEstablished;
    entry.sctp_tag_orig = flow.proto_orig;
    entry.sctp_tag_reply = flow.proto_reply;
  }
  return entry;
}

}  // namespace mimi
