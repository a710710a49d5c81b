#include "src/driver/nflog/packet_join.h"

#include "src/wire/ctnetlink.h"

namespace mimi::internal {
namespace {

CtTuple TupleOf(const IpPacket& packet) {
  return {.src = packet.src,
          .dst = packet.dst,
          .sport = packet.sport,
          .dport = packet.dport,
          .protocol = packet.protocol};
}

}  // namespace

Flow FlowFromPackets(const IpPacket& before, const IpPacket& after) {
  CtEntry entry;
  entry.present = kCtOrig | kCtReply;
  entry.orig = TupleOf(before);
  entry.reply = TupleOf(after).Inverse();
  Flow flow = FlowFromCt(entry);
  flow.state = FlowState::kEstablished;
  flow.source = FlowSource::kNflog;
  return flow;
}

std::optional<Flow> PacketJoin::Add(LogPoint point, const IpPacket& packet, MonotonicTime now) {
  Expire(now);
  const auto [at, added] = waiting_.try_emplace(packet.fingerprint);
  Half& half = at->second;
  if (added) {
    half = {.point = point, .spoilt = false, .packet = packet, .number = next_number_};
    ages_.push_back({now + within_, packet.fingerprint, next_number_++});
    if (waiting_.size() > max_waiting_) {
      ForgetOldest();
    }
    return std::nullopt;
  }
  if (half.point == point) {
    const bool same = TupleOf(half.packet) == TupleOf(packet);
    ++(same ? counts_.repeated : counts_.ambiguous);
    half.spoilt = half.spoilt || !same;
    return std::nullopt;
  }
  if (half.spoilt) {
    return std::nullopt;
  }
  const Flow flow = point == LogPoint::kAfter ? FlowFromPackets(half.packet, packet)
                                              : FlowFromPackets(packet, half.packet);
  waiting_.erase(at);
  ++counts_.joined;
  return flow;
}

void PacketJoin::ForgetOldest() {
  while (!ages_.empty()) {
    const Age age = ages_.front();
    ages_.pop_front();
    const auto at = waiting_.find(age.fingerprint);
    if (at != waiting_.end() && at->second.number == age.number) {
      ++counts_.crowded;
      waiting_.erase(at);
      return;
    }
  }
}

void PacketJoin::Expire(MonotonicTime now) {
  while (!ages_.empty() && ages_.front().until <= now) {
    const Age age = ages_.front();
    ages_.pop_front();
    const auto at = waiting_.find(age.fingerprint);
    if (at != waiting_.end() && at->second.number == age.number) {
      counts_.alone += !at->second.spoilt;
      waiting_.erase(at);
    }
  }
}

}  // namespace mimi::internal
