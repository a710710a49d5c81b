#ifndef MIMI_BUILTIN_NFLOG_DRIVER_H_
#define MIMI_BUILTIN_NFLOG_DRIVER_H_

/// \file
/// Packets that a Linux box's own rules log to netlink (NFLOG) as a source of state, as rows of
/// FlowSchema().
///
/// For boxes whose connection tracking cannot be listened to, but whose rules can be extended: at
/// one point where no address is translated, or at two, before and after translation, whose packets
/// are joined (by sequence numbers, IP identification, payload: what translation leaves alone).
///
///     auto driver = NewNflogDriver({.group = 1, .translated_group = 2}, *loop);
///
///     table inet flows {
///       chain as_sent {                                   # after conntrack, before destination NAT
///         type filter hook prerouting priority -140;
///         ct direction reply return
///         tcp flags & (fin | rst) != 0x0 log group 1 snaplen 64 return
///         ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 log group 1 snaplen 64
///       }
///       chain translated {                                    # after source NAT
///         type filter hook postrouting priority 110;
///         ct direction reply return
///         tcp flags & (fin | rst) != 0x0 return
///         ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 goto logged
///       }
///       chain logged {
///         log group 2 snaplen 64
///         ct mark set ct mark or 0x20000000
///       }
///     }
///
/// These log each flow once, when it is assured, and TCP's end. What the driver makes of a
/// packet, whichever rules log it: one with FIN or RST ends its flow (first group only); any other
/// is a flow, also a lone SYN: rules that log SYNs let a flood make rows. Log packets of the
/// original direction only: an answer cannot be told from a question. UDP may be logged again from
/// time to time to keep it alive.
///
/// What it cannot know (coverage()): ends that no packet tells, so rows age out by
/// `tcp_idle_timeout` and `idle_timeout`, counted from the last packet that was logged; TCP's
/// window scales; connection marks. What was live before cannot be walked, and a loss (gaps in the
/// kernel's numbers, counted exactly) not be repaired.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives the driver.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

struct NflogDriverOptions {
  /// Where the box is: a name under /run/netns, an absolute path, or empty for the process's own.
  std::string network_namespace{};
  /// The group of packets as their initiator sends them.
  std::uint16_t group = 1;
  /// The group of the same packets after translation. None: nothing is translated.
  std::optional<std::uint16_t> translated_group{};
  /// How long one half waits for the other, and how many do; beyond it the oldest is forgotten.
  Duration join_within = std::chrono::seconds(2);
  std::size_t max_waiting = 65536;
  /// What rows say of how long they may stay silent (Flow::idle_timeout).
  Duration tcp_idle_timeout = std::chrono::hours(24);
  Duration idle_timeout = std::chrono::minutes(3);
  /// The kernel sends a batch after so many packets, or this time (in steps of 10 ms).
  std::uint32_t threshold = 200;
  Duration flush = std::chrono::milliseconds(10);
  std::size_t receive_buffer = std::size_t{32} << 20;
  LogCallback log{};
};

/// Start() answers FailedPrecondition (rights; another program has the group: EBUSY).
/// Errors: InvalidArgument (an option), NotFound (no such namespace).
absl::StatusOr<std::unique_ptr<Driver>> NewNflogDriver(NflogDriverOptions options, Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_NFLOG_DRIVER_H_
