#ifndef MIMI_SRC_STORE_REDIS_REDIS_CORE_H_
#define MIMI_SRC_STORE_REDIS_REDIS_CORE_H_

// RedisCore: one handle of a pair's repository on Redis: what it has accepted (window), what it has
// read (tables, the newest part of the feed), and the requests that wait.
//
//   RedisLink      up and down
//   RedisLoader    after a start, or when the feed was trimmed past us: the tables out of the server
//   RedisFollower  from there on: every batch of the feed, in order, into Take()
//   RedisWindow    what Apply accepted, until it was stored and read
//   RedisKeeper    if this handle is the keeper: puts what changed in the tables, trims the feed
//
// A batch of ours that the server has stored is taken at once if nothing of others stands between;
// else the follower brings it. A batch counts as confirmed when this handle's own copy has it, so
// whoever was confirmed reads his writes.
//
// Threads: the loop thread only. Lifetime: the loop outlives it; cursors and leases end before it.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/redis_store.h"
#include "mimi/loop.h"
#include "mimi/store.h"

#include "src/store/memory_feed.h"
#include "src/store/redis/redis_follower.h"
#include "src/store/redis/redis_keeper.h"
#include "src/store/redis/redis_layout.h"
#include "src/store/redis/redis_link.h"
#include "src/store/redis/redis_loader.h"
#include "src/store/redis/redis_tables.h"
#include "src/store/redis/redis_window.h"

namespace mimi::internal {

class RedisCore final : public RedisLinkOwner {
 public:
  /// A cursor that waits: woken once, then armed again.
  struct Waiter {
    std::function<void()> wake;
    bool armed = false;
  };
  using Task = std::function<void(const absl::Status&)>;
  using Answer = std::function<void(const absl::Status&, RedisValue)>;

  RedisCore(const RedisStoreOptions& options, Loop& loop);
  ~RedisCore() override;

  // ---- What is known.
  const RedisStoreOptions& options() const { return options_; }
  const RedisKeys& keys() const { return keys_; }
  Loop& loop() { return loop_; }
  RedisLink& link() { return link_; }
  /// Connected, loaded, and has read all that was there then.
  bool ready() const { return ready_; }
  /// Why it cannot be asked now: Unavailable or worse. OK: it can, or is on its way for the first
  /// time.
  absl::Status problem() const;
  /// Of the repository that was loaded last; "" while unknown.
  const std::string& incarnation() const { return facts_.incarnation; }
  Position position() const { return position_; }
  Position trimmed() const { return facts_.trimmed; }
  const RedisFacts& facts() const { return facts_; }
  RedisTables& tables() { return *tables_; }
  const RedisTables& tables() const { return *tables_; }
  const MemoryFeed& feed() const { return *feed_; }
  /// Grows when tables() and feed() are others.
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t feed_bytes() const { return bytes_ - facts_.trimmed_bytes; }
  /// Where the feed could be cut so that about feed_bytes stay; at most `most`.
  struct Cut {
    Position position = 0;
    std::uint64_t bytes = 0;
  };
  Cut CutFor(Position most) const;
  void Report(StoreState* state) const;

  // ---- What is asked for. Tasks run on the loop, never inside the call, and with an error when
  // the way to the server is not there in time, or breaks.
  void WhenReady(Task task);
  /// … and has read what the server has now.
  void WhenSynced(Task task);
  /// REQUIRES: within a task, or when ready().
  void Ask(Script script, const std::vector<std::string>& keys,
           const std::vector<std::string>& arguments, Answer done);
  void Ask(const std::vector<std::string>& command, Answer done,
           Duration patience = Duration::zero());
  void WakeAtNext(const std::shared_ptr<Waiter>& waiter);
  void PostWake(const std::shared_ptr<Waiter>& waiter);

  absl::StatusOr<Position> Apply(const BatchView& batch);
  Position confirmed() const { return window_.confirmed(); }

  // ---- For the parts.
  /// The next batch of the feed. REQUIRES: it begins at position().
  void Take(const BatchView& batch, Position after);
  /// After some Take()s: tells who waits for it.
  void TookSome();
  void TakeFacts(const RedisFacts& facts);
  void NoteClaim(std::uint64_t term, const ClaimRequest& request);
  void NoteCommit(Position position, const Cut& cut);
  /// What was read cannot be gone on with.
  void Reload(std::string_view state, std::string_view why);
  /// Everything that is known to come is our own, and comes by itself when it is stored.
  bool brings_itself() const { return ready_ && window_.waiting() && stored_ <= position_; }
  void OnUp(const RedisFacts& facts) override;
  void OnDown() override;

 private:
  struct Waiting {
    MonotonicTime deadline;
    Task task;
  };
  struct Synced {
    Position position;
    Task task;
  };
  struct LogEntry {
    Position position;
    std::uint64_t bytes;  // ever appended, up to there
  };

  Duration patience() const { return options_.connect_timeout + options_.reply_timeout; }
  void Loaded(std::unique_ptr<RedisTables> tables, const RedisFacts& facts);
  void Recount();
  void RunTasks();
  RedisLink::Answer Asked(Answer done);
  void ArmDeadline();
  void ReadSynced();
  void Follow();
  void BecomeReady();
  void Resend();
  void SendBatch(RedisWindow::Entry& entry);
  void OnStored(std::uint64_t ticket, RedisValue answer);
  absl::Status Refusal(RedisValue answer, const BatchView& batch);
  void WakeAll();

  RedisStoreOptions options_;
  Loop& loop_;
  RedisKeys keys_;
  RedisLink link_;
  RedisFacts facts_;
  std::unique_ptr<RedisTables> tables_;
  std::unique_ptr<MemoryFeed> feed_;
  std::uint64_t epoch_ = 0;
  Position position_ = 0;
  Position stored_ = 0;  // of our newest batch in the feed
  std::uint64_t bytes_ = 0;
  std::deque<LogEntry> log_;
  // bytes_ is right once this position was reached.
  Position count_at_ = 0;
  std::uint64_t count_ = 0;
  bool ready_ = false;
  bool loaded_ = false;
  bool took_ = false;
  RedisWindow window_;
  std::unique_ptr<RedisLoader> loader_;
  RedisFollower follower_;
  RedisKeeper keeper_;
  std::deque<Waiting> tasks_;
  TimerId deadline_ = 0;
  std::vector<Synced> synced_;
  std::map<std::uint64_t, Answer> asked_;
  std::uint64_t next_asked_ = 1;
  std::vector<std::weak_ptr<Waiter>> waiters_;
  std::uint64_t fenced_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_CORE_H_
