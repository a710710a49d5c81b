#include "src/liveness/probe_schedule.h"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {

void ProbeSchedule::Count(bool success, std::string_view reason, ProbeActions* actions) {
  deadline_.reset();
  if (success != last_) {
    in_a_row_ = 0;
    last_ = success;
  }
  in_a_row_ = std::min(in_a_row_, std::numeric_limits<int>::max() - 1) + 1;
  const Health health = success ? Health::kUp : Health::kDown;
  if (health == health_ || in_a_row_ < (success ? config_.rise : config_.fall)) {
    return;
  }
  health_ = health;
  actions->change = ProbeActions::Change{
      success, in_a_row_ == 1 ? std::string(reason)
                              : fmt::format("{}, {} times in a row", reason, in_a_row_)};
}

ProbeActions ProbeSchedule::Tick(MonotonicTime now) {
  ProbeActions actions;
  if (deadline_.has_value() && now >= *deadline_) {
    actions.abandon = true;
    Count(false, fmt::format("no answer for {}", DurationText(config_.timeout)), &actions);
  }
  if (!deadline_.has_value() && now >= next_) {
    actions.begin = true;
    deadline_ = now + config_.timeout;
    // After a stall the rhythm starts anew: probes that were missed are not made up for.
    next_ = std::max(next_ + config_.interval, now);
  }
  return actions;
}

ProbeActions ProbeSchedule::OnResult(bool success, std::string_view reason) {
  ProbeActions actions;
  if (deadline_.has_value()) {
    Count(success, reason, &actions);
  }
  return actions;
}

MonotonicTime ProbeSchedule::NextDeadline() const {
  return deadline_.has_value() ? *deadline_ : next_;
}

}  // namespace mimi::internal
