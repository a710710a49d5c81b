// What comes in (lanes, drafts, held erases) and where it goes (builder, or what waits).

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/status.h"
#include "src/publish/pump_impl.h"

namespace mimi {
namespace {

constexpr std::uint64_t kPrefetchAhead = 16;  // slots

}  // namespace

void Pump::Impl::DrainLanes() {
  // Before any head is read: what is put after this moment is younger than it.
  const UnixTime time = clock_.unix_now();
  const std::size_t lanes = sources_.size() - 1;
  more_ = false;
  for (std::size_t i = 0; i < lanes; ++i) {
    Source& source = *sources_[1 + (next_lane_ + i) % lanes];
    if (drained_ >= kTickRecords) {
      more_ = true;
      break;
    }
    DrainLane(source, time);
  }
  ++next_lane_;  // so that no lane is always the last
  ForgetClosed();
}

void Pump::Impl::DrainLane(Source& source, UnixTime time) {
  CountLosses(source);
  const std::uint64_t head = source.lane->Head();
  const std::uint64_t end =
      std::min(head, source.lane->tail() + (kTickRecords - std::min(drained_, kTickRecords)));
  drained_ += end - source.lane->tail();
  TakeSlots(source, end, /*to_begin=*/false);
  if (source.lane->tail() == head) {
    source.seen_empty = time;
  } else {
    more_ = true;
  }
}

bool Pump::Impl::TakeSlots(Source& source, std::uint64_t end, bool to_begin) {
  LaneConsumer& lane = *source.lane;
  std::uint64_t i = lane.tail();
  bool at_begin = false;
  for (; i != end; ++i) {
    lane.Prefetch(i + kPrefetchAhead);
    const std::span<const std::byte> slot = lane.OpAndRow(i);
    const auto op = static_cast<Op>(slot[0]);
    if (op == LaneConsumer::kBegin) [[unlikely]] {
      if (to_begin) {
        at_begin = true;
        break;
      }
      Begin(source);
    } else if (op == LaneConsumer::kEnd) [[unlikely]] {
      End(source);
    } else {
      Take(slot, source.seen_empty);
    }
  }
  lane.Release(i);
  source.tickets.Note(i, pending_.end_stream());
  return at_begin;
}

void Pump::Impl::CountLosses(Source& source) {
  const std::uint64_t lost = source.lane->Lost();
  stats_.lost_ring_full += lost - source.lost_counted;
  source.lost_counted = lost;
  if (lost > source.lost_answered) {
    source.lost_answered = lost;
    resync_.Want(now_);
  }
}

void Pump::Impl::ForgetClosed() {
  for (std::size_t i = 1; i < sources_.size();) {
    Source& source = *sources_[i];
    // In this order: after Closed() the head is final.
    if (!source.lane->Closed() || source.lane->Head() != source.lane->tail()) {
      ++i;
      continue;
    }
    CountLosses(source);
    const std::unique_ptr<Source> gone = std::move(sources_[i]);
    sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(i));
    SourceLeft(*gone);
  }
}

void Pump::Impl::Take(std::span<const std::byte> op_and_row, UnixTime time, bool ends_sure) {
  ++stats_.published;
  const auto op = static_cast<Op>(op_and_row[0]);
  const std::span<const std::byte> key = op_and_row.subspan(1, schema_.key_size());
  if (op == Op::kPut) [[likely]] {
    if (!hold_.empty() && hold_.Cancel(key)) [[unlikely]] {
      ++stats_.dropped_erases;
    }
    Store(op_and_row, time);
    return;
  }
  // A box that does not hold the traffic may not erase: what idles away there lives elsewhere. But
  // an end that the protocol made was seen in packets, so the traffic is here, and the term comes
  // (a move redirects before it claims): it waits for it, like a put.
  if (op == Op::kErase && (muted() || ends_sure)) {
    hold_.Cancel(key);  // says the same, less surely
    Store(op_and_row, time);
    return;
  }
  if (muted() && !expecting_) {
    ++(pending_.RemovePut(key) ? stats_.coalesced : stats_.muted_erases);
    return;
  }
  switch (hold_.Erase(key, op, now_)) {
    case EraseHold::Verdict::kPass:
      if (op == Op::kErase) {
        Store(op_and_row, time);
      } else {  // with erase_linger = 0
        StoreErase(key, time);
      }
      break;
    case EraseHold::Verdict::kHeld:
      ++stats_.held_erases;
      break;
    case EraseHold::Verdict::kFull:
      LosePending();
      break;
  }
}

void Pump::Impl::StoreErase(std::span<const std::byte> key, UnixTime time) {
  std::fill(erase_.begin(), erase_.end(), std::byte{0});
  erase_[0] = static_cast<std::byte>(Op::kErase);
  std::memcpy(erase_.data() + 1, key.data(), key.size());
  Store(erase_, time);
}

void Pump::Impl::Store(std::span<const std::byte> op_and_row, UnixTime time) {
  if (pending_.size() >= options_.max_pending) {
    Flush();
  }
  if (pending_.empty() && !behind() && OpenBuilder()) [[likely]] {
    builder_time_ = builder_->empty() ? time : std::min(builder_time_, time);
    builder_->Append(op_and_row);
    pending_.Skip(1);
    if (builder_->full()) {
      SealBuilder();
    }
    return;
  }
  switch (pending_.Add(op_and_row, Nanoseconds(time))) {
    case Pending::Added::kNew:
      break;
    case Pending::Added::kReplaced:
      ++stats_.coalesced;
      break;
    case Pending::Added::kMoved:
      ++stats_.coalesced;
      for (const std::unique_ptr<Source>& source : sources_) {
        source->tickets.Moved(pending_.moved_from(), pending_.end_stream());
      }
      break;
    case Pending::Added::kFull:
      LosePending();
      break;
  }
}

