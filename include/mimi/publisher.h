#ifndef MIMI_PUBLISHER_H_
#define MIMI_PUBLISHER_H_

/// \file
/// Publisher: from your packet threads' lanes into a sink, sealed, in order, and again until it is
/// confirmed.
///
/// An Engine has a publisher for each table that it writes; this header is for those who link the
/// writing half alone, and for the options that both share.
///
///     auto publisher = *NewPublisher(schema, OriginOf("edge1"), *sink, SystemClock(), {});
///     Lane* lane = *publisher->OpenLane();         // lane.h: for a packet thread
///     publisher->SetTerm(claimed.term);            // store.h: Claim; until then nothing is sent
///     while (running) {
///       publisher->Tick(clock.now());              // drains, seals, sends, sends again
///       SleepUntil(publisher->NextDeadline());     // 200 µs while records come, 10 ms when quiet
///     }
///
/// While the sink keeps up, records go straight from ring to batch. While it is behind, what waits
/// is one entry per key, the newest, at most `max_pending` of them. Beyond that new keys are
/// refused: counted as lost, and repaired by a resync.
///
/// The sink sees a resync as two marks in the stream (kBatchResyncBegin, kBatchResyncEnd) with
/// every live row between them. Rows that were not among them have to be erased then; with
/// PublisherOptions::sweep the publisher finds and erases them itself, else the sink's owner does
/// (Engine: its pipeline), or nobody needs to (a sink that keeps no rows).
///
/// Threads: the loop thread only, but for the lanes.
/// Lifetime: the sink, the clock and the swept store outlive the publisher. Lanes may outlive it
/// (lane.h). Destroying it sends nothing more; to hand over what is left, Tick until
/// stats().idle().

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/lane.h"
#include "mimi/loop.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/sink.h"
#include "mimi/types.h"

namespace mimi {

class StateStore;

struct PublisherOptions {
  /// Slots of each lane's ring, rounded up to a power of two; a slot is a row and up to 8 bytes.
  /// The memory is touched at OpenLane, never later. The default takes 26 ms of 5M Puts/s in while
  /// the loop is held up.
  std::size_t ring_slots = std::size_t{1} << 17;
  /// The producer wakes the loop by an eventfd when its ring goes from idle to non-empty: a system
  /// call then, and a full memory barrier per record, for a latency below the idle drain interval.
  bool wake = false;

  /// Largest sealed batch, in bytes, header and checksum included.
  std::size_t batch_size = std::size_t{64} * 1024;
  /// Sealed batches that may be unconfirmed. More hides a longer round trip (16 × 64 KiB at 10 ms:
  /// 100 MB/s); fewer coalesces better and has less to send again.
  std::size_t window = 16;
  /// Entries that may wait unsealed, one per key: a row and about 40 bytes each, taken as needed.
  std::size_t max_pending = 1'000'000;

  /// The drain's cadence while records come or anything is unconfirmed; after `idle_after` without,
  /// the interval doubles up to `drain_idle`.
  Duration drain_every = std::chrono::microseconds(200);
  Duration idle_after = std::chrono::milliseconds(50);
  Duration drain_idle = std::chrono::milliseconds(10);
  /// An empty batch says that the writer is alive when there was nothing else to send for so long.
  Duration heartbeat = std::chrono::milliseconds(250);
  /// Back-off after Unavailable: from the one, doubling to the other, each half of it at random.
  Duration retry_min = std::chrono::milliseconds(5);
  Duration retry_max = std::chrono::seconds(1);
  /// Back-off between resyncs that losses ask for: none before the first, then from the one,
  /// doubling to the other, and none again after the latter passed without loss.
  Duration resync_min = std::chrono::seconds(1);
  Duration resync_max = std::chrono::seconds(60);

  /// How long erases are held that were abrupt, or part of a burst: of at least `burst_share` of
  /// the rows, and `burst_min`, within `burst_within`. What came before a burst was recognised has
  /// gone. Dropped when the term changes meanwhile, or the owner says so; a newer Put of the key
  /// drops it too.
  Duration erase_linger = std::chrono::seconds(2);
  Duration burst_within = std::chrono::milliseconds(100);
  double burst_share = 0.05;
  std::size_t burst_min = 100;

