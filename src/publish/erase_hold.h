#ifndef MIMI_SRC_PUBLISH_ERASE_HOLD_H_
#define MIMI_SRC_PUBLISH_ERASE_HOLD_H_

// EraseHold: erases that may be the death of the box and not the end of their flows.
//
// A box that goes down loudly (a link down inside it, a reboot, a rule reload) emits an end for
// every flow, just when the minion needs them. So an erase that did not end by the protocol, and
// any erase once there were many within a moment, waits for `linger`; what is still here when the
// term changes or liveness goes down is dropped. (Ends that were seen in packets do not come here:
// Coverage::ends_in_packets.) The part of a burst that came before it was
// recognised as one
// (`burst_share` of the rows, at least `burst_min`) has gone: holding every erase back until the
// next moment is over would delay each ordinary one.
//
// Sans I/O: times come in as arguments.
//
// Threads: one at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

#include "mimi/publisher.h"
#include "mimi/record.h"
#include "mimi/types.h"

namespace mimi {

class EraseHold {
 public:
  enum class Verdict { kPass, kHeld, kFull };

  EraseHold(const PublisherOptions& options, std::size_t max);

  void set_rows(std::size_t rows) { rows_ = rows; }

  // An erase of `key` (kErase or kEraseAbrupt) has come. kPass: send it. kFull: it is neither held
  // nor to be sent: lost.
  Verdict Erase(std::span<const std::byte> key, Op op, MonotonicTime now);
  // The key lives: forget its erase. Returns whether there was one.
  bool Cancel(std::span<const std::byte> key);
  // The oldest erase that has waited long enough; empty when none has. Valid until the next call.
  std::span<const std::byte> Release(MonotonicTime now);
  // Forgets all. Returns how many.
  std::size_t Drop();

  bool Holds(std::span<const std::byte> key) const;

  bool empty() const { return held_.empty(); }
  std::size_t size() const { return held_.size(); }

 private:
  static constexpr std::size_t kBuckets = 10;
  struct Waiting {
    MonotonicTime until;
    std::uint64_t number;
    std::string key;
  };

  bool Burst(MonotonicTime now);
  static std::string_view Text(std::span<const std::byte> key) {
    return {reinterpret_cast<const char*>(key.data()), key.size()};
  }

  Duration linger_;
  Duration bucket_;
  double burst_share_;
  std::size_t burst_min_;
  std::size_t max_;
  std::size_t rows_ = 0;

  // Erases in the last kBuckets stretches of time; bucket_number_ is the newest.
  std::array<std::size_t, kBuckets> counts_{};
  std::int64_t bucket_number_ = 0;
  std::size_t recent_ = 0;

  // A key is held by the number in the map; entries of the queue with another number are cancelled.
  absl::flat_hash_map<std::string, std::uint64_t> held_;
  std::deque<Waiting> queue_;
  std::uint64_t next_number_ = 0;
  std::string released_;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_ERASE_HOLD_H_
