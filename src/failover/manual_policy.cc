#include <fmt/core.h>

#include "mimi/builtin/policies.h"

#include "src/failover/wish.h"

namespace mimi {
namespace {

class ManualPolicy final : public FailoverPolicy {
 public:
  std::string_view name() const override { return "manual"; }

  Decision Decide(const PairView& view, MonotonicTime now) const override {
    const internal::Wish wish =
        internal::MakeWish(view, now, {.require_ready = false, .restore = true});
    if (wish.action == Action::kStay) {
      return internal::Decided(wish);
    }
    return internal::Stayed(wish.reason,
                            fmt::format("an operator decides (immediate would be {})",
                                        internal::DoingName(wish.action)),
                            std::nullopt);
  }
};

}  // namespace

std::unique_ptr<FailoverPolicy> NewManualPolicy() {
  return std::make_unique<ManualPolicy>();
}

}  // namespace mimi
