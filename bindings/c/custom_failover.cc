// Policies, steering and liveness: the built-in policies, and all three in C.

#include "mimi/builtin/policies.h"

#include "bindings/c/backends.h"
#include "bindings/c/view.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace mimi::c {
namespace {

class CPolicy final : public FailoverPolicy {
 public:
  CPolicy(mimi_policy& handle, const mimi_policy_ops& ops)
      : handle_(handle), name_(ops.name), ops_(ops) {}

  std::string_view name() const override { return name_; }

  Decision Decide(const PairView& view, MonotonicTime now) const override {
    Scope scope(handle_);
    mimi_decision told = MIMI_INIT(mimi_decision);
    const mimi_view shown(view);
    ops_->decide(ops_->self, &shown, NsOf(now), &told);
    Decision decision;
    if (!TakeEnum(told.action, 3, "action", &decision.action).ok()) {
      decision.reason = "the policy answered with an action that is none: staying";
      return decision;
    }
    decision.planned = told.planned != 0;
    decision.reason = TextOf(told.reason);
    if (told.retry_at_ns != 0) {
      decision.retry_at = TimeOf(told.retry_at_ns);
    }
    return decision;
  }

 private:
  mimi_policy& handle_;
  std::string name_;
  Ops<mimi_policy_ops> ops_;
};

class CSteering final : public Steering {
 public:
  CSteering(mimi_steering& handle, const mimi_steering_ops& ops)
      : handle_(handle), name_(ops.name), ops_(ops) {}

  std::string_view name() const override { return name_; }
  void Divert(Guard guard, StatusCallback done) override {
    Ask(ops_->divert, std::move(done), std::move(guard));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Ask(ops_->restore, std::move(done), std::move(guard));
  }
  void Observe(ObserveCallback done) override { Ask(ops_->observe, std::move(done), nullptr); }
  bool passive() const override { return ops_->passive != 0; }

 private:
  void Ask(void (*what)(void*, mimi_answer), Waiting waiting, Guard guard) {
    Scope scope(handle_);
    what(ops_->self, handle_.on->answers.Expect(handle_, std::move(waiting), std::move(guard)));
  }

  mimi_steering& handle_;
  std::string name_;
  Ops<mimi_steering_ops> ops_;
};

class CLiveness final : public Liveness {
 public:
  using Report = std::function<void(const LivenessEvent&)>;

  CLiveness(mimi_liveness& handle, const mimi_liveness_ops& ops)
      : handle_(handle), name_(ops.name), ops_(ops) {}

  std::string_view name() const override { return name_; }

  absl::Status Start(Report report) override {
    Scope scope(handle_);
    report_ = std::make_shared<Report>(std::move(report));
    mimi_error error = {};
    absl::Status status = FromC(ops_->start(ops_->self, &error), error, "start failed");
    if (!status.ok()) {
      report_ = nullptr;
    }
    return status;
  }

  void Stop() override {
    if (report_ != nullptr) {
      Scope scope(handle_);
      report_ = nullptr;
      ops_->stop(ops_->self);
    }
  }

  /// From the loop, so that no policy is asked outside of a run; unless it is stopped before.
  absl::Status Tell(LivenessEvent event) {
    if (report_ == nullptr) {
      return Error(absl::StatusCode::kFailedPrecondition, "{} is not started", name_);
    }
    handle_.on->loop->Post([report = std::weak_ptr(report_), event = std::move(event)] {
      if (const std::shared_ptr<Report> now = report.lock()) {
        (*now)(event);
      }
    });
    return absl::OkStatus();
  }

 private:
  mimi_liveness& handle_;
  std::string name_;
  Ops<mimi_liveness_ops> ops_;
  std::shared_ptr<Report> report_;  ///< null while stopped
};

absl::Status GivePolicy(std::unique_ptr<FailoverPolicy> made, mimi_policy** policy) {
  auto handle = std::make_unique<mimi_policy>();
  handle->policy = std::move(made);
  *policy = handle.release();
  return absl::OkStatus();
}

void SetIf(std::int64_t ns, Duration* to) {
  if (ns != 0) {
    *to = Duration(ns);
  }
}

}  // namespace
}  // namespace mimi::c

mimi_status mimi_policy_new_immediate(int32_t require_ready, int32_t restore, mimi_policy** policy,
                                      mimi_error* error) {
  return Call(error, {{policy, "policy"}}, [&] {
    return GivePolicy(mimi::NewImmediatePolicy({require_ready != 0, restore != 0}), policy);
  });
}

