#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "src/wire/ctnetlink.h"

namespace mimi {
namespace {

// What can be wrong is kept, and looked at once: no attribute is used before its size was checked.
class Parser {
 public:
  explicit Parser(CtEntry* entry) : entry_(*entry) {}

  CtRefusal Entry(std::span<const std::byte> attributes);

 private:
  using Bytes = std::span<const std::byte>;

  template <class U>
  void Be(Bytes payload, U* value) {
    if (payload.size() != sizeof(U)) {
      Refuse(CtRefusal::kBadAttribute);
      return;
    }
    *value = LoadBe<U>(payload.data());
  }
  template <class U>
  void Be(Bytes payload, U* value, CtPresent bit) {
    Be(payload, value);
    entry_.present |= bit;
  }
  void U8(Bytes payload, std::uint8_t* value) {
    if (payload.empty()) {
      Refuse(CtRefusal::kBadAttribute);
      return;
    }
    *value = std::to_integer<std::uint8_t>(payload[0]);
  }
  template <class Visit>
  void Each(Bytes payload, Visit visit) {
    AttributeReader reader(payload);
    for (NetlinkAttribute attribute; reader.Next(&attribute);) {
      visit(attribute.type, attribute.payload);
    }
    if (!reader.ok()) {
      Refuse(CtRefusal::kTruncated);
    }
  }
  void Refuse(CtRefusal why) { refusal_ = refusal_ == CtRefusal::kNone ? why : refusal_; }

  void Top(std::uint16_t type, Bytes payload);
  void Tuple(Bytes payload, CtTuple* tuple, CtPresent bit);
  void Addresses(Bytes payload, CtTuple* tuple);
  void Ports(Bytes payload, CtTuple* tuple);
  void ProtocolState(Bytes payload);
  void Synproxy(Bytes payload);
  void TcpState(Bytes payload);
  void SctpState(Bytes payload);

