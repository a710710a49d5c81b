#ifndef MIMI_SRC_PUBLISH_PUMP_IMPL_H_
#define MIMI_SRC_PUBLISH_PUMP_IMPL_H_

// The inside of Pump (pump.h): its state, for pump.cc (life, terms, ticks), pump_drain.cc (what
// comes in, what goes out) and pump_resync.cc (rounds).

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "src/publish/erase_hold.h"
#include "src/publish/lane.h"
#include "src/publish/pending.h"
#include "src/publish/pump.h"
#include "src/publish/resync_backoff.h"
#include "src/publish/tickets.h"
#include "src/publish/window.h"

namespace mimi {

class Pump::Impl {
 public:
  Impl(const StateSchema& schema, Origin origin, StateSink& sink, const Clock& clock,
       PumpOwner& owner, const PublisherOptions& options, std::uint64_t seed, int wake_fd);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // See pump.h.
  absl::StatusOr<Lane*> OpenLane();
  void SetDirect(bool open);
  absl::Status Offer(const BatchView& draft);
  absl::Status SetTerm(std::uint64_t term);
  void Mute();
  void Withdraw();
  bool SweepErase(std::span<const std::byte> key);
  bool FinishResync();
  void SetExpecting(bool expecting);
  bool DropOvertaken(const std::function<void(std::span<const std::byte> key)>& dropped);
  void DropHeldErases();
  void Tick(MonotonicTime now);
  MonotonicTime NextDeadline() const;
  PublisherStats Stats() const;
  bool Drained() const;
  bool BacklogConfirmed() const;
  bool Holds(std::span<const std::byte> key);

  const absl::Status& status() const { return status_; }
  bool sweeping() const { return phase_ == Phase::kSweeping; }
  void WantResync() { resync_.Want(now_); }
  void set_rows(std::size_t rows) { hold_.set_rows(rows); }
  void set_direct_ends_sure(bool sure) { direct_ends_sure_ = sure; }
  int wake_fd() const { return wake_fd_; }
  Position sent_position() const { return window_.sent_position(); }

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  // Records drained in one tick: a millisecond's worth, so that the loop is not kept from others.
  static constexpr std::uint64_t kTickRecords = 16384;

  // A lane, or the driver on the loop thread.
  struct Source {
    std::optional<LaneConsumer> lane;
    Tickets tickets;
    Ticket confirmed = 0;            // as the lane was told
    UnixTime seen_empty{};           // whatever the ring holds was put after this
    std::uint64_t lost_counted = 0;  // in stats
    std::uint64_t lost_answered =
        0;                    // losses up to here have led to a resync, or to the wish for one
    std::uint64_t asked = 0;  // the wish it was asked with
    bool answered = true;     // it has begun since it was asked
    bool takes_part = false;  // in the round; then:
    bool begun = false;
    bool ended = false;
  };

  enum class Phase {
    kIdle,
    kAsked,       // the sources know
    kWalking,     // the begin mark stands, not every source has ended
    kWalked,      // the end mark stands
    kConfirming,  // the end mark was reached; what stands before it is not all confirmed
    kSweeping,    // the owner erases what is older
    kEnding,      // the end is sealed, not confirmed
  };

  // pump_drain.cc
  void DrainLanes();
  void DrainLane(Source& source, UnixTime time);
  // Takes slots up to `end`. Returns whether it stopped at a begin, which it does when `to_begin`.
  bool TakeSlots(Source& source, std::uint64_t end, bool to_begin);
  void CountLosses(Source& source);
  void ForgetClosed();
  // `ends_sure`: an end by the protocol is one, also in a burst.
  void Take(std::span<const std::byte> op_and_row, UnixTime time, bool ends_sure = false);
  void StoreErase(std::span<const std::byte> key, UnixTime time);
  void Store(std::span<const std::byte> op_and_row, UnixTime time);
  void LosePending();
  void ReleaseHeld();
  bool OpenBuilder();
  void SealBuilder();
  void SealIfWorthwhile();
  void Flush();
  void ConfirmTickets();
  void UpdateWalkHold();

