// The network moves the traffic; here is only looked at.

#include <memory>
#include <utility>

#include "mimi/builtin/steering.h"

#include "src/base/status.h"
#include "src/steering/programs.h"

namespace mimi {
namespace {

using internal::Program;
using internal::Programs;

class PassiveSteering final : public Steering {
 public:
  PassiveSteering(const PassiveSteeringOptions& options, Loop& loop)
      : observe_{"observe", options.observe},
        loop_(loop),
        programs_(loop, options.shell, options.deadline, options.log) {}

  std::string_view name() const override { return "passive"; }
  bool passive() const override { return true; }
  void Divert(Guard /*guard*/, StatusCallback done) override { Refuse(std::move(done)); }
  void Restore(Guard /*guard*/, StatusCallback done) override { Refuse(std::move(done)); }

  void Observe(ObserveCallback done) override {
    if (!observe_.words.empty()) {
      programs_.Ask(observe_, std::move(done));
      return;
    }
    loop_.Post([done = std::move(done)] {
      done(Error(absl::StatusCode::kUnavailable, "no program to ask where traffic goes"));
    });
  }

 private:
  void Refuse(StatusCallback done) {
    loop_.Post([done = std::move(done)] {
      done(Error(absl::StatusCode::kFailedPrecondition,
                 "steering is passive: the network moves the traffic by itself"));
    });
  }

  const Program observe_;
  Loop& loop_;
  Programs programs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Steering>> NewPassiveSteering(const PassiveSteeringOptions& options,
                                                             Loop& loop) {
  absl::Status status = Programs::CheckDeadline(options.deadline);
  if (!options.observe.empty()) {
    status.Update(Programs::Check({"observe", options.observe}, options.shell));
  }
  if (!status.ok()) {
    return Prepend("passive steering", status);
  }
  return std::make_unique<PassiveSteering>(options, loop);
}

}  // namespace mimi
