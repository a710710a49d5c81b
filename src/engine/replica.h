#ifndef MIMI_SRC_ENGINE_REPLICA_H_
#define MIMI_SRC_ENGINE_REPLICA_H_

// Replica: the rows of one table as the feed tells them, and one sink that is kept equal to them.
//
//     Replica replica(schema, minion, loop, {.own = OriginOf("edge1.minion"), .wake = wake});
//     feed.Subscribe(schema.table(), replica);
//     replica.Start();                       // warms the minion
//     bool more = replica.Tick(loop.now());  // after the feed's Tick
//
// While the minion keeps up, a batch whose records were all applied to the rows is passed on as it
// stands: nothing is copied. Otherwise (some records were stale, the minion is full or away, a load
// runs) the keys go to the outbox (outbox.h), which holds one mark per live row and one entry per
// key that is gone, and is drained from the rows, newest value only, as the minion takes it. A
// batch is passed on directly only while the outbox is empty, so the order per key is always kept.
//
// When the minion was Unavailable, or says healthy again after it was not, it may have lost state:
// it is warmed (with back-off), every row is marked, and what it holds too much is then found and
// erased by an audit (TakeAuditWish).
//
// The box's own records. What the box whose sink this is has written itself (origin `own`) is not
// applied to its sink while it is live: it came from there. In a load it is, since then the box has
// (re)started; but a row that the box has newer than the store (`unconfirmed`) is neither put nor
// erased.
//
// A box with traffic knows better. Only its agent may have restarted: then its data plane is ahead
// of the store, which its driver's resync will put right. So where a data plane that is loaded is
// not empty, and its box may have the traffic (`knows_better`), what it holds is left as it is, and
// only what it lacks is put: it is walked (Minion::Audit) between the load and the first offer.
// When the traffic is gone the box stops being the authority, and an audit is wished for.
//
// Loads. What the load brings is applied beside what is there; rows that nobody mentioned by its
// end are dropped in slices and erased from the sink. From another incarnation, a new set of rows
// is built beside the old one, whose versions mean nothing any more, and the old rows that are not
// in it are erased at the end.
//
// A sink without a minion (nullptr) just keeps rows; they count as confirmed when applied.
//
// Threads: the loop thread only.
// Lifetime: minion and loop outlive the replica; it may be destroyed while the minion is being
// warmed.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "mimi/loop.h"
#include "mimi/minion.h"
#include "mimi/record.h"
#include "mimi/schema.h"

#include "src/base/backoff.h"
#include "src/engine/feed.h"
#include "src/engine/outbox.h"
#include "src/engine/staleness.h"
#include "src/state/row_map.h"

