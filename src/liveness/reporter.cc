#include "src/liveness/reporter.h"

#include <utility>

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {

Reporter::Reporter(std::string name, Side box, Duration first_evidence, Loop& loop)
    : name_(std::move(name)), box_(box), first_evidence_(first_evidence), loop_(loop) {
}

Reporter::~Reporter() {
  Stop();
}

void Reporter::Start(std::function<void(const LivenessEvent&)> report) {
  Stop();
  report_ = std::move(report);
  health_ = Health::kUnknown;
  if (first_evidence_ > Duration::zero()) {
    timer_ = loop_.At(loop_.now() + first_evidence_, [this] {
      timer_ = 0;
      Say(Health::kDown, fmt::format("never heard in {}", DurationText(first_evidence_)));
    });
  }
}

void Reporter::Stop() {
  Heard();
  report_ = nullptr;
}

void Reporter::Heard() {
  loop_.Cancel(std::exchange(timer_, 0));
}

void Reporter::Say(Health health, std::string_view reason) {
  Heard();
  if (std::exchange(health_, health) != health && report_) {
    const auto report = report_;  // it may stop us
    report({.box = box_,
            .health = health,
            .at = loop_.now(),
            .reason = fmt::format("{}: {}", name_, reason)});
  }
}

void Deadline::Set(MonotonicTime at, std::function<void()> fire) {
  if (timer_ != 0 && at == at_) {
    return;
  }
  Clear();
  if (at == MonotonicTime::max()) {
    return;
  }
  at_ = at;
  timer_ = loop_.At(at, [this, fire = std::move(fire)] {
    timer_ = 0;
    fire();
  });
}

void Deadline::Clear() {
  loop_.Cancel(std::exchange(timer_, 0));
}

}  // namespace mimi::internal
