#include "mimi/builtin/policies.h"

#include "src/failover/wish.h"

namespace mimi {
namespace {

class ImmediatePolicy final : public FailoverPolicy {
 public:
  explicit ImmediatePolicy(const ImmediatePolicyOptions& options) : options_(options) {}

  std::string_view name() const override { return "immediate"; }

  Decision Decide(const PairView& view, MonotonicTime now) const override {
    return internal::Decided(internal::MakeWish(
        view, now, {.require_ready = options_.require_ready, .restore = options_.restore}));
  }

 private:
  const ImmediatePolicyOptions options_;
};

}  // namespace

std::unique_ptr<FailoverPolicy> NewImmediatePolicy(const ImmediatePolicyOptions& options) {
  return std::make_unique<ImmediatePolicy>(options);
}

}  // namespace mimi
