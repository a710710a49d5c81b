// [manager] policy = "immediate", "damped", "manual".

#include "mimi/builtin/policies.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::Made;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

using MadePolicy = absl::StatusOr<Made<FailoverPolicy>>;

Build<FailoverPolicy> ReadImmediatePolicy(Section& section, ReadContext& /*context*/) {
  ImmediatePolicyOptions options;
  section.Read("require_ready", &options.require_ready);
  section.Read("restore", &options.restore);
  return [options](BuildContext&) -> MadePolicy {
    return Made(NewImmediatePolicy(options));
  };
}

Build<FailoverPolicy> ReadDampedPolicy(Section& section, ReadContext& /*context*/) {
  DampedPolicyOptions options;
  section.Read("require_ready", &options.require_ready);
  section.Read("restore", &options.restore);
  section.Read("down_for", &options.down_for, Duration::zero());
  section.Read("up_for", &options.up_for, Duration::zero());
  section.Read("between_moves", &options.between_moves, Duration::zero());
  section.Read("max_moves", &options.max_moves, 1, 16);
  section.Read("within", &options.within);
  return [options](BuildContext&) {
    return MadeFrom(NewDampedPolicy(options));
  };
}

Build<FailoverPolicy> ReadManualPolicy(Section& /*section*/, ReadContext& /*context*/) {
  return [](BuildContext&) -> MadePolicy {
    return Made(NewManualPolicy());
  };
}

}  // namespace mimi::cli
