#ifndef MIMI_SRC_ENGINE_FEED_H_
#define MIMI_SRC_ENGINE_FEED_H_

// Feed: this engine's one reader of the pair's store.
//
// Everything an engine follows (the control table, the tables of its sinks) comes through one
// cursor, so that all of it is seen in the store's one order, and loss is found in one place:
//
//     Feed feed(store, loop, {.seed = seed, .wake = [&] { ScheduleTick(); }});
//     feed.Subscribe(kControl, board);
//     feed.Subscribe(schema.table(), replica);
//     feed.Start();
//     …
//     bool more = feed.Tick(loop.now());    // each tick: at most about a millisecond
//     loop.At(*feed.NextDeadline(), tick);  // when nothing wakes it: the next retry
//
// A *load* comes first: Snapshot of all tables at its position P, then Watch(P). What subscribers
// see is
//
//     OnLoadBegin(P)
//     OnBatch(…, P, snapshot = true)   as many as there are
//     OnBatch(…, snapshot = false)     perhaps some
//     OnLoadEnd()
//     OnBatch(…, snapshot = false)     from now on
//
// where the live batches before OnLoadEnd() are those that the store took while the snapshot ran: a
// row that went and came back meanwhile is mentioned before the subscriber decides what nobody
// mentioned.
//
// The feed loads again when its place in the store is gone (DataLoss: trimmed, or another
// incarnation) and when it finds a *gap*: sealed batches of one (table, origin, term) continue each
// other by sequence, empty ones included, so a hole is always loss. The first load after a loss
// begins at once, the next ones with jittered back-off. While the store is Unavailable the feed
// waits for its wake-up or the back-off, whichever is first, and goes on where it was.
//
// Subscribers take every batch; one that cannot do its work at once keeps what it owes (Replica's
// outbox), so that none of them slows another, or the feed, down.
//
// Threads: the loop thread only.
// Lifetime: store, loop and subscribers outlive the feed. A batch is valid during OnBatch only.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "mimi/loop.h"
#include "mimi/record.h"
#include "mimi/store.h"

#include "src/base/backoff.h"

namespace mimi::internal {

class FeedSubscriber {
 public:
  virtual ~FeedSubscriber() = default;

  /// Called before OnLoadBegin when what follows comes from another incarnation of the store (never
  /// before the first load): versions and positions known so far cannot be compared with what
  /// comes.
  virtual void OnOtherIncarnation() {}
  /// A load begins at position `at`. A load that fails half-way begins again: then this comes twice
  /// without an end between.
  virtual void OnLoadBegin(Position at) = 0;
  /// `after`: the feed's position behind this batch; in a snapshot, the position of the load.
  virtual void OnBatch(const BatchView& batch, Position after, bool snapshot) = 0;
  /// Everything that is in the store was mentioned since OnLoadBegin.
  virtual void OnLoadEnd() = 0;
  /// At the end of a Tick: all that there was for this subscriber up to `position` has been given
  /// to it. What it confirms must not stand still where only others' tables go on.
  virtual void OnReached(Position position) { (void)position; }
};

struct FeedOptions {
  std::uint64_t seed = 1;                         ///< of the back-off's jitter
  Duration slice = std::chrono::milliseconds(1);  ///< a Tick ends after the batch that passes this
  std::size_t batches_per_tick = 256;  ///< … or after this many, for clocks that stand still
  Duration retry_min = std::chrono::milliseconds(20);
  Duration retry_max = std::chrono::seconds(2);
  /// There is something for Tick(); loop thread, perhaps from inside another object's call:
  /// schedule, don't tick.
  std::function<void()> wake{};
  /// Worth an operator's eye: kind "load", "lost" or "error" (PairEvent).
  std::function<void(std::string_view kind, const std::string& detail)> on_event{};
};

/// What is known of one writer of one table.
struct FeedStream {
  TableId table = 0;
  Origin origin = 0;
  std::uint64_t term = 0;  ///< the newest seen
  UnixTime newest{};       ///< the newest header's time: the staleness of what was
                           ///< read is now minus this
  MonotonicTime heard;     ///< when its last live batch was read, heartbeats included
  std::uint64_t records = 0;
};

struct FeedState {
  bool loaded = false;     ///< a load has ended, and none runs
  bool loading = false;    ///< a snapshot or its tail is being read
  bool caught_up = false;  ///< nothing was left to read at the last look
  std::string reason;      ///< why it does not follow: the store's last error
  Position position = 0;   ///< read so far
  Position head = 0;       ///< the store's, as far as its handle knows
  std::uint64_t behind() const { return head > position ? head - position : 0; }
  std::uint64_t incarnation = 0;
  std::uint64_t batches = 0;  ///< live ones
  std::uint64_t records = 0;  ///< live ones
  std::uint64_t loads = 0;    ///< completed
  std::uint64_t gaps = 0;     ///< holes in a writer's sequence: each led to a load
  std::uint64_t positions_gone =
      0;                      ///< DataLoss: the log was trimmed past us, or the repository replaced
  std::uint64_t retries = 0;  ///< waits because the store was Unavailable
  std::uint64_t untracked = 0;  ///< batches of writers beyond kMaxStreams: not checked for gaps
};

class Feed {
 public:
  /// Writers (table, origin) whose sequences are checked. A pair has a handful.
  static constexpr std::size_t kMaxStreams = 1024;