  /// Where rows that a resync did not mention are looked up and erased at its end. Usually the sink
  /// itself.
  StateStore* sweep = nullptr;
  /// Seeds jitter and hashing; 0 takes one from the system.
  std::uint64_t seed = 0;
};

/// Counters only grow; the rest is how things stand.
struct PublisherStats {
  std::uint64_t published = 0;  ///< records taken from lanes and drivers, walks included
  std::uint64_t coalesced = 0;  ///< of these, replaced by a newer one before they were sealed
  std::uint64_t sealed = 0;     ///< records
  std::uint64_t batches = 0;    ///< sealed, heartbeats apart
  std::uint64_t heartbeats = 0;
  std::uint64_t resent = 0;   ///< batches offered again after Unavailable
  std::uint64_t refused = 0;  ///< times the sink had no room

  std::uint64_t lost_ring_full = 0;     ///< no room in the ring: counted at the lane
  std::uint64_t lost_pending_full = 0;  ///< new keys beyond max_pending
  std::uint64_t lost_bad_draft = 0;     ///< driver's records with the wrong size or op
  std::uint64_t lost_refused = 0;  ///< times that the sink refused for good (a gap, a wrong schema)
  std::uint64_t lost() const {
    return lost_ring_full + lost_pending_full + lost_bad_draft + lost_refused;
  }

  std::uint64_t muted_erases = 0;    ///< not sent, because this box does not hold the traffic
  std::uint64_t held_erases = 0;     ///< erases that were ever held
  std::uint64_t dropped_erases = 0;  ///< of these, dropped: term change, liveness, or a newer Put
  std::uint64_t overtaken = 0;       ///< forgotten unsent: another box became the writer meanwhile
  std::uint64_t swept = 0;           ///< rows erased at the end of resyncs
  std::uint64_t resyncs_begun = 0;
  std::uint64_t resyncs_done = 0;  ///< its end is confirmed

  std::uint64_t term = 0;  ///< 0 while muted
  std::uint64_t next_sequence = 1;
  std::size_t lanes = 0;       ///< open, or closed and not yet drained
  std::size_t pending = 0;     ///< entries that wait unsealed
  std::size_t in_flight = 0;   ///< sealed batches, unconfirmed
  std::size_t holding = 0;     ///< erases held now
  bool resync_wanted = false;  ///< something is lost that no finished resync has repaired yet
  bool resyncing = false;
  /// A lower bound of when the oldest unconfirmed record was made; 0: nothing is unconfirmed. Rings
  /// are looked at by Tick only.
  UnixTime oldest_unconfirmed{};

  /// Nothing pending, nothing unconfirmed.
  bool idle() const { return pending == 0 && in_flight == 0 && holding == 0; }
};

class Publisher {
 public:
  virtual ~Publisher() = default;

  /// A lane for one producing thread. Errors: ResourceExhausted (memory).
  virtual absl::StatusOr<Lane*> OpenLane() = 0;

  /// Sends under this term from now on, sequence 1 first. Until the first call, and after Mute(),
  /// nothing is sealed: Puts and Erases wait, one per key; an EraseAbrupt takes a Put that waits
  /// with it, or is counted and dropped, since entries idle away where the traffic is not. Errors:
  /// InvalidArgument (0, or not above every term before it; the current one again is OK).
  virtual absl::Status SetTerm(std::uint64_t term) = 0;
  virtual void Mute() = 0;
  /// Why the publisher muted itself: Aborted (fenced by a newer term), or what the sink refused for
  /// good. OK after SetTerm().
  virtual absl::Status status() const = 0;

  /// Asks for a resync as a loss does: what is in the store may not be all, for a reason that only
  /// the caller knows. With back-off.
  virtual void WantResync() = 0;

  /// How many rows this writer has live; what `burst_share` is a share of.
  virtual void set_rows(std::size_t rows) = 0;

  /// Does what is due, at most about 1 ms of it. NextDeadline() may have come meanwhile.
  virtual void Tick(MonotonicTime now) = 0;
  virtual MonotonicTime NextDeadline() const = 0;
  /// With PublisherOptions::wake: readable when a producer woke us and Tick() is due; else -1.
  virtual int WakeFd() const = 0;

  virtual PublisherStats stats() const = 0;
};

/// Errors: InvalidArgument that names the option.
absl::StatusOr<std::unique_ptr<Publisher>> NewPublisher(const StateSchema& schema, Origin origin,
                                                        StateSink& sink, const Clock& clock,
                                                        PublisherOptions options);

}  // namespace mimi

#endif  // MIMI_PUBLISHER_H_
