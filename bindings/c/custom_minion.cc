// Minions in C: an ops struct as a mimi::Minion.

#include "bindings/c/backends.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_audit {
  mimi::AuditVisitor* visitor;
  std::size_t row_size;
};

namespace mimi::c {

namespace {

class CMinion final : public Minion {
 public:
  CMinion(mimi_minion& handle, StateSchema schema, const mimi_minion_ops& ops)
      : handle_(handle), schema_(std::move(schema)), ops_(ops) {}

  const StateSchema& schema() const override { return schema_; }

  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    Scope scope(handle_);
    const mimi_batch shown{batch, {}};
    mimi_error error = {};
    Position position = accepted_;
    absl::Status status =
        FromC(ops_->apply(ops_->self, &shown, &position, &error), error, "apply failed");
    MIMI_C_RETURN_IF_ERROR(std::move(status));
    if (position < accepted_) {
      return Error(absl::StatusCode::kInternal, "apply: the position went back from {} to {}",
                   accepted_, position);
    }
    return accepted_ = position;
  }
  Position confirmed() const override { return confirmed_; }

  void Warm(StatusCallback done) override { Ask(ops_->warm, std::move(done)); }
  void Activate(StatusCallback done) override { Ask(ops_->activate, std::move(done)); }
  void Retire(StatusCallback done) override { Ask(ops_->retire, std::move(done)); }

  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override {
    if (ops_->audit == nullptr) {
      return Error(absl::StatusCode::kUnimplemented, "{}: this minion cannot be audited",
                   schema_.name());
    }
    Scope scope(handle_);
    mimi_audit audit{&visitor, schema_.row_size()};
    int32_t ended = 0;
    mimi_error error = {};
    absl::Status status =
        FromC(ops_->audit(ops_->self, &audit, budget, &ended, &error), error, "audit failed");
    MIMI_C_RETURN_IF_ERROR(std::move(status));
    return ended != 0;
  }

  MinionState state() const override { return state_; }
  void set_state(MinionState state) { state_ = std::move(state); }

  absl::Status Confirm(Position position) {
    if (position < confirmed_ || position > accepted_) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "position {}, expected {} (confirmed) to {} (accepted)", position, confirmed_,
                   accepted_);
    }
    confirmed_ = position;
    return absl::OkStatus();
  }

 private:
  void Ask(void (*what)(void*, mimi_answer), StatusCallback done) {
    Answers& answers = handle_.on->answers;
    const mimi_answer answer = answers.Expect(handle_, std::move(done));
    if (what == nullptr) {
      answers.GiveStatus(answer, absl::OkStatus()).IgnoreError();
    } else {
      Scope scope(handle_);
      what(ops_->self, answer);
    }
  }

  mimi_minion& handle_;
  StateSchema schema_;
  Ops<mimi_minion_ops> ops_;
  Position accepted_ = 0;
  Position confirmed_ = 0;
  MinionState state_;
};

}  // namespace
}  // namespace mimi::c

mimi_status mimi_minion_new(mimi_loop* loop, const mimi_schema* schema, const mimi_minion_ops* ops,
                            mimi_minion** minion, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {schema, "schema"}, {ops, "ops"}, {minion, "minion"}}, [&] {
    mimi_minion_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_minion_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckNeeded({{taken.apply, "mimi_minion_ops.apply"}}));
    auto handle = std::make_unique<mimi_minion>(loop);
    handle->minion = std::make_unique<CMinion>(*handle, schema->schema, taken);
    *minion = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_minion_close(mimi_minion* minion, mimi_error* error) {
  return Close(minion, error);
}

mimi_status mimi_minion_confirm(mimi_minion* minion, uint64_t position, mimi_error* error) {
  return Call(error, {{minion, "minion"}},
              [&] { return static_cast<CMinion&>(*minion->minion).Confirm(position); });
}

mimi_status mimi_minion_set_state(mimi_minion* minion, const mimi_minion_state* state,
                                  mimi_error* error) {
  return Call(error, {{minion, "minion"}, {state, "state"}}, [&] {
    mimi_minion_state told;
    MIMI_C_RETURN_IF_ERROR(Take(state, &told, "mimi_minion_state"));
    static_cast<CMinion&>(*minion->minion)
        .set_state({told.unhealthy == 0, TextOf(told.reason), told.active != 0, told.rows,
                    told.capacity, told.refused});
    return absl::OkStatus();
  });
}

mimi_status mimi_audit_row(mimi_audit* audit, const void* row, size_t row_size, mimi_error* error) {
  return Call(error, {{audit, "audit"}, {row, "row"}}, [&]() -> absl::Status {
    if (row_size != audit->row_size) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "row has {} bytes, expected {}",
                         row_size, audit->row_size);
    }
    audit->visitor->Row(SpanOf(row, row_size));
    return absl::OkStatus();
  });
}

mimi_status mimi_audit_finding(mimi_audit* audit, const char* kind, const char* detail,
                               mimi_error* error) {
  return Call(error, {{audit, "audit"}, {kind, "kind"}, {detail, "detail"}}, [&] {
    audit->visitor->Finding(kind, detail);
    return absl::OkStatus();
  });
}
