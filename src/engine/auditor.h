#ifndef MIMI_SRC_ENGINE_AUDITOR_H_
#define MIMI_SRC_ENGINE_AUDITOR_H_

// Auditor: compares what a data plane really holds with the replica's rows, and repairs it.
//
//     Auditor auditor(replica, loop, {.every = options.audit_every});
//     auditor.Request([](absl::StatusOr<AuditResult> result) { … });  // now, not each `every`
//     bool more = auditor.Tick(loop.now());
//
// A pass looks twice. The *first look* walks the data plane (Minion::Audit) and then the rows, and
// notes each difference: a row that the data plane lacks (missing), one that it has too much
// (extra), one whose fields differ (different; soft fields are not compared, schema.h). Then it
// waits until the feed positions reached by then are confirmed in the data plane. The *second look*
// walks the data plane again, for the noted keys only; a difference counts when it is still there
// and the row has not changed between the looks. So what was on its way at the first look is never
// reported. What the box has newer itself (Replica::InFlight) is not judged.
//
// What counts is then repaired through the replica's outbox, and the pass ends when the sink has
// confirmed that; unless `may_repair` says no: while a box writes, its data plane is ahead of the
// store, and putting it "right" would cut flows.
//
// At most kMaxNoted differences are noted at a time. When there are more, the pass looks twice
// again after the repair, as long as that gets it on; without repair its counts are lower bounds,
// and a finding says so.
//
// Pace: one slice of at most `slice`, then a pause of 99 times what it took (by the clock), so that
// the background pass costs 1 % of a core at most; on request the share is a quarter.
//
// Threads: the loop thread only.
// Lifetime: the replica and loop outlive the auditor. Callbacks that did not run are dropped with
// it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/engine.h"
#include "mimi/loop.h"
#include "mimi/minion.h"

#include "src/engine/replica.h"

namespace mimi::internal {

struct AuditorOptions {
  Duration every = std::chrono::minutes(5);  ///< 0: only on request, and when the replica wishes it
  Duration slice = std::chrono::microseconds(500);
  /// Asked at the end of the second look. Empty: always.
  std::function<bool()> may_repair{};
  /// A pass that waits this long for confirmation, or to settle, ends with Unavailable.
  Duration patience = std::chrono::seconds(30);
  /// Tick() is wanted; loop thread.
  std::function<void()> wake{};
  /// A pass has ended, asked for or not.
  std::function<void(const absl::StatusOr<AuditResult>&)> on_result{};
};

class Auditor {
 public:
  static constexpr std::size_t kMaxNoted = 65536;
  static constexpr std::size_t kMaxFindings = 16;
  using Callback = std::function<void(absl::StatusOr<AuditResult>)>;

  /// REQUIRES: replica.minion() != nullptr.
  Auditor(Replica& replica, Loop& loop, AuditorOptions options);
  ~Auditor();
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;

  /// A pass that begins after this call; `done` runs at its end, from Tick(). Errors given to it:
  /// Unimplemented (the minion cannot show its rows), Unavailable (the minion or the store went
  /// away, or nothing settled within `patience`).
  void Request(Callback done);

  /// One slice, when it is time. True: there is more to do at once.
  bool Tick(MonotonicTime now);
  std::optional<MonotonicTime> NextDeadline() const;

  bool running() const { return stage_ != Stage::kIdle; }
  /// Of the last pass that ended well.
  const std::optional<AuditResult>& last() const { return last_; }
  UnixTime last_at() const { return last_at_; }

 private:
  enum class Stage : std::uint8_t {
    kIdle,
    kSettling,    ///< waits until the replica follows
    kFirstSink,   ///< walks the data plane
    kFirstRows,   ///< walks the rows, for what is missing
    kConfirming,  ///< waits until both sides passed the first look
    kSecondSink,  ///< walks the data plane again
    kJudging,     ///< compares what the looks saw
    kRepairing,   ///< waits until the repairs are confirmed
  };
  enum class Kind : std::uint8_t { kMissing, kExtra, kDifferent };
  struct Noted {
    Kind kind;
    std::optional<Version> version;  ///< of the row or tombstone, at the first look
    bool shown = false;              ///< the second look saw the key …
    bool differs = false;            ///< … and a value that is not the row's
  };
  class FirstVisitor;
  class SecondVisitor;

  void Begin();
  void BeginLook();
  absl::Status Step();
  absl::Status StepSettling();
  absl::Status StepSink();
  void StepRows();
  void StepConfirming();
  void StepRepairing();
  void BeginJudging();
  void StepJudging();
  void Judge(std::span<const std::byte> key, const Noted& noted);
  bool Verify(std::span<const std::byte> key, const Noted& noted);
  void EndLook();
  void Finish(const absl::Status& status);
  absl::Status WaitedTooLong() const;
  bool Differs(std::span<const std::byte> a, std::span<const std::byte> b) const;
  void Note(std::span<const std::byte> key, Kind kind, std::optional<Version> version);
  void AddFinding(std::string text);

  Replica& replica_;
  Loop& loop_;
  AuditorOptions options_;
  struct Range {
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Range> compared_;  // the bytes of a row that are neither key nor soft

  std::vector<Callback> waiting_;  // for the next pass
  std::vector<Callback> serving_;  // by the pass under way: then it goes at the faster pace

  Stage stage_ = Stage::kIdle;
  std::optional<MonotonicTime> next_pass_;
  std::optional<MonotonicTime> next_slice_;
  MonotonicTime now_;
  MonotonicTime give_up_;
  int restarts_ = 0;
  std::uint64_t epoch_ = 0;    // Replica::epoch() when this look began
  bool rest_of_walk_ = false;  // what is left of it belongs to a look that was given up
  std::size_t budget_ = 256;
  std::uint32_t rows_at_ = 0;
  std::uint32_t rows_end_ = 0;
  std::vector<std::uint64_t> shown_;  // a bit per row number: the first look saw it
  absl::flat_hash_map<std::string, Noted> noted_;
  std::uint64_t differences_ = 0;         // at this first look, noted or not
  std::uint64_t differences_before_ = 0;  // … and at the one before it
  Position first_look_ = 0;               // the feed's position at its end
  absl::flat_hash_map<std::string, Noted>::const_iterator judged_;
  bool repairs_allowed_ = true;
  std::uint64_t repairs_ = 0;  // under way
  std::uint64_t repair_round_ = 0;
  std::optional<Position> repair_ticket_;
  AuditResult result_;
  std::optional<AuditResult> last_;
  UnixTime last_at_{};
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_AUDITOR_H_
