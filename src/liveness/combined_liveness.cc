#include "mimi/builtin/combined_liveness.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"

namespace mimi {
namespace {

class CombinedLiveness final : public Liveness {
 public:
  explicit CombinedLiveness(CombinedLivenessOptions options)
      : box_(options.box), down_(static_cast<std::size_t>(options.down)) {
    for (std::unique_ptr<Liveness>& part : options.parts) {
      parts_.push_back({std::move(part), Health::kUnknown, {}});
    }
    name_ = down_ == 1               ? "any("
            : down_ == parts_.size() ? "all("
                                     : fmt::format("{} of {}(", down_, parts_.size());
    for (const Part& part : parts_) {
      name_.append(&part == &parts_.front() ? "" : ", ").append(part.liveness->name());
    }
    name_ += ')';
  }
  ~CombinedLiveness() override { Stop(); }

  std::string_view name() const override { return name_; }

  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    Stop();
    report_ = std::move(report);
    for (Part& part : parts_) {
      absl::Status started = part.liveness->Start([this, &part](const LivenessEvent& event) {
        if (event.box == box_) {
          part.health = event.health;
          part.reason = event.reason;
          Weigh(event.at);
        }
      });
      if (!started.ok()) {
        Stop();
        return Prepend(part.liveness->name(), started);
      }
    }
    return absl::OkStatus();
  }

  void Stop() override {
    report_ = nullptr;
    health_ = Health::kUnknown;
    for (Part& part : parts_) {
      part.liveness->Stop();
      part.health = Health::kUnknown;
    }
  }

  MetricList metrics() const override {
    MetricList all;
    for (const Part& part : parts_) {
      MetricList own = part.liveness->metrics();
      std::move(own.begin(), own.end(), std::back_inserter(all));
    }
    return all;
  }

 private:
  struct Part {
    std::unique_ptr<Liveness> liveness;
    Health health;
    std::string reason;
  };

  std::size_t Count(Health health) const {
    return static_cast<std::size_t>(std::count_if(
        parts_.begin(), parts_.end(), [health](const Part& p) { return p.health == health; }));
  }

  void Weigh(MonotonicTime at) {
    Health health = Health::kUnknown;
    if (Count(Health::kDown) >= down_) {
      health = Health::kDown;
    } else if (Count(Health::kUp) > 0) {
      health = Health::kUp;
    }
    if (std::exchange(health_, health) == health || !report_) {
      return;
    }
    const auto report = report_;  // it may stop us
    report({.box = box_, .health = health, .at = at, .reason = ReasonFor(health)});
  }

  // What speaks for it; one part alone speaks for itself.
  std::string ReasonFor(Health health) const {
    std::string reason;
    if (parts_.size() > 1) {
      reason = fmt::format("{} of {} {}", Count(health), parts_.size(), HealthName(health));
    }
    for (const Part& part : parts_) {
      if (part.health == health && !part.reason.empty()) {
        reason.append(reason.empty() ? "" : "; ").append(part.reason);
      }
    }
    return reason;
  }

  const Side box_;
  const std::size_t down_;
  std::vector<Part> parts_;
  std::string name_;
  std::function<void(const LivenessEvent&)> report_;
  Health health_ = Health::kUnknown;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewCombinedLiveness(CombinedLivenessOptions options) {
  const auto parts = static_cast<int>(options.parts.size());
  if (parts == 0 || options.down < 0 || options.down > parts) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "combined liveness: down is {} of {} parts, expected 1 to {}, or 0 for all",
                 options.down, parts, parts);
  }
  if (options.down == 0) {
    options.down = parts;
  }
  return std::make_unique<CombinedLiveness>(std::move(options));
}

}  // namespace mimi