namespace mimi::internal {

struct ReplicaOptions {
  /// The node of the box whose sink this is; 0: it writes nothing.
  Origin own = 0;
  /// Whether the box's own pipeline holds something about this key that the store has not
  /// confirmed. Asked per record only where it matters: loads, and rows or erases that wait in the
  /// outbox of a box with an `own`.
  std::function<bool(std::span<const std::byte> key)> unconfirmed{};
  /// Whether the box may have the traffic, so that its data plane is ahead of the store; asked when
  /// a load has ended, and again while the answer is nullopt: that cannot be told. Empty: it never
  /// is.
  std::function<std::optional<bool>()> knows_better{};
  std::size_t max_rows = 10'000'000;
  std::uint64_t seed = 1;
  Duration slice = std::chrono::milliseconds(1);
  Duration warm_retry_min = std::chrono::milliseconds(100);
  Duration warm_retry_max = std::chrono::seconds(5);
  /// Tick() is wanted before NextDeadline(): the minion is warm.
  std::function<void()> wake{};
  /// Worth an operator's eye: kind "load" or "error" (PairEvent).
  std::function<void(std::string_view kind, const std::string& detail)> on_event{};
};

struct ReplicaState {
  bool loading = false;  ///< the feed's load, or the drop of rows that it did not mention
  bool warm = false;     ///< the minion takes state (without a minion: always)
  std::string reason;    ///< why not warm, or the last refusal that is not retried
  std::uint64_t rows = 0;
  std::uint64_t waiting = 0;      ///< outbox: rows and keys that the minion has yet to be told
  Position position = 0;          ///< of the feed, applied to the rows
  Position confirmed = 0;         ///< of the feed, confirmed in the data plane
  std::uint64_t applied = 0;      ///< records that changed the rows
  std::uint64_t stale = 0;        ///< records outranked by a newer version
  std::uint64_t table_full = 0;   ///< Puts left out because of max_rows
  std::uint64_t malformed = 0;    ///< batches whose rows cannot be this table's
  std::uint64_t passed_on = 0;    ///< records that went to the minion in the feed's own batches
  std::uint64_t drained = 0;      ///< records that went to it through the outbox
  std::uint64_t held_own = 0;     ///< rows and erases not sent, because the box has
                                  ///< something newer itself
  std::uint64_t dropped = 0;      ///< rows that a load did not mention
  std::uint64_t rejected = 0;     ///< batches that the minion refused for good
  std::uint64_t overflows = 0;    ///< times that the keys to erase outgrew their
                                  ///< bound: an audit finds them
  std::uint64_t unavailable = 0;  ///< times that the minion had to be warmed again
  std::uint64_t loads = 0;        ///< completed
  /// Over the last minute, of records of other origins: how old they were when they arrived in the
  /// data plane, and, while nothing arrives for half a second, how old the newest is (staleness.h).
  Duration staleness_p50{};
  Duration staleness_p99{};
  Duration staleness_max{};
  /// Now minus the newest confirmed header's time, of other origins; nullopt: none yet.
  std::optional<Duration> staleness;
  std::uint64_t memory_bytes = 0;
};

class Replica final : public FeedSubscriber {
 public:
  /// REQUIRES: minion is nullptr or holds a schema of the same line with the same row size (its
  /// contract: schema()).
  Replica(const StateSchema& schema, Minion* minion, Loop& loop, ReplicaOptions options);
  ~Replica() override;
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// Warms the minion.
  void Start();
  /// The box has the traffic. What a replaced repository does not mention then stays: the flows are
  /// alive, and the box's own source publishes them again.
  void set_active(bool active) {
    audit_wanted_ = audit_wanted_ || (active_ && !active);
    active_ = active;
  }
  /// What the sink was not told, since the box had something newer, it is told now; where there is
  /// nothing to tell, what it holds is left to an audit.
  void Retell(std::span<const std::byte> key);

  /// Reads confirmations, drains the outbox, goes on with what is cut into slices. True: there is
  /// more to do at once.
  bool Tick(MonotonicTime now);
  /// When Tick() is due although nothing came; nullopt: only after the feed's.
  std::optional<MonotonicTime> NextDeadline() const;

  /// The feed's position that is confirmed in the data plane: everything up to it has arrived, or
  /// was outranked.
  Position confirmed() const { return confirmed_; }
  Position position() const { return position_; }
  /// The sink follows: a load has ended, the minion is warm, and has confirmed all that they owed.
  bool settled() const;
  ReplicaState state() const;

  RowMap& rows() { return *rows_; }
  const StateSchema& schema() const { return schema_; }
  Minion* minion() { return minion_; }

  void WishAudit() { audit_wanted_ = true; }
  /// True once after the minion may hold rows that are in no table any more: an audit with repair
  /// is wanted.
  bool TakeAuditWish();
  /// Has the sink told again what stands in the rows (a Put; or an Erase where there is no row).
  void Repair(std::span<const std::byte> key);
  /// Whether the sink has yet to be told of this key, or the box itself has something newer: no
  /// judging it now.
  bool InFlight(std::span<const std::byte> key);
  /// For who waits until a Repair was done: at round() r, it is offered once OfferedSince(r), and
  /// confirmed once the minion confirms what is then last_ticket().
  std::uint64_t round() const { return rounds_; }
  bool OfferedSince(std::uint64_t round) const { return outbox_.empty() || rounds_ >= round + 2; }
  Position last_ticket() const { return last_ticket_; }
  /// Another value whenever a load has begun, or the minion was lost: row numbers and what was seen
  /// of the sink before mean nothing any more.
  std::uint64_t epoch() const { return epoch_; }

  /// Minion::Audit, for all who walk the data plane: one walk goes on where another stopped, and
  /// walk_begun() says that this one would.
  absl::StatusOr<bool> WalkSink(AuditVisitor& visitor, std::size_t budget);
  bool walk_begun() const { return walk_begun_; }

  void OnOtherIncarnation() override;
  void OnLoadBegin(Position at) override;
  void OnBatch(const BatchView& batch, Position after, bool snapshot) override;
  void OnLoadEnd() override;
  void OnReached(Position position) override;

