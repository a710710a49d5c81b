#include "src/wire/netlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>

namespace mimi {
namespace {

constexpr std::endian kHost = std::endian::native;
constexpr std::size_t kAttributeHeaderSize = 4;
// NLA_TYPE_MASK as an unsigned number.
constexpr std::uint16_t kTypeMask = 0x3fff;

static_assert(NLMSG_HDRLEN == kNetlinkHeaderSize);
static_assert(NLA_F_NESTED == 1 << 15);
static_assert(sizeof(nfgenmsg) == kNfnetlinkHeaderSize);

template <class U>
U Host(const std::byte* from) {
  return internal::Load<kHost, U>(from);
}

}  // namespace

bool NetlinkReader::Next(NetlinkMessage* message) {
  if (rest_.empty()) {
    return false;
  }
  if (rest_.size() < kNetlinkHeaderSize) {
    ok_ = false;
    return false;
  }
  const auto length = Host<std::uint32_t>(rest_.data());
  if (length < kNetlinkHeaderSize || length > rest_.size()) {
    ok_ = false;
    return false;
  }
  message->type = Host<std::uint16_t>(rest_.data() + 4);
  message->flags = Host<std::uint16_t>(rest_.data() + 6);
  message->sequence = Host<std::uint32_t>(rest_.data() + 8);
  message->port_id = Host<std::uint32_t>(rest_.data() + 12);
  message->payload = rest_.subspan(kNetlinkHeaderSize, length - kNetlinkHeaderSize);
  rest_ = rest_.subspan(std::min(NetlinkAlign(length), rest_.size()));
  return true;
}

bool AttributeReader::Next(NetlinkAttribute* attribute) {
  if (rest_.empty()) {
    return false;
  }
  if (rest_.size() < kAttributeHeaderSize) {
    ok_ = false;
    return false;
  }
  const auto length = Host<std::uint16_t>(rest_.data());
  if (length < kAttributeHeaderSize || length > rest_.size()) {
    ok_ = false;
    return false;
  }
  attribute->type = Host<std::uint16_t>(rest_.data() + 2) & kTypeMask;
  attribute->payload = rest_.subspan(kAttributeHeaderSize, length - kAttributeHeaderSize);
  rest_ = rest_.subspan(std::min(NetlinkAlign(length), rest_.size()));
  return true;
}

bool ParseNetlinkError(const NetlinkMessage& message, NetlinkError* error) {
  if ((message.type != NLMSG_ERROR && message.type != NLMSG_DONE) || message.payload.size() < 4) {
    return false;
  }
  // NLMSG_DONE of a dump has the error number alone, and is about the request of its own sequence.
  std::size_t attributes_at = 4;
  *error = {.error = 0, .sequence = message.sequence, .type = 0, .text = {}};
  // Negative in the message. A positive number, or the one that has no positive twin, is no errno.
  const auto code = static_cast<std::int32_t>(Host<std::uint32_t>(message.payload.data()));
  if (code < -4095 || code > 0) {
    return message.type == NLMSG_DONE && code > 0;  // some dumps end with a count
  }
  error->error = -code;
  if (message.type == NLMSG_ERROR) {
    if (message.payload.size() < 4 + kNetlinkHeaderSize) {
      return false;
    }
    const std::byte* request = message.payload.data() + 4;
    error->type = Host<std::uint16_t>(request + 4);
    error->sequence = Host<std::uint32_t>(request + 8);
    // Without NLM_F_CAPPED the whole request stands before the attributes.
    const auto length = Host<std::uint32_t>(request);
    attributes_at += (message.flags & NLM_F_CAPPED) != 0
                         ? kNetlinkHeaderSize
                         : NetlinkAlign(std::max<std::size_t>(length, kNetlinkHeaderSize));
  }
  if ((message.flags & NLM_F_ACK_TLVS) != 0 && attributes_at < message.payload.size()) {
    AttributeReader attributes(message.payload.subspan(attributes_at));
    for (NetlinkAttribute attribute; attributes.Next(&attribute);) {
      if (attribute.type == NLMSGERR_ATTR_MSG) {
        const std::string_view text = AsText(attribute.payload);
        error->text = text.substr(0, std::min(text.find('\0'), text.size()));
      }
    }
  }
  return true;
}

void NetlinkWriter::BeginFrom(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                              std::uint32_t port_id) {
  begin_ = size_;
  std::byte* header = Extend(kNetlinkHeaderSize);
  internal::Store<kHost>(header + 4, type);
  internal::Store<kHost>(header + 6, flags);
  internal::Store<kHost>(header + 8, sequence);
  internal::Store<kHost>(header + 12, port_id);
}

void NetlinkWriter::End() {
  internal::Store<kHost>(bytes_.data() + begin_, static_cast<std::uint32_t>(size_ - begin_));
  ++messages_;
}

void NetlinkWriter::Append(std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), Extend(bytes.size()));
}

void AppendNfnetlinkHeader(NetlinkWriter& writer, const NfnetlinkHeader& header) {
  std::byte bytes[kNfnetlinkHeaderSize] = {std::byte{header.family}, std::byte{NFNETLINK_V0}};
  StoreBe(bytes + 2, header.resource);
  writer.Append(bytes);
}

bool ReadNfnetlinkHeader(std::span<const std::byte> payload, NfnetlinkHeader* header,
                         std::span<const std::byte>* attributes) {
  if (payload.size() < kNfnetlinkHeaderSize) {
    return false;
  }
  header->family = std::to_integer<std::uint8_t>(payload[0]);
  header->resource = LoadBe<std::uint16_t>(payload.data() + 2);
  *attributes = payload.subspan(kNfnetlinkHeaderSize);
  return true;
}

}  // namespace mimi
