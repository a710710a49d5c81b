#include "src/publish/erase_hold.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace mimi {

EraseHold::EraseHold(const PublisherOptions& options, std::size_t max)
    : linger_(options.erase_linger),
      bucket_(std::max<Duration>(options.burst_within / kBuckets, Duration(1))),
      burst_share_(options.burst_share),
      burst_min_(options.burst_min),
      max_(max) {
}

EraseHold::Verdict EraseHold::Erase(std::span<const std::byte> key, Op op, MonotonicTime now) {
  const bool burst = Burst(now);
  const absl::string_view name = ToAbsl(Text(key));
  if ((op != Op::kEraseAbrupt && !burst) || linger_ <= Duration::zero()) {
    // Ended properly: whatever is held of this key says the same, less surely.
    if (!held_.empty()) {
      held_.erase(name);
    }
    return Verdict::kPass;
  }
  if (held_.contains(name)) {
    return Verdict::kHeld;
  }
  if (held_.size() >= max_ || queue_.size() >= 2 * max_) {
    return Verdict::kFull;
  }
  held_.emplace(name, next_number_);
  queue_.push_back({now + linger_, next_number_++, std::string(Text(key))});
  return Verdict::kHeld;
}

bool EraseHold::Burst(MonotonicTime now) {
  const std::int64_t number = now.time_since_epoch() / bucket_;
  const std::int64_t passed = std::min<std::int64_t>(number - bucket_number_, kBuckets);
  for (std::int64_t i = 1; i <= passed; ++i) {
    std::size_t& oldest =
        counts_[static_cast<std::size_t>((bucket_number_ + i) % std::int64_t{kBuckets})];
    recent_ -= oldest;
    oldest = 0;
  }
  if (passed > 0) {
    bucket_number_ = number;
  }
  ++counts_[static_cast<std::size_t>(bucket_number_ % std::int64_t{kBuckets})];
  ++recent_;
  return recent_ > burst_min_ &&
         static_cast<double>(recent_) >= burst_share_ * static_cast<double>(rows_);
}

bool EraseHold::Cancel(std::span<const std::byte> key) {
  return held_.erase(ToAbsl(Text(key))) > 0;
}

bool EraseHold::Holds(std::span<const std::byte> key) const {
  return held_.contains(ToAbsl(Text(key)));
}

std::span<const std::byte> EraseHold::Release(MonotonicTime now) {
  while (!queue_.empty() && queue_.front().until <= now) {
    Waiting first = std::move(queue_.front());
    queue_.pop_front();
    const auto held = held_.find(first.key);
    if (held != held_.end() && held->second == first.number) {
      held_.erase(held);
      released_ = std::move(first.key);
      return std::as_bytes(std::span(released_));
    }
  }
  return {};
}

std::size_t EraseHold::Drop() {
  const std::size_t dropped = held_.size();
  held_.clear();
  queue_.clear();
  return dropped;
}

}  // namespace mimi
