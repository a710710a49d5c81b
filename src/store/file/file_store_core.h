#ifndef MIMI_SRC_STORE_FILE_FILE_STORE_CORE_H_
#define MIMI_SRC_STORE_FILE_FILE_STORE_CORE_H_

// FileStoreCore: one handle's share in a file store: what the face (file_store.cc), its cursors and
// its compaction have in common.
//
//   ControlFile ── lock, state, bell ──┐
//   Follower ── base and feed files ──▶│ PairState (tables, terms, leases)
//   FeedWriter ◀── Append ─────────────┘
//   Worker ── fdatasync ──▶ durable()
//
// Threads: the loop thread only. Lifetime: cursors end before it.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/builtin/file_store.h"
#include "mimi/loop.h"

#include "src/store/file/control_file.h"
#include "src/store/file/feed_writer.h"
#include "src/store/file/follower.h"
#include "src/store/file/pair_state.h"
#include "src/store/file/worker.h"

namespace mimi::internal {

class FileStoreCore {
 public:
  static absl::StatusOr<std::unique_ptr<FileStoreCore>> Open(const FileStoreOptions& options,
                                                             Loop& loop);
  ~FileStoreCore();
  FileStoreCore(const FileStoreCore&) = delete;
  FileStoreCore& operator=(const FileStoreCore&) = delete;

  // --- loading and following

  // Whether the tables are loaded. Until then nothing but Watch works.
  bool ready() const { return ready_; }
  // Why nothing works any more (damage, the store was removed, fsync failed), or why not now (disc
  // full); OK else.
  const absl::Status& status() const { return broken_.ok() ? trouble_ : broken_; }
  bool broken() const { return !broken_.ok(); }
  // Reads what others wrote, up to what the control file says now; if that takes long, goes on in
  // slices and returns false.
  bool CatchUp();

  // --- writing, under the append lock

  // The lock, and a state that this handle has followed to. nullopt: not now; try again soon.
  class Exclusive {
   public:
    explicit Exclusive(FileStoreCore& core);
    bool held() const { return state_.has_value(); }
    ControlState& state() { return *state_; }

   private:
    AppendLock lock_;
    std::optional<ControlState> state_;
  };
  // Appends one frame; the pair's own state is the caller's to move. REQUIRES: held().
  absl::Status Append(Exclusive& exclusive, FrameType type, std::span<const std::byte> payload,
                      Position advance);
  // Appends a frame that is no batch, and replays it.
  absl::Status AppendSmall(Exclusive& exclusive, FrameType type, std::string_view payload);

  // Goes on in a new file.
  absl::Status RotateFeed(Exclusive& exclusive);
  // Publishes a state whose end is the feed's. REQUIRES: held().
  absl::Status Publish(Exclusive& exclusive, const ControlState& state);

  // Everything appended up to here is confirmed. `done` is called, on the loop thread, when what
  // is appended now is durable as the options say; it may be null. Never inside the call.
  void WhenDurable(std::function<void(absl::Status)> done);
  Position confirmed() const { return confirmed_; }

  // --- operations that cannot answer at once

  // Runs `operation` on the loop thread, again and again, until it returns true.
  void Enqueue(std::function<bool()> operation);

  // --- readers

  // Calls `wake` once, soon after the feed has gone beyond `seen` or something else happened that
  // the reader has to look at. One per reader; 0 is no reader.
  std::uint64_t AddReader();
  void RemoveReader(std::uint64_t reader);
  void Arm(std::uint64_t reader, LogPlace seen, std::function<void()> wake);

  // What the control file said last; Refresh() looks again.
  const ControlState& seen() const { return seen_; }
  absl::Status Refresh();

  Loop& loop() { return loop_; }
  const FileStoreOptions& options() const { return options_; }
  const StoreDirectory& directory() const { return directory_; }
  ControlFile& control() { return control_; }
  PairState& pair() { return pair_; }
  FeedWriter& writer() { return writer_; }
  Worker& worker() { return worker_; }
  // Whether fsync is wanted at all.
  bool synced() const { return options_.fsync != FileStoreOptions::Fsync::kNever; }
  // For what is posted: false once the store has ended.
  const std::shared_ptr<bool>& alive() const { return alive_; }
  Position position() const { return follower_.position(); }
  // Changes when the tables were loaded anew: what walks them has to begin again.
  std::uint64_t epoch() const { return epoch_; }
  // Runs what set_on_progress() was given, soon.
  void PostProgress();
  // Of the feed's files that are kept.
  std::uint64_t FeedBytes() const;
  // Called on every look around, on the loop thread.
  void set_on_progress(std::function<void()> on_progress) { on_progress_ = std::move(on_progress); }
  void Break(absl::Status why);

 private:
  struct Reader {
    LogPlace seen;
    std::function<void()> wake;  // null: not armed
  };
  struct Durable {
    LogPlace place;
    std::function<void(absl::Status)> done;
  };

  FileStoreCore(const FileStoreOptions& options, Loop& loop, StoreDirectory directory,
                ControlFile control, const BootId& boot);

  absl::Status Start();
  absl::Status Watch();
  // One slice of loading. True: there is more to do.
  bool LoadSlice();
  absl::StatusOr<bool> Load(MonotonicTime deadline);
  absl::StatusOr<bool> Recover(MonotonicTime deadline);
  absl::Status StartBoot(ControlState state);
  absl::StatusOr<bool> FollowTo(const ControlState& state, MonotonicTime deadline);

  void PostSlice();
  void OnBell();
  void LookAround();
  void RunOperations();
  void WakeReaders();
  void PostWake();
  void ArmHousekeeping();

  void ScheduleSync();
  void StartSync();
  void OnSynced(LogPlace place, Position head, int error);
  void AnswerDurable();

  FileStoreOptions options_;
  Loop& loop_;
  StoreDirectory directory_;
  ControlFile control_;
  BootId boot_;
  PairState pair_;
  Follower follower_;
  FeedWriter writer_;
  Worker worker_;

  bool ready_ = false;
  bool recovering_ = false;  // holds the append lock
  bool doubtful_ = false;    // one of the control file's states is damaged: the feed decides
  int restarts_ = 0;
  absl::Status broken_;
  absl::Status trouble_;
  ControlState seen_;
  std::uint64_t epoch_ = 1;
  std::function<void()> on_progress_;

  UniqueFd bell_;
  bool slice_posted_ = false;
  bool wake_posted_ = false;
  bool operations_posted_ = false;
  TimerId retry_timer_ = 0;
  TimerId housekeeping_timer_ = 0;
  TimerId sync_timer_ = 0;

  std::vector<std::function<bool()>> operations_;
  std::map<std::uint64_t, Reader> readers_;
  std::uint64_t last_reader_ = 0;

  Position confirmed_ = 0;
  LogPlace durable_;  // as far as this handle knows
  LogPlace wanted_;   // somebody waits for this to be durable
  bool syncing_ = false;
  MonotonicTime last_sync_{};
  std::vector<Durable> waiting_;
  std::shared_ptr<bool> alive_;  // what was posted looks here
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FILE_STORE_CORE_H_
