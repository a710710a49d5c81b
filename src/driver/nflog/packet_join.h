#ifndef MIMI_SRC_DRIVER_NFLOG_PACKET_JOIN_H_
#define MIMI_SRC_DRIVER_NFLOG_PACKET_JOIN_H_

// PacketJoin: the same packet logged before and after its translation, put together to a flow.
//
//   if (std::optional<Flow> flow = join.Add(LogPoint::kBefore, packet, now)) { … both have come … }
//
// Which two belong together: equal fingerprints (ip_packet.h). What waits for its other half is
// bounded, and forgotten after a while. Two packets of one point with one fingerprint and different
// tuples cannot be told apart: neither is joined.
//
// Sans I/O. Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/container/flat_hash_map.h"

#include "mimi/flow.h"

#include "src/wire/ip_packet.h"

namespace mimi::internal {

enum class LogPoint : std::uint8_t {
  kBefore,  ///< as the initiator sends it
  kAfter,   ///< as the responder gets it
};

/// What the two say of their flow; its time-outs are the caller's.
Flow FlowFromPackets(const IpPacket& before, const IpPacket& after);

class PacketJoin {
 public:
  struct Counts {
    std::uint64_t joined = 0;
    std::uint64_t repeated = 0;   ///< seen at the same point before
    std::uint64_t ambiguous = 0;  ///< two packets with one fingerprint
    std::uint64_t alone = 0;      ///< the other half did not come in time
    std::uint64_t crowded = 0;    ///< forgotten before its time: too many wait
  };

  PacketJoin(Duration within, std::size_t max_waiting)
      : within_(within), max_waiting_(max_waiting) {}

  std::optional<Flow> Add(LogPoint point, const IpPacket& packet, MonotonicTime now);
  /// Forgets what has waited too long.
  void Expire(MonotonicTime now);

  const Counts& counts() const { return counts_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Half {
    LogPoint point = LogPoint::kBefore;
    bool spoilt = false;
    IpPacket packet;
    std::uint64_t number = 0;
  };
  struct Age {
    MonotonicTime until;
    std::uint64_t fingerprint;
    std::uint64_t number;
  };
  void ForgetOldest();

  Duration within_;
  std::size_t max_waiting_;
  absl::flat_hash_map<std::uint64_t, Half> waiting_;
  std::deque<Age> ages_;  // of halves, and of some that have been joined since
  std::uint64_t next_number_ = 0;
  Counts counts_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_NFLOG_PACKET_JOIN_H_
