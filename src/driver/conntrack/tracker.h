#ifndef MIMI_SRC_DRIVER_CONNTRACK_TRACKER_H_
#define MIMI_SRC_DRIVER_CONNTRACK_TRACKER_H_

// Tracker: from what the kernel says of its entries (events, and walks of its table) to puts and
// erases of rows.
//
//   tracker.OnEvent(message);                      // as they come
//   tracker.BeginWalk(WalkKind::kResync);
//   while (…) { tracker.OnWalked(entry); }         // events may come in between
//   tracker.EndWalk();
//   while (!tracker.Settle(1024)) {}               // what the walk has not shown is gone
//
// Which entry. Tuples are reused, and an end may come late, so an end counts only for the entry
// with the id that is known. (A successor in the same memory has the same id; but the kernel frees
// the memory after it has told the end, so the ends of both come in order.)
//
// Walks. Events win: what one has changed during a walk is not put again from what the walk shows,
// and what has ended during it is remembered until it is over. A check walk (kCheck) publishes
// nothing but the ends of entries that make no events.
//
// Sans I/O. Threads: one at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mimi/flow.h"
#include "mimi/record.h"

#include "src/driver/conntrack/flow_index.h"
#include "src/wire/ctnetlink.h"
#include "src/wire/row_filter.h"

namespace mimi::internal {

class TrackerOutput {
 public:
  virtual ~TrackerOutput() = default;
  virtual void Put(std::span<const std::byte> row) = 0;
  virtual void Erase(std::span<const std::byte> key, Op op) = 0;
};

struct TrackerOptions {
  std::uint32_t closing_mark = 0;
  bool unanswered = false;
  std::vector<std::uint32_t> echo_ports{};
  std::uint64_t seed = 1;
};

struct TrackerCounts {
  std::uint64_t begun = 0;            ///< flows that became rows by an event
  std::uint64_t changed = 0;          ///< events that changed a row
  std::uint64_t ended = 0;            ///< by the protocol
  std::uint64_t ended_abruptly = 0;   ///< they just vanished
  std::uint64_t ended_elsewhere = 0;  ///< of flows that this driver has not published
  std::uint64_t found_gone = 0;       ///< without an event: a check walk missed them
  std::uint64_t late = 0;             ///< ends of a predecessor
  std::uint64_t echoes = 0;           ///< caused by a minion, or another program
  std::uint64_t not_rows = 0;         ///< events of what cannot be a row
  std::uint64_t not_portable = 0;     ///< events of flows that are tied to this box
  std::uint64_t out_of_memory = 0;
};

enum class WalkKind : std::uint8_t { kResync, kCheck };

class Tracker {
 public:
  Tracker(TrackerOptions options, TrackerOutput& output)
      : options_(std::move(options)), output_(output), index_(options_.seed) {}

  void set_local(LocalAddresses local) { filter_.set_local(std::move(local)); }
  /// Seconds: StandbyAbove().
  void set_standby_above(std::uint32_t seconds) { standby_above_ = seconds; }

  void OnEvent(const CtMessage& message);

  void BeginWalk(WalkKind kind);
  void OnWalked(const CtEntry& entry);
  /// The walk has shown everything.
  void EndWalk();
  /// The walk was broken off: it means nothing.
  void GiveUpWalk() { walking_ = false; }
  /// After EndWalk(): looks at up to `budget` flows for what is gone. True: that was all.
  bool Settle(std::size_t budget);

  std::size_t rows() const { return index_.size() - ended_; }
  /// Flows that may make no event when they end.
  std::size_t unheard() const { return unheard_; }
  /// As the last whole walk showed them.
  std::size_t standby() const { return standby_; }
  std::size_t tied() const { return tied_; }
  const TrackerCounts& counts() const { return counts_; }
  std::size_t memory_bytes() const { return index_.memory_bytes(); }

 private:
  using Known = FlowIndex::Known;
  using Key = std::array<std::byte, FlowIndex::kKeySize>;
  using Row = std::array<std::byte, 128>;

  bool Echo(std::uint32_t port_id) const;
  bool Closed(const CtEntry& entry) const;
  bool IsRow(const CtEntry& entry) const;
  void OnChange(const CtEntry& entry);
  void OnClosing(const CtEntry& entry);
  void OnDestroy(const CtMessage& message);
  void OnMark(const CtEntry& entry);
  void Learn(const Flow& flow, const CtEntry& entry, bool heard);
  void Remember(Known& known, const CtEntry& entry, bool heard);
  Known* FindSame(const Key& key, const CtEntry& entry, bool* late);
  void Drop(Known& known);
  void Forget(Known& known);
  void SetHeard(Known& known, bool heard);
  Key KeyOf(const CtEntry& entry) const;
  void Put(const Flow& flow);

  TrackerOptions options_;
  TrackerOutput& output_;
  RowFilter filter_;
  std::uint32_t standby_above_ = ~std::uint32_t{0};
  FlowIndex index_;
  std::size_t ended_ = 0;
  std::size_t unheard_ = 0;

  bool walking_ = false;
  WalkKind kind_ = WalkKind::kResync;
  std::uint32_t round_ = 0;
  std::uint32_t settle_at_ = 0;
  std::size_t standby_ = 0;
  std::size_t tied_ = 0;
  std::size_t standby_now_ = 0;
  std::size_t tied_now_ = 0;
  TrackerCounts counts_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_CONNTRACK_TRACKER_H_
