#ifndef MIMI_SRC_WIRE_NFLOG_H_
#define MIMI_SRC_WIRE_NFLOG_H_

// Packets that netfilter rules log to a group, as netlink carries them, and how to ask for them
// (linux/netfilter/nfnetlink_log.h).
//
//   AppendNflogBind(writer, {.group = 1}, sequence);          // answered by acknowledgements
//   NflogPacket packet;
//   if (ParseNflogPacket(message, &packet) == NflogRefusal::kNone) { … packet.payload … }
//
// Threads: functions without state. Lifetime: a packet is a view of the message.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "src/wire/netlink.h"

namespace mimi {

struct NflogPacket {
  std::uint16_t group = 0;
  std::optional<std::uint32_t> sequence;  ///< within the group: a gap is loss
  std::span<const std::byte> payload;     ///< from the IP header on, cut at the copy range
};

enum class NflogRefusal : std::uint8_t {
  kNone,
  kNotNflog,
  kTruncated,     ///< an attribute leaves its container, or the fixed part is short
  kBadAttribute,  ///< a size that is not its type's
  kNoPayload,
};
inline constexpr std::size_t kNflogRefusals = 5;
std::string_view NflogRefusalName(NflogRefusal refusal);

NflogRefusal ParseNflogPacket(const NetlinkMessage& message, NflogPacket* packet);

struct NflogGroup {
  std::uint16_t group = 0;
  std::uint32_t copy_range = 64;          ///< bytes of each packet
  std::uint32_t threshold = 200;          ///< packets that make a batch
  std::uint32_t flush = 1;                ///< hundredths of a second until a smaller batch is sent
  std::uint32_t buffer_size = 64 * 1024;  ///< of a batch, in the kernel
};
/// Messages of a bind, each with NLM_F_ACK; `sequence` is the first one's.
inline constexpr std::uint32_t kNflogBindMessages = 3;
void AppendNflogBind(NetlinkWriter& writer, const NflogGroup& group, std::uint32_t sequence);

/// What the kernel would send. For tests and fuzzers.
void AppendNflogPacket(NetlinkWriter& writer, const NflogPacket& packet);

}  // namespace mimi

#endif  // MIMI_SRC_WIRE_NFLOG_H_