void Pump::Impl::LosePending() {
  ++stats_.lost_pending_full;
  const std::uint64_t place = pending_.SkipRefused();
  lost_from_ = std::min(lost_from_, place);
  lost_since_begin_ = std::min(lost_since_begin_, place);
  resync_.Want(now_);
}

void Pump::Impl::ReleaseHeld() {
  if (hold_.empty()) {
    return;
  }
  // Not since when they are held: a reader would take what waits on purpose for a pipeline that
  // lags.
  const UnixTime time = clock_.unix_now();
  for (std::span<const std::byte> key = hold_.Release(now_); !key.empty();
       key = hold_.Release(now_)) {
    StoreErase(key, time);
  }
}

absl::Status Pump::Impl::Offer(const BatchView& draft) {
  Source& direct = *sources_.front();
  if (draft.table() != schema_.table() || draft.fingerprint() != schema_.fingerprint() ||
      draft.row_size() != schema_.row_size() || draft.has(kBatchVersioned)) {
    stats_.lost_bad_draft += draft.size();
    resync_.Want(now_);
    return Error(
        absl::StatusCode::kInvalidArgument,
        "{}: a draft with rows of {} bytes, fingerprint {:x}, flags {}; expected {}, {:x}, "
        "not versioned",
        schema_.name(), draft.row_size(), draft.fingerprint(), draft.flags(), schema_.row_size(),
        schema_.fingerprint());
  }
  const bool walking =
      draft.has(kBatchResyncBegin) || (phase_ == Phase::kWalking && direct.begun && !direct.ended);
  if (walking && hold_walk_) {
    owes_room_ = true;
    return Error(absl::StatusCode::kResourceExhausted,
                 "{}: {} entries wait, of at most {}; the walk goes on when the sink has caught up",
                 schema_.name(), pending_.size(), options_.max_pending);
  }
  now_ = std::max(now_, clock_.now());
  if (draft.has(kBatchResyncBegin)) {
    direct_open_ = true;
    Begin(direct);
  }
  const UnixTime time = clock_.unix_now();
  for (const RecordView record : draft) {
    scratch_[0] = static_cast<std::byte>(record.op);
    if (record.op == Op::kPut) {
      std::memcpy(scratch_.data() + 1, record.row.data(), schema_.row_size());
    } else if (record.op == Op::kErase || record.op == Op::kEraseAbrupt) {
      std::fill(scratch_.begin() + 1, scratch_.end(), std::byte{0});
      std::memcpy(scratch_.data() + 1, record.key.data(), schema_.key_size());
    } else {
      ++stats_.lost_bad_draft;
      resync_.Want(now_);
      continue;
    }
    Take(scratch_, time, direct_ends_sure_);
  }
  if (draft.has(kBatchResyncEnd)) {
    End(direct);
  }
  interval_ = options_.drain_every;
  last_active_ = now_;
  UpdateWalkHold();
  return absl::OkStatus();
}

bool Pump::Impl::OpenBuilder() {
  if (builder_ == nullptr) {
    // While rows are swept one place in the window is theirs, so that live records do not starve
    // them.
    builder_ = window_.TakeBuilder(phase_ == Phase::kSweeping ? 1 : 0);
  }
  return builder_ != nullptr;
}

void Pump::Impl::SealBuilder() {
  const UnixTime time = builder_->empty() ? clock_.unix_now() : builder_time_;
  builder_->set_flags(builder_flags_);
  builder_flags_ = 0;
  window_.Seal(std::move(builder_), time, pending_.front_stream());
  Send();
  window_.Confirm();  // a sink in this process has done it already, and the window is free again
}

// A part of a batch goes when little is in flight; else it waits to be filled, so that a sink with
// a long round trip is not sent a window of crumbs.
void Pump::Impl::SealIfWorthwhile() {
  if (!behind() && !BuilderEmpty() && !window_.half_full()) {
    SealBuilder();
  }
}

void Pump::Impl::Flush() {
  while (!behind()) {
    const std::optional<Pending::Entry> front = pending_.Front();
    if (!front) {
      return;
    }
    if (front->op == LaneConsumer::kBegin || front->op == LaneConsumer::kEnd) {
      if (!BuilderEmpty()) {
        SealBuilder();  // which may mute, and bring back what was sealed: look again
      } else if (!(front->op == LaneConsumer::kBegin ? ReachBegin() : ReachEnd())) {
        return;
      }
      continue;
    }
    if (!OpenBuilder()) {
      return;
    }
    const UnixTime time{Duration(front->time_ns)};
    builder_time_ = builder_->empty() ? time : std::min(builder_time_, time);
    builder_->Append(front->op_and_row);
    pending_.PopFront();
    if (builder_->full()) {
      SealBuilder();
    }
  }
}

void Pump::Impl::ConfirmTickets() {
  const std::uint64_t stream = std::min(StreamConfirmed(), lost_from_);
  for (std::size_t i = 1; i < sources_.size(); ++i) {
    Source& source = *sources_[i];
    const Ticket confirmed = source.tickets.Confirmed(stream);
    if (confirmed != source.confirmed) {  // else the producer's cache line is left alone
      source.confirmed = confirmed;
      source.lane->Confirm(confirmed);
    }
  }
}

void Pump::Impl::UpdateWalkHold() {
  const bool hold = pending_.size() > options_.max_pending / (hold_walk_ ? 4 : 2);
  if (hold == hold_walk_) {
    return;
  }
  hold_walk_ = hold;
  for (std::size_t i = 1; i < sources_.size(); ++i) {
    sources_[i]->lane->HoldWalk(hold);
  }
  if (!hold && owes_room_) {
    owes_room_ = false;
    tell_wanted_ = true;
  }
}

}  // namespace mimi
