#include "src/failover/wish.h"

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {
namespace {

// "primary down 31 ms ago (bfd: no packet for 31 ms)"
std::string HealthText(const PairView& view, Side side, MonotonicTime now) {
  const BoxView& box = view.box(side);
  std::string text = fmt::format("{} {}", SideName(side), HealthName(box.health));
  if (box.health == Health::kUnknown) {
    return text;
  }
  if (box.health == Health::kDown) {
    text += fmt::format(" {} ago", DurationText(now - box.health_since));
  } else {
    text += fmt::format(" for {}", DurationText(now - box.health_since));
  }
  if (!box.health_reason.empty()) {
    text += fmt::format(" ({})", box.health_reason);
  }
  return text;
}

// "minion ready, 12 rows behind"
std::string StandbyText(const PairView& view, Side side) {
  const BoxView& box = view.box(side);
  std::string text = fmt::format("{} {}", SideName(side), ReadinessName(box.readiness));
  if (box.readiness != Readiness::kReady && !box.readiness_reason.empty()) {
    text += fmt::format(" ({})", box.readiness_reason);
  }
  text += fmt::format(", {} rows behind", box.rows_behind);
  return text;
}

// Away from a dead box. The wish stays kStay when there is nowhere to go.
void MakeEmergencyWish(const PairView& view, MonotonicTime now, bool require_ready, Wish* wish) {
  const Side from = view.traffic;
  const Side to = OtherSide(from);
  const BoxView& target = view.box(to);
  wish->since = view.box(from).health_since;
  wish->reason = HealthText(view, from, now) + "; ";
  if (target.health == Health::kDown) {
    wish->reason += HealthText(view, to, now) + ", nowhere to go";
    return;
  }
  if (!target.usable) {
    wish->reason += fmt::format("{} not usable ({})", SideName(to), target.readiness_reason);
    return;
  }
  wish->reason += StandbyText(view, to);
  if (require_ready && target.readiness != Readiness::kReady) {
    wish->reason += ", and only a ready one may take over";
    return;
  }
  wish->action = to == Side::kMinion ? Action::kDivert : Action::kRestore;
}

void MakeReturnWish(const PairView& view, MonotonicTime now, const WishOptions& options,
                    Wish* wish) {
  const BoxView& primary = view.primary;
  wish->since = primary.health_since;
  wish->reason = HealthText(view, Side::kPrimary, now);
  if (!options.restore) {
    wish->reason += "; an operator restores";
    return;
  }
  if (primary.health != Health::kUp) {
    return;
  }
  wish->reason += "; " + StandbyText(view, Side::kPrimary);
  if (primary.usable && primary.readiness == Readiness::kReady) {
    wish->action = Action::kRestore;
    wish->planned = true;
  }
}

}  // namespace

Wish MakeWish(const PairView& view, MonotonicTime now, const WishOptions& options) {
  Wish wish;
  if (view.box(view.traffic).health == Health::kDown) {
    // Where the minion dies under traffic, the old box is better than none, ready or not.
    const bool require_ready = options.require_ready && view.traffic == Side::kPrimary;
    MakeEmergencyWish(view, now, require_ready, &wish);
  } else if (view.traffic == Side::kMinion) {
    MakeReturnWish(view, now, options, &wish);
  } else {
    wish.since = view.primary.health_since;
    wish.reason = HealthText(view, Side::kPrimary, now);
  }
  return wish;
}

std::string_view DoingName(Action action) {
  switch (action) {
    case Action::kStay:
      return "staying";
    case Action::kDivert:
      return "diverting";
    case Action::kRestore:
      return "restoring";
  }
  return "staying";
}

Decision Decided(Wish wish) {
  Decision decision;
  decision.action = wish.action;
  decision.planned = wish.planned;
  decision.reason = fmt::format("{}; {}", wish.reason, DoingName(wish.action));
  return decision;
}

Decision Stayed(std::string reason, std::string_view why, std::optional<MonotonicTime> retry_at) {
  Decision decision;
  decision.reason = fmt::format("{}; staying: {}", reason, why);
  decision.retry_at = retry_at;
  return decision;
}

}  // namespace mimi::internal
