#include "src/driver/conntrack/tracker.h"

#include <algorithm>
#include <chrono>

namespace mimi::internal {
namespace {

bool IsTcp(const CtEntry& entry) {
  return entry.orig.protocol == static_cast<std::uint8_t>(IpProtocol::kTcp);
}

}  // namespace

bool Tracker::Echo(std::uint32_t port_id) const {
  return std::find(options_.echo_ports.begin(), options_.echo_ports.end(), port_id) !=
         options_.echo_ports.end();
}

// By its own protocol, as our rules or the kernel have seen.
bool Tracker::Closed(const CtEntry& entry) const {
  return RowFilter::Closing(entry) ||
         (IsTcp(entry) && entry.has(kCtMark) && (entry.mark & options_.closing_mark) != 0);
}

bool Tracker::IsRow(const CtEntry& entry) const {
  return filter_.IsRow(entry) && !Closed(entry) &&
         (options_.unanswered || RowFilter::Complete(entry));
}

Tracker::Key Tracker::KeyOf(const CtEntry& entry) const {
  Flow flow;
  flow.zone = entry.zone;
  flow.protocol = static_cast<IpProtocol>(entry.orig.protocol);
  flow.orig_src = entry.orig.src;
  flow.orig_sport = entry.orig.sport;
  flow.orig_dst = entry.orig.dst;
  flow.orig_dport = entry.orig.dport;
  Key key;
  (void)EncodeKey(flow, key);  // false only for a wrong size
  return key;
}

void Tracker::Put(const Flow& flow) {
  Row row;
  const std::span<std::byte> bytes(row.data(), FlowSchema().row_size());
  if (EncodeRow(flow, bytes)) {
    output_.Put(bytes);
  }
}

void Tracker::OnEvent(const CtMessage& message) {
  if (message.kind == CtKind::kDestroy) {
    OnDestroy(message);
    return;
  }
  const CtEntry& entry = message.entry;
  if (message.port_id != 0) {
    ++counts_.echoes;
  } else if (RowFilter::Tied(entry)) {
    ++counts_.not_portable;
  } else if (!entry.has(kCtReply) || filter_.Local(entry)) {
    ++counts_.not_rows;
  } else if (RowFilter::Complete(entry) && Closed(entry)) {
    OnClosing(entry);
  } else if (IsTcp(entry) && !entry.has(kCtProtocolState)) {
    OnMark(entry);
  } else {
    OnChange(entry);
  }
}

void Tracker::OnChange(const CtEntry& entry) {
  CtEntry now = entry;
  if (IsTcp(now) && now.protocol_state == static_cast<std::uint8_t>(FlowState::kSynReceived)) {
    // Assured as well, or it is no row: a closing entry that a new connection has taken over. It
    // will not be assured once more, so this is its beginning.
    now.protocol_state = static_cast<std::uint8_t>(FlowState::kEstablished);
  }
  if (!IsRow(now)) {
    ++counts_.not_rows;
    return;
  }
  Flow flow = FlowFromCt(now, ~options_.closing_mark);
  flow.idle_timeout = std::chrono::seconds(now.timeout);
  Learn(flow, now, true);
}

// A change of the operator's mark: the event says nothing of TCP's memory, we know it.
void Tracker::OnMark(const CtEntry& entry) {
  Known* known = index_.Find(KeyOf(entry));
  if (known == nullptr || known->ended || known->id != entry.id) {
    ++counts_.not_rows;
    return;
  }
  Flow flow = FlowFromCt(entry, ~options_.closing_mark);
  flow.state = FlowState::kEstablished;
  flow.idle_timeout = std::chrono::seconds(known->timeout);
  flow.proto_orig = known->proto_orig;
  flow.proto_reply = known->proto_reply;
  SetHeard(*known, true);
  known->round = round_;
  ++counts_.changed;
  Put(flow);
}

void Tracker::Learn(const Flow& flow, const CtEntry& entry, bool heard) {
  Key key;
  (void)EncodeKey(flow, key);
  const std::size_t before = index_.size();
  Known* known = index_.Touch(key);
  if (known == nullptr) {
    ++counts_.out_of_memory;
    return;
  }
  if (index_.size() != before) {
    ++unheard_;  // until SetHeard() says otherwise
  }
  if (known->ended) {
    known->ended = false;
    --ended_;
    ++unheard_;
    known->heard = false;
  }
  if (heard) {
    ++(index_.size() != before || known->id != entry.id ? counts_.begun : counts_.changed);
  }
  known->proto_orig = flow.proto_orig;
  known->proto_reply = flow.proto_reply;
  known->timeout = heard ? entry.timeout : known->timeout;
  Remember(*known, entry, heard);
  Put(flow);
}

void Tracker::Remember(Known& known, const CtEntry& entry, bool heard) {
  SetHeard(known, heard || (known.heard && known.id == entry.id));
  known.id = entry.id;
  known.round = round_;
}

void Tracker::SetHeard(Known& known, bool heard) {
  if (known.heard != heard) {
    known.heard = heard;
    heard ? --unheard_ : ++unheard_;
  }
}

// The flow that this entry is known as; nullptr: none.
Tracker::Known* Tracker::FindSame(const Key& key, const CtEntry& entry, bool* late) {
  Known* known = index_.Find(key);
  *late = known != nullptr && (known->ended || known->id != entry.id);
  if (known != nullptr || !walking_) {
    return known;
  }
  // What a walk still shows of it is from before.
  if (Known* memory = index_.Touch(key); memory != nullptr) {
    ++unheard_;
    memory->id = entry.id;
    Drop(*memory);
  }
  return nullptr;
}

void Tracker::OnClosing(const CtEntry& entry) {
  const Key key = KeyOf(entry);
  bool late = false;
  Known* known = FindSame(key, entry, &late);
  if (late) {
    ++counts_.late;
    return;
  }
  if (known == nullptr) {
    ++counts_.ended_elsewhere;  // it came from the other box, and closes here
  } else {
    ++counts_.ended;
    Drop(*known);
  }
  output_.Erase(key, Op::kErase);
}

// Always an abrupt end, also where the last state says that the protocol has ended it: a box
// without traffic sees that too, of entries that a minion has demoted, and must not publish it.
void Tracker::OnDestroy(const CtMessage& message) {
  const CtEntry& entry = message.entry;
  if (RowFilter::Tied(entry) || filter_.Local(entry) ||
      (!RowFilter::Complete(entry) && !options_.unanswered)) {
    ++counts_.not_rows;
    return;
  }
  const bool echo = message.port_id != 0 && Echo(message.port_id);
  counts_.echoes += echo;
  const Key key = KeyOf(entry);
  bool late = false;
  Known* known = FindSame(key, entry, &late);
  if (late) {
    ++counts_.late;
    return;
  }
  if (known != nullptr) {
    counts_.ended_abruptly += !echo;
    Drop(*known);
  } else if (!echo && !Closed(entry)) {
    ++counts_.ended_elsewhere;
  }
  if (!echo && (known != nullptr || !Closed(entry))) {
    output_.Erase(key, Op::kEraseAbrupt);
  }
}

// Ends a flow: for good, or, while a walk may still show it, as a memory of its end.
void Tracker::Drop(Known& known) {
  if (!walking_) {
    Forget(known);
    return;
  }
  SetHeard(known, true);
  known.ended = true;
  known.round = round_;
  ++ended_;
}

void Tracker::Forget(Known& known) {
  SetHeard(known, true);
  ended_ -= known.ended;
  index_.Forget(known);
}

void Tracker::BeginWalk(WalkKind kind) {
  ++round_;
  walking_ = true;
  kind_ = kind;
  standby_now_ = 0;
  tied_now_ = 0;
}

void Tracker::OnWalked(const CtEntry& entry) {
  if (!entry.has(kCtOrig | kCtReply) || filter_.Local(entry)) {
    return;
  }
  if (RowFilter::Tied(entry)) {
    tied_now_ += RowFilter::Complete(entry);
    return;
  }
  if (!IsRow(entry)) {
    return;
  }
  const Flow flow = FlowFromCt(entry, ~options_.closing_mark);
  Key key;
  (void)EncodeKey(flow, key);
  Known* known = index_.Find(key);
  // Events have told more: it was put during this walk, or this very entry has ended.
  if (known != nullptr && known->round == round_ && (!known->ended || known->id == entry.id)) {
    return;
  }
  const bool standby = entry.timeout >= standby_above_;
  standby_now_ += standby;
  if (kind_ == WalkKind::kCheck) {
    if (known != nullptr && known->id == entry.id) {
      known->round = round_;
    }
    return;
  }
  if (standby && entry.timeout < kOwnStandby) {
    return;  // the other box's
  }
  Learn(flow, entry, false);
}

void Tracker::EndWalk() {
  walking_ = false;
  standby_ = standby_now_;
  tied_ = tied_now_;
  settle_at_ = 1;
}

bool Tracker::Settle(std::size_t budget) {
  for (; budget > 0 && settle_at_ < index_.end(); --budget, ++settle_at_) {
    Known& known = index_.At(settle_at_);
    if (!known.used) {
      continue;
    }
    if (known.ended) {
      Forget(known);
    } else if (known.round != round_ && (kind_ == WalkKind::kResync || !known.heard)) {
      if (kind_ == WalkKind::kCheck) {
        ++counts_.found_gone;
        output_.Erase(known.key, Op::kEraseAbrupt);
      }
      Forget(known);
    }
  }
  return settle_at_ >= index_.end();
}

}  // namespace mimi::internal