  CtEntry& entry_;
  CtRefusal refusal_ = CtRefusal::kNone;
};

void Parser::Addresses(Bytes payload, CtTuple* tuple) {
  Each(payload, [&](std::uint16_t type, Bytes address) {
    Ip* ip = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC ? &tuple->src : &tuple->dst;
    if ((type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST) && address.size() == 4) {
      Ipv4 v4;
      std::memcpy(v4.octets.data(), address.data(), 4);
      *ip = v4;
    } else if ((type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST) && address.size() == 16) {
      std::memcpy(ip->octets.data(), address.data(), 16);
    } else {
      Refuse(CtRefusal::kUnknownProtocol);
    }
  });
}

void Parser::Ports(Bytes payload, CtTuple* tuple) {
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  Each(payload, [&](std::uint16_t type, Bytes value) {
    switch (type) {
      case CTA_PROTO_NUM:
        U8(value, &tuple->protocol);
        break;
      case CTA_PROTO_SRC_PORT:
      case CTA_PROTO_ICMP_ID:
      case CTA_PROTO_ICMPV6_ID:
        Be(value, &tuple->sport);
        break;
      case CTA_PROTO_DST_PORT:
        Be(value, &tuple->dport);
        break;
      case CTA_PROTO_ICMP_TYPE:
      case CTA_PROTO_ICMPV6_TYPE:
        U8(value, &icmp_type);
        break;
      case CTA_PROTO_ICMP_CODE:
      case CTA_PROTO_ICMPV6_CODE:
        U8(value, &icmp_code);
        break;
      default:
        break;
    }
  });
  if (tuple->is_icmp()) {
    tuple->dport = static_cast<std::uint16_t>(icmp_type << 8 | icmp_code);
  }
}

void Parser::Tuple(Bytes payload, CtTuple* tuple, CtPresent bit) {
  bool addresses = false;
  Each(payload, [&](std::uint16_t type, Bytes part) {
    switch (type) {
      case CTA_TUPLE_IP:
        Addresses(part, tuple);
        addresses = true;
        break;
      case CTA_TUPLE_PROTO:
        Ports(part, tuple);
        break;
      case CTA_TUPLE_ZONE:
        Be(part, &entry_.zone, kCtDirectionZone);
        break;
      default:
        break;
    }
  });
  if (addresses) {
    entry_.present |= bit;
  }
}

void Parser::TcpState(Bytes payload) {
  // struct nf_ct_tcp_flags {flags, mask}
  Each(payload, [&](std::uint16_t type, Bytes value) {
    switch (type) {
      case CTA_PROTOINFO_TCP_STATE:
        U8(value, &entry_.protocol_state);
        entry_.present |= kCtProtocolState;
        break;
      case CTA_PROTOINFO_TCP_WSCALE_ORIGINAL:
        U8(value, &entry_.tcp_orig.window_scale);
        break;
      case CTA_PROTOINFO_TCP_WSCALE_REPLY:
        U8(value, &entry_.tcp_reply.window_scale);
        break;
      case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
        U8(value, &entry_.tcp_orig.flags);
        break;
      case CTA_PROTOINFO_TCP_FLAGS_REPLY:
        U8(value, &entry_.tcp_reply.flags);
        break;
      default:
        break;
    }
  });
}

void Parser::SctpState(Bytes payload) {
  Each(payload, [&](std::uint16_t type, Bytes value) {
    switch (type) {
      case CTA_PROTOINFO_SCTP_STATE:
        U8(value, &entry_.protocol_state);
        entry_.present |= kCtProtocolState;
        break;
      case CTA_PROTOINFO_SCTP_VTAG_ORIGINAL:
        Be(value, &entry_.sctp_tag_orig);
        break;
      case CTA_PROTOINFO_SCTP_VTAG_REPLY:
        Be(value, &entry_.sctp_tag_reply);
        break;
      default:
        break;
    }
  });
}

void Parser::ProtocolState(Bytes payload) {
  Each(payload, [&](std::uint16_t type, Bytes part) {
    if (type == CTA_PROTOINFO_TCP) {
      TcpState(part);
    } else if (type == CTA_PROTOINFO_SCTP) {
      SctpState(part);
    }
  });
}

// Each entry that was made by netlink has the extension; one that a proxy uses has numbers in it.
void Parser::Synproxy(Bytes payload) {
  Each(payload, [&](std::uint16_t, Bytes value) {
    if (std::any_of(value.begin(), value.end(), [](std::byte b) { return b != std::byte{0}; })) {
      entry_.present |= kCtSynproxy;
    }
  });
}

void Parser::Top(std::uint16_t type, Bytes payload) {
  switch (type) {
    case CTA_TUPLE_ORIG:
      return Tuple(payload, &entry_.orig, kCtOrig);
    case CTA_TUPLE_REPLY:
      return Tuple(payload, &entry_.reply, kCtReply);
    case CTA_STATUS:
      return Be(payload, &entry_.status, kCtStatus);
    case CTA_PROTOINFO:
      return ProtocolState(payload);
    case CTA_TIMEOUT:
      return Be(payload, &entry_.timeout, kCtTimeout);
    case CTA_MARK:
      return Be(payload, &entry_.mark, kCtMark);
    case CTA_ID:
      return Be(payload, &entry_.id, kCtId);
    case CTA_ZONE:
      return Be(payload, &entry_.zone);
    case CTA_HELP:
      entry_.present |= kCtHelper;
      return;
    case CTA_TUPLE_MASTER:
      entry_.present |= kCtMaster;
      return;
    case CTA_SEQ_ADJ_ORIG:
    case CTA_SEQ_ADJ_REPLY:
      entry_.present |= kCtSequenceAdjustment;
      return;
    case CTA_SYNPROXY:
      return Synproxy(payload);
    default:
      return;
  }
}

CtRefusal Parser::Entry(Bytes attributes) {
  Each(attributes, [&](std::uint16_t type, Bytes payload) { Top(type, payload); });
  if (refusal_ == CtRefusal::kNone && !entry_.has(kCtOrig)) {
    return CtRefusal::kNoTuple;
  }
  return refusal_;
}

}  // namespace

std::string_view CtRefusalName(CtRefusal refusal) {
  constexpr std::array<std::string_view, kCtRefusals> kNames = {
      "none", "not_conntrack", "truncated", "bad_attribute", "no_tuple", "unknown_protocol"};
  return kNames[std::min<std::size_t>(static_cast<std::size_t>(refusal), kCtRefusals - 1)];
}

CtRefusal ParseCtMessage(const NetlinkMessage& message, CtMessage* out) {
  if (message.type >> 8 != NFNL_SUBSYS_CTNETLINK) {
    return CtRefusal::kNotConntrack;
  }
  switch (message.type & 0xff) {
    case IPCTNL_MSG_CT_NEW:
      // What was made carries CREATE | EXCL; an answer to a get or a dump is also sent as new.
      out->kind = (message.flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 || message.sequence != 0
                      ? CtKind::kNew
                      : CtKind::kUpdate;
      break;
    case IPCTNL_MSG_CT_DELETE:
      out->kind = CtKind::kDestroy;
      break;
    default:
      return CtRefusal::kNotConntrack;
  }
  out->port_id = message.port_id;
  out->sequence = message.sequence;
  out->dumped = (message.flags & NLM_F_MULTI) != 0;
  out->entry = CtEntry{};
  NfnetlinkHeader header;
  std::span<const std::byte> attributes;
  if (!ReadNfnetlinkHeader(message.payload, &header, &attributes)) {
    return CtRefusal::kTruncated;
  }
  return Parser(&out->entry).Entry(attributes);
}

}  // namespace mimi
