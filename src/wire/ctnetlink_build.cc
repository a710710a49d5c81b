#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "src/wire/ctnetlink.h"

namespace mimi {
namespace {

constexpr std::uint16_t TypeOf(std::uint16_t message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

/// An address as 4 or 16 bytes.
class Address {
 public:
  explicit Address(const Ip& ip) : ip_(ip), v4_(ip.is_v4()) {}
  bool v4() const { return v4_; }
  std::span<const std::byte> bytes() const {
    const auto all = std::as_bytes(std::span(ip_.octets));
    return v4_ ? all.subspan(12) : all;
  }

 private:
  Ip ip_;
  bool v4_;
};

void PutAddress(NetlinkWriter& writer, const Ip& ip, std::uint16_t v4_type, std::uint16_t v6_type) {
  const Address address(ip);
  writer.Put(address.v4() ? v4_type : v6_type, address.bytes());
}

bool HasPorts(std::uint8_t protocol) {
  switch (protocol) {
    case 6:    // TCP
    case 17:   // UDP
    case 33:   // DCCP
    case 47:   // GRE: its keys
    case 132:  // SCTP
    case 136:  // UDP-Lite
      return true;
    default:
      return false;
  }
}

void PutTuple(NetlinkWriter& writer, std::uint16_t type, const CtTuple& tuple) {
  const std::size_t whole = writer.BeginNest(type);
  const std::size_t addresses = writer.BeginNest(CTA_TUPLE_IP);
  PutAddress(writer, tuple.src, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
  PutAddress(writer, tuple.dst, CTA_IP_V4_DST, CTA_IP_V6_DST);
  writer.EndNest(addresses);
  const std::size_t protocol = writer.BeginNest(CTA_TUPLE_PROTO);
  writer.PutU8(CTA_PROTO_NUM, tuple.protocol);
  if (tuple.is_icmp()) {
    const bool v4 = tuple.protocol == 1;
    writer.PutBe16(v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, tuple.sport);
    writer.PutU8(v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE,
                 static_cast<std::uint8_t>(tuple.dport >> 8));
    writer.PutU8(v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE,
                 static_cast<std::uint8_t>(tuple.dport));
  } else if (HasPorts(tuple.protocol)) {
    writer.PutBe16(CTA_PROTO_SRC_PORT, tuple.sport);
    writer.PutBe16(CTA_PROTO_DST_PORT, tuple.dport);
  }
  writer.EndNest(protocol);
  writer.EndNest(whole);
}

// One address and one port: min = max.
void PutNat(NetlinkWriter& writer, std::uint16_t type, const Ip& ip,
            std::optional<std::uint16_t> port) {
  const std::size_t nat = writer.BeginNest(type);
  PutAddress(writer, ip, CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP);
  PutAddress(writer, ip, CTA_NAT_V4_MAXIP, CTA_NAT_V6_MAXIP);
  if (port.has_value()) {
    const std::size_t ports = writer.BeginNest(CTA_NAT_PROTO);
    writer.PutBe16(CTA_PROTONAT_PORT_MIN, *port);
    writer.PutBe16(CTA_PROTONAT_PORT_MAX, *port);
    writer.EndNest(ports);
  }
  writer.EndNest(nat);
}

// Both halves, also where nothing is translated: a half that is left to the kernel gets another
// port when the tuple is taken, silently, and the connection dies. Said exactly, it is refused
// (EEXIST).
void PutTranslation(NetlinkWriter& writer, const CtEntry& entry) {
  const bool ports = HasPorts(entry.orig.protocol);
  // An identifier stands as source port in both directions, and belongs to the initiator.
  const bool icmp = entry.orig.is_icmp();
  PutNat(writer, CTA_NAT_SRC, entry.reply.dst,
         icmp    ? std::optional(entry.reply.sport)
         : ports ? std::optional(entry.reply.dport)
                 : std::nullopt);
  PutNat(writer, CTA_NAT_DST, entry.reply.src,
         ports ? std::optional(entry.reply.sport) : std::nullopt);
}

void PutTcpFlags(NetlinkWriter& writer, std::uint16_t type, std::uint8_t flags) {
  const std::byte both[2] = {std::byte{flags}, std::byte{flags}};  // struct nf_ct_tcp_flags
  writer.Put(type, both);
}

void PutProtocolState(NetlinkWriter& writer, const CtEntry& entry) {
  const std::size_t nest = writer.BeginNest(CTA_PROTOINFO);
  if (entry.orig.protocol == 6) {
    const std::size_t tcp = writer.BeginNest(CTA_PROTOINFO_TCP);
    writer.PutU8(CTA_PROTOINFO_TCP_STATE, entry.protocol_state);
    writer.PutU8(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, entry.tcp_orig.window_scale);
    writer.PutU8(CTA_PROTOINFO_TCP_WSCALE_REPLY, entry.tcp_reply.window_scale);
    PutTcpFlags(writer, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, entry.tcp_orig.flags);
    PutTcpFlags(writer, CTA_PROTOINFO_TCP_FLAGS_REPLY, entry.tcp_reply.flags);
    writer.EndNest(tcp);
  } else if (entry.orig.protocol == 132) {
    const std::size_t sctp = writer.BeginNest(CTA_PROTOINFO_SCTP);
    writer.PutU8(CTA_PROTOINFO_SCTP_STATE, entry.protocol_state);
    writer.PutBe32(CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, entry.sctp_tag_orig);
    writer.PutBe32(CTA_PROTOINFO_SCTP_VTAG_REPLY, entry.sctp_tag_reply);
    writer.EndNest(sctp);
  }
  writer.EndNest(nest);
}

void PutScalars(NetlinkWriter& writer, const CtEntry& entry, std::uint32_t what) {
  if ((what & kCtStatus) != 0) {
    writer.PutBe32(CTA_STATUS, entry.status);
  }
  if ((what & kCtTimeout) != 0) {
    writer.PutBe32(CTA_TIMEOUT, entry.timeout);
  }
  if ((what & kCtMark) != 0) {
    writer.PutBe32(CTA_MARK, entry.mark);
  }
  if ((what & kCtProtocolState) != 0 && (entry.orig.protocol == 6 || entry.orig.protocol == 132)) {
    PutProtocolState(writer, entry);
  }
}

void PutZone(NetlinkWriter& writer, std::uint16_t zone) {
  if (zone != 0) {
    writer.PutBe16(CTA_ZONE, zone);
  }
}

void BeginRequest(NetlinkWriter& writer, std::uint16_t message, std::uint16_t flags,
                  std::uint32_t sequence, std::uint8_t family) {
  writer.Begin(TypeOf(message), static_cast<std::uint16_t>(NLM_F_REQUEST | flags), sequence);
  AppendNfnetlinkHeader(writer, {.family = family, .resource = 0});
}

std::uint8_t FamilyOf(const CtTuple& tuple) {
  return tuple.src.is_v4() ? AF_INET : AF_INET6;
}

}  // namespace

CtTuple CtTuple::Inverse() const {
  CtTuple inverse{.src = dst, .dst = src, .sport = dport, .dport = sport, .protocol = protocol};
  if (!is_icmp()) {
    return inverse;
  }
  // The kernel's own table of questions and answers (invmap of nf_conntrack_proto_icmp[v6].c); what
  // is in no pair stands for itself.
  const auto type = static_cast<std::uint8_t>(dport >> 8);
  std::uint8_t answer = type;
  if (protocol == 1) {
    constexpr std::uint8_t kPairs[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}};
    for (const auto& pair : kPairs) {
      answer = type == pair[0] ? pair[1] : type == pair[1] ? pair[0] : answer;
    }
  } else {
    constexpr std::uint8_t kPairs[][2] = {{128, 129}, {139, 140}};
    for (const auto& pair : kPairs) {
      answer = type == pair[0] ? pair[1] : type == pair[1] ? pair[0] : answer;
    }
  }
  inverse.sport = sport;
  inverse.dport = static_cast<std::uint16_t>(answer << 8 | (dport & 0xff));
  return inverse;
}

std::uint8_t CtEntry::family() const {
  return FamilyOf(orig);
}

void AppendCtCreate(NetlinkWriter& writer, const CtEntry& entry, std::uint32_t sequence,
                    std::uint16_t flags) {
  BeginRequest(writer, IPCTNL_MSG_CT_NEW,
               static_cast<std::uint16_t>(NLM_F_CREATE | NLM_F_EXCL | flags), sequence,
               entry.family());
  PutTuple(writer, CTA_TUPLE_ORIG, entry.orig);
  PutTuple(writer, CTA_TUPLE_REPLY, entry.orig.Inverse());
  PutZone(writer, entry.zone);
  PutScalars(writer, entry, entry.present);
  PutTranslation(writer, entry);
  writer.End();
}

void AppendCtUpdate(NetlinkWriter& writer, const CtEntry& entry, std::uint32_t what,
                    std::uint32_t sequence, std::uint16_t flags) {
  BeginRequest(writer, IPCTNL_MSG_CT_NEW, static_cast<std::uint16_t>(NLM_F_REPLACE | flags),
               sequence, entry.family());
  PutTuple(writer, CTA_TUPLE_ORIG, entry.orig);
  PutZone(writer, entry.zone);
  PutScalars(writer, entry, what & entry.present);
  writer.End();
}

void AppendCtDelete(NetlinkWriter& writer, const CtTuple& orig, std::uint16_t zone,
                    std::optional<std::uint32_t> id, std::uint32_t sequence, std::uint16_t flags) {
  BeginRequest(writer, IPCTNL_MSG_CT_DELETE, flags, sequence, FamilyOf(orig));
  PutTuple(writer, CTA_TUPLE_ORIG, orig);
  PutZone(writer, zone);
  if (id.has_value()) {
    writer.PutBe32(CTA_ID, *id);
  }
  writer.End();
}

void AppendCtGet(NetlinkWriter& writer, CtHalf half, const CtTuple& tuple, std::uint16_t zone,
                 std::uint32_t sequence) {
  BeginRequest(writer, IPCTNL_MSG_CT_GET, 0, sequence, FamilyOf(tuple));
  PutTuple(writer, half == CtHalf::kOrig ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY, tuple);
  PutZone(writer, zone);
  writer.End();
}

void AppendCtDump(NetlinkWriter& writer, std::uint32_t sequence, CtMarkFilter filter) {
  BeginRequest(writer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, sequence, AF_UNSPEC);
  if (filter.mask != 0) {
    writer.PutBe32(CTA_MARK, filter.value);
    writer.PutBe32(CTA_MARK_MASK, filter.mask);
  }
  writer.End();
}

void AppendCtMessage(NetlinkWriter& writer, const CtMessage& message) {
  const CtEntry& entry = message.entry;
  const bool destroy = message.kind == CtKind::kDestroy;
  const bool made = message.kind == CtKind::kNew && message.sequence == 0;
  const auto flags = static_cast<std::uint16_t>((made ? NLM_F_CREATE | NLM_F_EXCL : 0) |
                                                (message.dumped ? NLM_F_MULTI : 0));
  writer.BeginFrom(TypeOf(destroy ? IPCTNL_MSG_CT_DELETE : IPCTNL_MSG_CT_NEW), flags,
                   message.sequence, message.port_id);
  AppendNfnetlinkHeader(writer, {.family = entry.family(), .resource = 0});
  PutTuple(writer, CTA_TUPLE_ORIG, entry.orig);
  if (entry.has(kCtReply)) {
    PutTuple(writer, CTA_TUPLE_REPLY, entry.reply);
  }
  PutZone(writer, entry.zone);
  if (entry.has(kCtId)) {
    writer.PutBe32(CTA_ID, entry.id);
  }
  PutScalars(writer, entry, entry.present);
  if (entry.has(kCtHelper)) {
    writer.EndNest(writer.BeginNest(CTA_HELP));
  }
  if (entry.has(kCtMaster)) {
    PutTuple(writer, CTA_TUPLE_MASTER, entry.orig);
  }
  if (entry.has(kCtSequenceAdjustment)) {
    writer.EndNest(writer.BeginNest(CTA_SEQ_ADJ_ORIG));
  }
  if (entry.has(kCtSynproxy)) {
    const std::size_t proxy = writer.BeginNest(CTA_SYNPROXY);
    writer.PutBe32(CTA_SYNPROXY_ISN, 1);
    writer.EndNest(proxy);
  }
  writer.End();
}

}  // namespace mimi