  // pump_resync.cc
  bool TakesPart(const Source& source) const { return source.lane.has_value() || direct_open_; }
  void AskIfDue();
  void Ask(Source& source);
  void Begin(Source& source);
  void Gather(const Source& beginner);
  void End(Source& source);
  void SourceLeft(const Source& source);
  void EndRoundIfAllEnded();
  void CancelRound();
  // The mark at the front. False: no room in the window yet.
  bool ReachBegin();
  bool ReachEnd();
  void ProgressRound();
  void SealSweep(std::uint16_t flags);

  // pump.cc
  void Send();
  void Stop(const absl::Status& why);
  void Unseal();
  void UnsealBuilder();
  void DeliverEvents();
  void ChooseInterval();
  void ListenForWake();
  bool BuilderEmpty() const {
    return builder_ == nullptr || (builder_->empty() && builder_flags_ == 0);
  }
  bool muted() const { return term_ == 0; }
  // Everything before this place of the stream is confirmed.
  std::uint64_t StreamConfirmed() const {
    const bool all = window_.empty() && pending_.empty() && BuilderEmpty();
    return all ? pending_.end_stream() : window_.stream_done();
  }
  // Nothing may be sealed, or the sink has not taken what is.
  bool behind() const { return muted() || !window_.all_sent(); }
  std::int64_t Nanoseconds(UnixTime time) const { return time.time_since_epoch().count(); }

  StateSchema schema_;
  Origin origin_;
  const Clock& clock_;
  PumpOwner& owner_;
  PublisherOptions options_;
  int wake_fd_;

  std::vector<std::unique_ptr<Source>> sources_;  // the first is the direct one
  std::size_t next_lane_ = 1;
  bool direct_open_ = false;
  bool direct_ends_sure_ = false;
  std::vector<std::byte> scratch_;  // an op and a row of a draft
  std::vector<std::byte> erase_;    // an erase that was held

  EraseHold hold_;
  Pending pending_;
  Window window_;
  std::unique_ptr<BatchBuilder> builder_;  // being filled; nullptr: none
  std::uint16_t builder_flags_ = 0;
  UnixTime builder_time_{};

  std::uint64_t term_ = 0;
  std::uint64_t newest_term_ = 0;
  std::uint64_t backlog_end_ = 0;  // place in the stream of what came when the term had begun
  bool expecting_ = false;
  absl::Status status_;

  ResyncBackoff resync_;
  Phase phase_ = Phase::kIdle;
  std::uint64_t wish_ = 0;
  bool begin_sealed_ = false;
  Version begin_version_;
  std::uint64_t wait_for_ = 0;  // kConfirming, kEnding: until this many batches are confirmed
  std::unique_ptr<BatchBuilder> sweep_;
  // Stream places of the first record lost by the pump itself: ever and unrepaired, and since the
  // begin.
  std::uint64_t lost_from_ = kNever;
  std::uint64_t lost_since_begin_ = kNever;
  bool hold_walk_ = false;

  // What the owner is told at the end of the tick.
  bool tell_stopped_ = false;
  bool tell_wanted_ = false;
  bool tell_walked_ = false;
  bool owes_room_ = false;
  MonotonicTime ask_direct_again_{};

  MonotonicTime now_{};
  MonotonicTime last_active_{};
  Duration interval_;
  std::uint64_t drained_ = 0;  // records in this tick
  bool more_ = false;          // the tick's budget was used up
  PublisherStats stats_;

  // Keys in window_ and builder_ when these counts were so (Holds).
  struct KeysInFlight {
    std::uint64_t sealed = kNever;
    std::uint64_t done = 0;
    std::size_t built = 0;
    absl::flat_hash_set<std::string> keys;
  };
  KeysInFlight in_flight_;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_PUMP_IMPL_H_
