#ifndef MIMI_SRC_PUBLISH_PUMP_H_
#define MIMI_SRC_PUBLISH_PUMP_H_

// Pump: everything between the lanes of one (table, origin) and one sink.
//
//   lanes ═ring═▶ ┐            ┌── quick: nothing waits ──┐
//                 ├─ EraseHold ┤                          ├─▶ builder ─Seal─▶ Window ─Apply─▶ sink
//   Offer(draft) ─┘            └─▶ Pending (FIFO by key) ─┘                     ◀─ confirmed ─
//
// The pump owns no timer and no descriptor (but the wake-up): its owner calls Tick(now) at
// NextDeadline(). Its parts:
//   lane.h        the consumer's side of a ring
//   pending.h     what waits unsealed: FIFO with an index by key, and the resync's two markers
//   window.h      what is sealed and unconfirmed: sends, sends again, back-off
//   erase_hold.h  erases that wait for erase_linger
//   resync.h      when to ask for a resync, which lanes have begun and ended
//   tickets.h     which of a lane's records are confirmed
//
// **Terms.** SetTerm starts a term with sequence 1. What waits goes under the new one. What was
// sealed under an older term and is not confirmed goes back to the front of what waits, newest
// value per key, because that term is fenced. A resync whose begin was sealed under an older term
// is given up and asked for anew. Muted (no term): puts wait, and
// erases that the protocol made; an abrupt erase removes the waiting put of its key, or is counted
// and dropped (unless a term is expected: set_expecting); held erases are dropped. The sink's
// Aborted mutes by itself and calls OnStopped.
//
// **Resync, and what "older" means.** The begin is a batch with kBatchResyncBegin; its version B is
// {term, first_sequence of that batch}. Whatever this writer put before it has a version < B,
// whatever it puts after it one >= B. After the end was reached, and all that stands before it is
// confirmed, the pump calls OnResyncWalked(B). The owner then erases every row of this origin whose
// version is < B by SweepErase(key): an entry of a kBatchVersioned batch, stamped B. It is newer
// than each row that it is meant for; and where the key was put meanwhile, the row has a version >=
// B and the erase changes nothing. The batch itself takes sequence numbers like any other.
// FinishResync() seals the kBatchResyncEnd batch.
//
// **Several lanes.** A round begins with the first lane's BeginResync: all others are drained up to
// where they stand (or to their own begin), so that what they put before the loss is older than B.
// It ends when every lane that was open at the begin has ended or was closed. A loss after B (for
// the beginning lane: after its own begin) asks for another round, with back-off. A lane that
// begins a second time in one round starts a new round, since what it walked before may be stale.
//
// Threads: the loop thread only; lanes: lane.h.
// Lifetime: schema is copied; sink, clock and owner outlive the pump. The owner's functions are
// called at the end of Tick only, and may call everything here but Tick.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/publisher.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/sink.h"

namespace mimi {

// Who a pump tells what it cannot decide. Every function may do nothing.
class PumpOwner {
 public:
  virtual ~PumpOwner() = default;

  // The sink refused for good, and the pump is muted: Aborted (a newer term exists: follow), else
  // (FailedPrecondition: a gap, …) claim anew and SetTerm; the pump asks for the resync itself.
  virtual void OnStopped(const absl::Status& why) { (void)why; }

  // A resync is wanted of the direct source (set_direct): call Driver::Resync(). Called once per
  // wish, and again when there is room after an Offer was answered with ResourceExhausted.
  virtual void OnResyncWanted() {}

  // All that was walked is confirmed. Erase what is older (SweepErase), then FinishResync(). Not
  // called again for this resync; a new round, SetTerm and a stop cancel it: see sweeping().
  virtual void OnResyncWalked(Version begin) { (void)begin; }
};

class Pump {
 public:
  // Errors: InvalidArgument that names the option.
  static absl::StatusOr<std::unique_ptr<Pump>> New(const StateSchema& schema, Origin origin,
                                                   StateSink& sink, const Clock& clock,
                                                   PumpOwner& owner,
                                                   const PublisherOptions& options);
  ~Pump();

  absl::StatusOr<Lane*> OpenLane();

  // The direct source: a driver on the loop thread. While it is open, a resync waits for its walk
  // as for a lane's.
  void set_direct(bool open);
  // Coverage::ends_in_packets of the direct source.
  void set_direct_ends_sure(bool sure);
  // Takes a draft's records (BatchBuilder::Draft), and its flags kBatchResyncBegin and
  // kBatchResyncEnd. Nothing is taken on an error: ResourceExhausted (only while walking: the sink
  // is far behind; OnResyncWanted says when to go on), InvalidArgument (another table or row size;
  // counted as lost).
  absl::Status Offer(const BatchView& draft);

  absl::Status SetTerm(std::uint64_t term);
  void Mute();
  // The store that knew the term is gone, and another may have given it to somebody else: mutes,
  // and what is sealed waits for the next term.
  void Withdraw();
  const absl::Status& status() const;

  // Asks for a resync, as a loss does: lost rows that only the owner knows of (a driver's
  // DriverState::lost, a new term whose store may not have all). With back-off.
  void WantResync();

  // The end of a resync, after OnResyncWalked. sweeping() is true from there until FinishResync(),
  // or until the resync is cancelled.
  bool sweeping() const;
  // False: no room in the window, or not sweeping; again after the next Tick. REQUIRES: key of
  // schema.key_size().
  bool SweepErase(std::span<const std::byte> key);
  // False as above.
  bool FinishResync();

  // What waited when the term began is confirmed: from here on the sink lacks only what is new.
  bool backlog_confirmed() const;

  // While muted: the traffic comes to this box, and the term will follow (a move redirects before
  // it claims). Abrupt erases then wait like all else.
  void set_expecting(bool expecting);
  // While muted: another box has become the writer. What waits here is from before that, and must
  // not be sent under a later term over what that box has written since: it is forgotten, counted
  // (overtaken), `dropped` is told the keys, and the next term begins with a resync, which tells
  // what lives. False: nothing waited.
  bool DropOvertaken(const std::function<void(std::span<const std::byte> key)>& dropped);

  // Liveness says that the box is going down: erases that are held now were its death, not its
  // flows' ends.
  void DropHeldErases();
  void set_rows(std::size_t rows);

  void Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const;
  int WakeFd() const;
  PublisherStats stats() const;

  // The newest position that the sink returned for a record (heartbeats apart), and whether
  // everything taken so far is confirmed: what a planned move waits for.
  Position sent_position() const;
  bool drained() const;
  // Something about this key was taken and is not confirmed: it waits, is held, or is in flight.
  // What still stands in a ring is not seen. For the rare questions of a load: the first after a
  // change of what is in flight reads all of that.
  bool Holds(std::span<const std::byte> key);

 private:
  class Impl;
  explicit Pump(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_PUMP_H_
