#include "src/liveness/traffic_watch.h"

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {

std::optional<TrafficWatch::Change> TrafficWatch::OnSample(std::uint64_t in, std::uint64_t out,
                                                           MonotonicTime now) {
  const Sample sample{in, out, now};
  if (samples_.empty() || in < samples_.back().in || out < samples_.back().out) {
    samples_ = {sample};
    return std::nullopt;
  }
  samples_.push_back(sample);
  while (samples_[1].at <= now - window_) {
    samples_.pop_front();
  }
  if (out - samples_.front().out > ignored_out_) {
    samples_ = {sample};
    if (health_ == Health::kUp) {
      return std::nullopt;
    }
    health_ = Health::kUp;
    return Change{true, "packets come out"};
  }
  const Sample& first = samples_.front();
  if (now - first.at < window_ || in - first.in < min_packets_ || health_ == Health::kDown) {
    return std::nullopt;
  }
  health_ = Health::kDown;
  return Change{false, fmt::format("{} packets went in within {} and {} came out", in - first.in,
                                   DurationText(now - first.at),
                                   out == first.out ? "none" : std::to_string(out - first.out))};
}

}  // namespace mimi::internal
