#include <algorithm>
#include <cstddef>

#include <fmt/core.h>

#include "mimi/builtin/policies.h"

#include "src/base/duration_text.h"
#include "src/base/status.h"
#include "src/failover/wish.h"

namespace mimi {
namespace {

constexpr int kMaxMoves = 16;  // as many as PairView::moves shows

class DampedPolicy final : public FailoverPolicy {
 public:
  explicit DampedPolicy(const DampedPolicyOptions& options) : options_(options) {}

  std::string_view name() const override { return "damped"; }

  Decision Decide(const PairView& view, MonotonicTime now) const override {
    internal::Wish wish = internal::MakeWish(
        view, now, {.require_ready = options_.require_ready, .restore = options_.restore});
    if (wish.action == Action::kStay) {
      return internal::Decided(wish);
    }
    // A planned return waits for the primary to stay up; what leaves a dead box, for it to stay
    // down.
    const Duration settled = wish.planned ? options_.up_for : options_.down_for;
    if (now < wish.since + settled) {
      return internal::Stayed(wish.reason,
                              fmt::format("only after {} of it", DurationText(settled)),
                              wish.since + settled);
    }
    if (!view.moves.empty() && now < view.moves.back().at + options_.between_moves) {
      const MonotonicTime until = view.moves.back().at + options_.between_moves;
      return internal::Stayed(
          wish.reason,
          fmt::format("the last move was {} ago", DurationText(now - view.moves.back().at)), until);
    }
    if (const std::optional<MonotonicTime> until = FlappingUntil(view, now)) {
      return internal::Stayed(wish.reason,
                              fmt::format("flapping, {} moves within {}", options_.max_moves,
                                          DurationText(options_.within)),
                              until);
    }
    return internal::Decided(std::move(wish));
  }

 private:
  // When the flap limit allows the next move. Moves that failed left the traffic alone and do not
  // count.
  std::optional<MonotonicTime> FlappingUntil(const PairView& view, MonotonicTime now) const {
    int left = options_.max_moves;
    for (std::size_t i = view.moves.size(); i-- > 0;) {
      const Move& move = view.moves[i];
      if (move.at + options_.within <= now) {
        return std::nullopt;
      }
      if (move.succeeded && --left == 0) {
        return move.at + options_.within;
      }
    }
    return std::nullopt;
  }

  const DampedPolicyOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FailoverPolicy>> NewDampedPolicy(
    const DampedPolicyOptions& options) {
  struct Named {
    std::string_view name;
    Duration value;
  };
  for (const Named& option :
       {Named{"down_for", options.down_for}, Named{"up_for", options.up_for},
        Named{"between_moves", options.between_moves}, Named{"within", options.within}}) {
    if (option.value < Duration::zero()) {
      return Error(absl::StatusCode::kInvalidArgument, "damped policy: {} is negative ({} ns)",
                   option.name, option.value.count());
    }
  }
  if (options.max_moves < 1 || options.max_moves > kMaxMoves) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "damped policy: max_moves is {}, expected 1 to {}", options.max_moves, kMaxMoves);
  }
  return std::make_unique<DampedPolicy>(options);
}

}  // namespace mimi
