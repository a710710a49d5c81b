// Programs of the operator move the traffic.

#include <memory>
#include <utility>

#include <fmt/core.h>

#include "mimi/builtin/steering.h"

#include "src/base/status.h"
#include "src/steering/programs.h"

namespace mimi {
namespace {

using internal::Program;
using internal::Programs;

class CommandSteering final : public Steering {
 public:
  CommandSteering(const CommandSteeringOptions& options, Loop& loop)
      : divert_{"divert", options.divert},
        restore_{"restore", options.restore},
        observe_{"observe", options.observe},
        programs_(loop, options.shell, options.deadline, options.log) {}

  std::string_view name() const override { return "command"; }
  void Divert(Guard guard, StatusCallback done) override {
    Move(divert_, Side::kMinion, guard, std::move(done));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Move(restore_, Side::kPrimary, guard, std::move(done));
  }
  void Observe(ObserveCallback done) override { programs_.Ask(observe_, std::move(done)); }

 private:
  void Move(const Program& program, Side to, const Guard& guard, StatusCallback done) {
    programs_.Run(program, {fmt::format("MIMI_TO={}", SideName(to))}, guard,
                  [done = std::move(done)](const absl::StatusOr<std::string>& output) {
                    done(output.status());
                  });
  }

  const Program divert_, restore_, observe_;
  Programs programs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Steering>> NewCommandSteering(const CommandSteeringOptions& options,
                                                             Loop& loop) {
  absl::Status status = Programs::Check({"divert", options.divert}, options.shell);
  status.Update(Programs::Check({"restore", options.restore}, options.shell));
  status.Update(Programs::Check({"observe", options.observe}, options.shell));
  status.Update(Programs::CheckDeadline(options.deadline));
  if (!status.ok()) {
    return Prepend("command steering", status);
  }
  return std::make_unique<CommandSteering>(options, loop);
}

}  // namespace mimi
