#include "src/wire/nflog.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace mimi {
namespace {

constexpr std::uint16_t TypeOf(std::uint16_t message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_ULOG << 8 | message);
}

void BeginConfig(NetlinkWriter& writer, std::uint16_t group, std::uint32_t sequence) {
  writer.Begin(TypeOf(NFULNL_MSG_CONFIG), NLM_F_REQUEST | NLM_F_ACK, sequence);
  AppendNfnetlinkHeader(writer, {.family = AF_UNSPEC, .resource = group});
}

}  // namespace

std::string_view NflogRefusalName(NflogRefusal refusal) {
  constexpr std::array<std::string_view, kNflogRefusals> kNames = {"none", "not_nflog", "truncated",
                                                                   "bad_attribute", "no_payload"};
  return kNames[std::min<std::size_t>(static_cast<std::size_t>(refusal), kNflogRefusals - 1)];
}

NflogRefusal ParseNflogPacket(const NetlinkMessage& message, NflogPacket* packet) {
  *packet = NflogPacket();
  if (message.type != TypeOf(NFULNL_MSG_PACKET)) {
    return NflogRefusal::kNotNflog;
  }
  NfnetlinkHeader header;
  std::span<const std::byte> attributes;
  if (!ReadNfnetlinkHeader(message.payload, &header, &attributes)) {
    return NflogRefusal::kTruncated;
  }
  packet->group = header.resource;
  AttributeReader reader(attributes);
  for (NetlinkAttribute attribute; reader.Next(&attribute);) {
    if (attribute.type == NFULA_PAYLOAD) {
      packet->payload = attribute.payload;
    } else if (attribute.type == NFULA_SEQ) {
      if (attribute.payload.size() != 4) {
        return NflogRefusal::kBadAttribute;
      }
      packet->sequence = LoadBe<std::uint32_t>(attribute.payload.data());
    }
  }
  if (!reader.ok()) {
    return NflogRefusal::kTruncated;
  }
  return packet->payload.empty() ? NflogRefusal::kNoPayload : NflogRefusal::kNone;
}

void AppendNflogBind(NetlinkWriter& writer, const NflogGroup& group, std::uint32_t sequence) {
  BeginConfig(writer, group.group, sequence);
  writer.PutU8(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND);
  writer.End();
  BeginConfig(writer, group.group, sequence + 1);
  // struct nfulnl_msg_config_mode {be32 copy_range; u8 copy_mode; u8 pad}, packed
  std::byte mode[6] = {};
  StoreBe(mode, group.copy_range);
  mode[4] = std::byte{NFULNL_COPY_PACKET};
  writer.Put(NFULA_CFG_MODE, mode);
  writer.End();
  BeginConfig(writer, group.group, sequence + 2);
  writer.PutBe32(NFULA_CFG_NLBUFSIZ, group.buffer_size);
  writer.PutBe32(NFULA_CFG_TIMEOUT, group.flush);
  writer.PutBe32(NFULA_CFG_QTHRESH, group.threshold);
  writer.PutBe16(NFULA_CFG_FLAGS, NFULNL_CFG_F_SEQ);
  writer.End();
}

void AppendNflogPacket(NetlinkWriter& writer, const NflogPacket& packet) {
  writer.Begin(TypeOf(NFULNL_MSG_PACKET), NLM_F_MULTI, 0);
  AppendNfnetlinkHeader(writer, {.family = AF_INET, .resource = packet.group});
  writer.Put(NFULA_PAYLOAD, packet.payload);
  if (packet.sequence.has_value()) {
    writer.PutBe32(NFULA_SEQ, *packet.sequence);
  }
  writer.End();
}

}  // namespace mimi