mimi_status mimi_policy_new_damped(const mimi_damped_options* options, mimi_policy** policy,
                                   mimi_error* error) {
  return Call(error, {{policy, "policy"}}, [&] {
    mimi_damped_options taken;
    MIMI_C_RETURN_IF_ERROR(Take(options, &taken, "mimi_damped_options"));
    mimi::DampedPolicyOptions damped;
    damped.require_ready = taken.require_ready != 0;
    damped.restore = taken.no_restore == 0;
    SetIf(taken.down_for, &damped.down_for);
    SetIf(taken.up_for, &damped.up_for);
    SetIf(taken.between_moves, &damped.between_moves);
    SetIf(taken.within, &damped.within);
    damped.max_moves = taken.max_moves == 0 ? damped.max_moves : taken.max_moves;
    auto made = mimi::NewDampedPolicy(damped);
    MIMI_C_RETURN_IF_ERROR(made.status());
    return GivePolicy(*std::move(made), policy);
  });
}

mimi_status mimi_policy_new_manual(mimi_policy** policy, mimi_error* error) {
  return Call(error, {{policy, "policy"}},
              [&] { return GivePolicy(mimi::NewManualPolicy(), policy); });
}

mimi_status mimi_policy_new(const mimi_policy_ops* ops, mimi_policy** policy, mimi_error* error) {
  return Call(error, {{ops, "ops"}, {policy, "policy"}}, [&] {
    mimi_policy_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_policy_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckNeeded(
        {{taken.name, "mimi_policy_ops.name"}, {taken.decide, "mimi_policy_ops.decide"}}));
    auto handle = std::make_unique<mimi_policy>();
    handle->policy = std::make_unique<CPolicy>(*handle, taken);
    *policy = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_policy_close(mimi_policy* policy, mimi_error* error) {
  return Close(policy, error);
}

mimi_status mimi_steering_new(mimi_loop* loop, const mimi_steering_ops* ops,
                              mimi_steering** steering, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {ops, "ops"}, {steering, "steering"}}, [&] {
    mimi_steering_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_steering_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckNeeded({{taken.name, "mimi_steering_ops.name"},
                                        {taken.divert, "mimi_steering_ops.divert"},
                                        {taken.restore, "mimi_steering_ops.restore"},
                                        {taken.observe, "mimi_steering_ops.observe"}}));
    auto handle = std::make_unique<mimi_steering>(loop);
    handle->steering = std::make_unique<CSteering>(*handle, taken);
    *steering = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_steering_close(mimi_steering* steering, mimi_error* error) {
  return Close(steering, error);
}

mimi_status mimi_steering_may_act(mimi_steering* steering, mimi_answer answer, int32_t* may,
                                  mimi_error* error) {
  return Call(error, {{steering, "steering"}, {may, "may"}}, [&] {
    absl::StatusOr<bool> allowed = steering->on->answers.MayAct(answer);
    MIMI_C_RETURN_IF_ERROR(allowed.status());
    *may = *allowed ? 1 : 0;
    return absl::OkStatus();
  });
}

mimi_status mimi_liveness_new(mimi_loop* loop, const mimi_liveness_ops* ops,
                              mimi_liveness** liveness, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {ops, "ops"}, {liveness, "liveness"}}, [&] {
    mimi_liveness_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_liveness_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckNeeded({{taken.name, "mimi_liveness_ops.name"},
                                        {taken.start, "mimi_liveness_ops.start"},
                                        {taken.stop, "mimi_liveness_ops.stop"}}));
    auto handle = std::make_unique<mimi_liveness>(loop);
    handle->liveness = std::make_unique<CLiveness>(*handle, taken);
    *liveness = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_liveness_close(mimi_liveness* liveness, mimi_error* error) {
  return Close(liveness, error);
}

mimi_status mimi_liveness_report(mimi_liveness* liveness, int32_t side, int32_t health,
                                 int64_t at_ns, const char* reason, mimi_error* error) {
  return Call(error, {{liveness, "liveness"}}, [&] {
    mimi::LivenessEvent event;
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &event.box));
    MIMI_C_RETURN_IF_ERROR(TakeEnum(health, 3, "health", &event.health));
    event.at = TimeOf(at_ns == 0 ? mimi_now_ns() : at_ns);
    event.reason = reason == nullptr ? "" : reason;
    return static_cast<CLiveness&>(*liveness->liveness).Tell(std::move(event));
  });
}