  Feed(StateStore& store, Loop& loop, FeedOptions options);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// Any number of subscribers for one table; called in the order of subscription. REQUIRES: not
  /// started yet.
  void Subscribe(TableId table, FeedSubscriber& subscriber);

  /// Begins the first load. The store's tables need not be open; they must be for anything to be
  /// read.
  void Start();

  /// Reads for about one slice. True: there is more to read now. Subscribers are called from here
  /// only.
  bool Tick(MonotonicTime now);
  /// When Tick() is due although nothing woke it. nullopt: only when woken.
  std::optional<MonotonicTime> NextDeadline() const;

  /// Loads everything again at the next Tick(), after back-off if that happens often. `why` goes to
  /// the event.
  void Reload(std::string_view why);

  /// Read so far. Grows within one incarnation, except for a load after a loss of the store's own.
  Position position() const { return position_; }
  bool loaded() const { return phase_ == Phase::kFollowing; }
  /// Of what the subscribers hold; 0: the store has none, or nothing was loaded yet.
  std::uint64_t incarnation() const { return incarnation_; }
  FeedState state() const;

  /// nullptr: no live batch of this writer was read yet. Valid until the next Tick().
  const FeedStream* Find(TableId table, Origin origin) const;

 private:
  enum class Phase : std::uint8_t { kStopped, kWaiting, kSnapshot, kTail, kFollowing };
  /// The next sequence expected of the two newest terms of a stream; an older term's writer is long
  /// gone.
  struct Expected {
    std::uint64_t term = 0;
    std::uint64_t next = 0;
  };
  struct Stream : FeedStream {
    std::array<Expected, 2> expected;
  };
  struct Subscription {
    TableId table;
    FeedSubscriber* subscriber;
  };
  /// Lets a cursor's wake-up, which may be called late, find out that the feed or the cursor is
  /// gone.
  struct Waker;

  bool ReadSlice();
  bool ReadOne();
  bool ReadSnapshot();
  bool ReadFeed();
  absl::Status OpenSnapshot();
  absl::Status OpenWatch();
  void BeginLoad();
  void EndLoad();
  void TellReached();
  void TakeLive(const BatchView& batch);
  void Deliver(const BatchView& batch, bool snapshot);
  bool Continues(const BatchView& batch);
  Stream* FindStream(TableId table, Origin origin);
  void HandleError(const absl::Status& error);
  void LoadAgain();
  void DropCursor();
  std::function<void()> MakeWake();
  void Event(std::string_view kind, const std::string& detail) const;

  StateStore& store_;
  Loop& loop_;
  FeedOptions options_;
  std::vector<Subscription> subscriptions_;
  std::vector<Stream> streams_;
  Backoff backoff_;

  Phase phase_ = Phase::kStopped;
  std::unique_ptr<Cursor> cursor_;
  std::shared_ptr<Waker> waker_;
  bool load_begun_ = false;             // OnLoadBegin was sent for this load
  bool readable_ = false;               // the cursor may have something
  bool caught_up_ = false;              // the last look found nothing
  std::optional<std::string> reload_;   // asked for, not begun
  std::optional<MonotonicTime> retry_;  // look again, whether woken or not
  MonotonicTime now_;                   // of this Tick
  MonotonicTime failed_at_;             // the last time that anything went wrong
  std::uint64_t incarnation_ = 0;       // of what the subscribers hold
  Position position_ = 0;
  Position told_ = 0;      // by OnReached
  Position tail_end_ = 0;  // the head when the snapshot ended
  FeedState counters_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_FEED_H_