 private:
  /// Something on its way into the data plane: once the minion confirms `ticket`, the feed is
  /// confirmed up to `position`.
  struct Landing {
    Position ticket = 0;
    Position position = 0;
    std::optional<UnixTime> time;
  };
  static constexpr Duration kSilence = std::chrono::milliseconds(500);
  static constexpr std::size_t kLeastErases = 65536;
  enum class Warmth : std::uint8_t { kCold, kWarming, kWarm };

  // replica.cc: from the feed into the rows.
  void Count(const RowMap::Counts& counts);
  bool CanPassOn(const BatchView& batch, const RowMap::Counts& counts, bool snapshot) const;
  bool PassOn(const BatchView& batch, std::optional<UnixTime> time);
  void MarkBatch(const BatchView& batch, bool snapshot);
  bool DropUnmentioned();
  void DropFromOld();
  void EndDrop();
  void SampleSilence();
  bool ConcernsOwn(const BatchView& batch) const;
  bool IsUnconfirmed(std::span<const std::byte> key) const;
  void Event(std::string_view kind, const std::string& detail) const;

  // replica_drain.cc: the minion's life, from the rows into it, and back what it confirms.
  void Warm();
  void OnWarm(const absl::Status& status);
  void LoseMinion(const absl::Status& why);
  void WatchHealth();
  void MarkErased(std::span<const std::byte> key, Version version);
  void MarkAllRows();
  bool SpareHeld();
  bool MayDrain();
  bool Drain();
  void BeginRound();
  bool RoundIsOver() const;
  void EndRound();
  void Fill();
  bool FillErases();
  void FillRows();
  bool FillRow(std::uint32_t number);
  bool Offer();
  void HaveTaken();
  void WaitForRoom();
  void Land(std::optional<UnixTime> time);
  void ReadConfirmed();
  /// How far the feed may be called confirmed once what was sent by now has arrived: while a load
  /// runs, its position says nothing yet.
  Position Landable() const { return loading_ ? load_base_ : position_; }

  StateSchema schema_;
  Minion* minion_;
  Loop& loop_;
  ReplicaOptions options_;
  std::unique_ptr<RowMap> rows_;
  std::unique_ptr<RowMap> old_rows_;  // of the incarnation before, until the load has ended
  std::vector<RowMap::Outcome> outcomes_;
  std::vector<std::pair<std::string, Version>> dropping_;  // of one slice
  MonotonicTime now_;
  MonotonicTime slice_end_;
  ReplicaState counters_;

  Warmth warmth_ = Warmth::kCold;
  bool healthy_ = true;
  std::uint64_t epoch_ = 0;
  bool audit_wanted_ = false;
  Backoff warm_backoff_;
  std::optional<MonotonicTime> warm_at_;
  MonotonicTime warm_since_;
  MonotonicTime health_at_;
  std::shared_ptr<Replica*> self_;  // holds nullptr once we are gone

  bool loading_ = false;
  bool active_ = false;
  bool spare_ = false;    ///< what is marked is compared with the data plane before it is offered
  bool sparing_ = false;  ///< … by the walk under way …
  bool resting_ = false;  ///< … which begins behind the rest of somebody else's
  bool walk_begun_ = false;
  std::optional<std::uint32_t> drop_at_;  // where the drop of unmentioned rows goes on
  std::uint8_t mark_ = 0;
  Position load_base_ = 0;  // confirmable while the load runs
  Position settle_at_ =
      0;  // confirmed this far, the sink has all that the last load or warming owed

  Outbox outbox_;
  BatchBuilder builder_;
  std::vector<std::uint32_t> built_rows_;  // what builder_ holds, unmarked once it is taken
  std::size_t built_erases_ = 0;           // erases looked at, from the front
  struct Round {
    Position position = 0;  // what its end confirms
    std::optional<UnixTime> time;
    std::size_t erases = 0;      // of those there at its begin, not yet offered
    std::uint32_t next_row = 0;  // all marked rows before it are offered
  };
  std::optional<Round> round_;
  std::uint64_t rounds_ = 0;               // begun
  std::optional<MonotonicTime> offer_at_;  // the minion was full: not before
  Duration offer_wait_{};

  Position position_ = 0;
  Position confirmed_ = 0;
  Position last_ticket_ = 0;
  std::deque<Landing> landings_;
  std::optional<UnixTime> time_;  // of the newest header from elsewhere that the rows have
  std::optional<UnixTime> confirmed_time_;
  bool own_writes_ =
      false;  // the last live batch was the box's own: silence from elsewhere is no lag
  MonotonicTime sample_at_;
  StalenessWindow staleness_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_REPLICA_H_
