#ifndef MIMI_SRC_WIRE_NETLINK_H_
#define MIMI_SRC_WIRE_NETLINK_H_

// Netlink messages and attributes (RFC 3549 section 2.3, linux/netlink.h): reading without leaving
// the bytes, and writing many messages into one buffer.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +---------------------------------------------------------------+
//  |                            Length                             |   host byte order
//  +-------------------------------+-------------------------------+
//  |            Type               |            Flags              |
//  +-------------------------------+-------------------------------+
//  |                        Sequence number                        |
//  +---------------------------------------------------------------+
//  |                            Port id                            |
//  +---------------------------------------------------------------+
// then a payload of attributes {u16 length, u16 type, bytes}, each padded to 4 bytes.
//
//   NetlinkReader reader(datagram);
//   for (NetlinkMessage message; reader.Next(&message);) { … }
//   if (!reader.ok()) { … the rest is damaged … }
//
//   NetlinkWriter writer;
//   writer.Begin(type, flags, sequence);
//   writer.PutBe32(CTA_MARK, mark);
//   const std::size_t nest = writer.BeginNest(CTA_TUPLE_ORIG); …; writer.EndNest(nest);
//   writer.End();
//   socket.Send(writer.bytes());
//
// Threads: values; one at a time. Lifetime: readers and what they hand out are views of the bytes.

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/bytes.h"

namespace mimi {

inline constexpr std::size_t kNetlinkHeaderSize = 16;

constexpr std::size_t NetlinkAlign(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

struct NetlinkMessage {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  /// Whose request caused it; 0: the kernel by itself.
  std::uint32_t port_id = 0;
  std::span<const std::byte> payload;
};

/// The messages of one datagram.
class NetlinkReader {
 public:
  explicit NetlinkReader(std::span<const std::byte> datagram) : rest_(datagram) {}
  /// False at the end, and where the rest cannot be a message.
  bool Next(NetlinkMessage* message);
  /// No damage so far.
  bool ok() const { return ok_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

struct NetlinkAttribute {
  std::uint16_t type = 0;  ///< without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER
  std::span<const std::byte> payload;
};

/// The attributes of a payload, or of an attribute's payload.
class AttributeReader {
 public:
  explicit AttributeReader(std::span<const std::byte> payload) : rest_(payload) {}
  bool Next(NetlinkAttribute* attribute);
  bool ok() const { return ok_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

/// The kernel's answer to a request (NLMSG_ERROR; RFC 3549 section 2.3.2.2, extended ACK).
struct NetlinkError {
  int error = 0;               ///< a positive errno; 0: done
  std::uint32_t sequence = 0;  ///< of the request
  std::uint16_t type = 0;      ///< of the request
  std::string_view text;       ///< the kernel's own words (NLMSGERR_ATTR_MSG), mostly empty
};
/// False when `message` is none, or a damaged one. Also reads an NLMSG_DONE that carries an error.
bool ParseNetlinkError(const NetlinkMessage& message, NetlinkError* error);

/// Writes messages one behind the other into one buffer, for one system call.
class NetlinkWriter {
 public:
  /// The memory is kept from one batch to the next.
  explicit NetlinkWriter(std::size_t expected_size = 64 * 1024) : bytes_(expected_size) {}

  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }
  std::size_t size() const { return size_; }
  std::size_t messages() const { return messages_; }
  void Clear() {
    size_ = 0;
    messages_ = 0;
  }

  /// REQUIRES: End() of the one before.
  void Begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence) {
    BeginFrom(type, flags, sequence, 0);
  }
  /// As the kernel says whose request it answers. In requests the port id is 0.
  void BeginFrom(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                 std::uint32_t port_id);
  void End();
  /// Plain bytes of the payload, such as nfgenmsg.
  void Append(std::span<const std::byte> bytes);

  // Inline from here on: an entry has some thirty attributes, and there are half a million entries
  // in a second.
  void Put(std::uint16_t type, std::span<const std::byte> value) {
    std::copy(value.begin(), value.end(), PutHeader(type, value.size()));
  }
  void PutU8(std::uint16_t type, std::uint8_t value) { PutOf<std::endian::native>(type, value); }
  /// In host order, as rtnetlink has its numbers.
  void PutU32(std::uint16_t type, std::uint32_t value) { PutOf<std::endian::native>(type, value); }
  void PutBe16(std::uint16_t type, std::uint16_t value) { PutOf<std::endian::big>(type, value); }
  void PutBe32(std::uint16_t type, std::uint32_t value) { PutOf<std::endian::big>(type, value); }

  std::size_t BeginNest(std::uint16_t type) {
    constexpr std::uint16_t kNested = 1U << 15;  // NLA_F_NESTED
    const std::size_t nest = size_;
    PutHeader(type | kNested, 0);
    return nest;
  }
  void EndNest(std::size_t nest) {
    internal::Store<std::endian::native>(bytes_.data() + nest,
                                         static_cast<std::uint16_t>(size_ - nest));
  }

 private:
  template <std::endian kOrder, std::unsigned_integral U>
  void PutOf(std::uint16_t type, U value) {
    internal::Store<kOrder>(PutHeader(type, sizeof(U)), value);
  }
  /// Returns where the value goes.
  std::byte* PutHeader(std::uint16_t type, std::size_t value_size) {
    constexpr std::size_t kHeader = 4;
    std::byte* at = Extend(kHeader + value_size);
    internal::Store<std::endian::native>(at, static_cast<std::uint16_t>(kHeader + value_size));
    internal::Store<std::endian::native>(at + 2, type);
    return at + kHeader;
  }
  /// Only the padding is cleared.
  std::byte* Extend(std::size_t size) {
    const std::size_t end = size_ + NetlinkAlign(size);
    if (end > bytes_.size()) [[unlikely]] {
      bytes_.resize(2 * end);
    }
    std::byte* at = bytes_.data() + size_;
    for (std::size_t i = size_ + size; i < end; ++i) {
      bytes_[i] = std::byte{0};
    }
    size_ = end;
    return at;
  }

  std::vector<std::byte> bytes_;  // memory; the first size_ are written
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t messages_ = 0;
};

/// The fixed part in front of nfnetlink attributes (struct nfgenmsg).
struct NfnetlinkHeader {
  std::uint8_t family = 0;  ///< AF_INET, AF_INET6, AF_UNSPEC
  std::uint16_t resource = 0;
};
inline constexpr std::size_t kNfnetlinkHeaderSize = 4;
void AppendNfnetlinkHeader(NetlinkWriter& writer, const NfnetlinkHeader& header);
/// Splits a payload. False when it is too short.
bool ReadNfnetlinkHeader(std::span<const std::byte> payload, NfnetlinkHeader* header,
                         std::span<const std::byte>* attributes);

}  // namespace mimi

#endif  // MIMI_SRC_WIRE_NETLINK_H_
