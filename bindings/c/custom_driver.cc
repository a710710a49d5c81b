// Drivers in C: an ops struct as a mimi::Driver.

#include "bindings/c/backends.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_sink {
  mimi::StateSink* sink;
};

namespace mimi::c {
namespace {

class CDriver final : public Driver {
 public:
  CDriver(mimi_driver& handle, StateSchema schema, const mimi_driver_ops& ops)
      : handle_(handle), schema_(std::move(schema)), ops_(ops) {
    const std::uint64_t covers = ops.coverage == 0 ? std::uint64_t{MIMI_COVERS_ALL} : ops.coverage;
    coverage_.begins = (covers & MIMI_COVERS_BEGINS) != 0;
    coverage_.ends = (covers & MIMI_COVERS_ENDS) != 0;
    coverage_.walkable = (covers & MIMI_COVERS_WALK) != 0 && ops.resync != nullptr;
    coverage_.complete = (covers & MIMI_COVERS_COMPLETE) != 0;
    coverage_.limits = ops.limits == nullptr ? "" : ops.limits;
  }

  const StateSchema& schema() const override { return schema_; }

  absl::Status Start(StateSink& sink) override {
    Scope scope(handle_);
    sink_.sink = &sink;
    mimi_error error = {};
    return FromC(ops_->start(ops_->self, &sink_, &error), error, "start failed");
  }

  absl::Status Resync() override {
    if (ops_->resync == nullptr) {
      return Error(absl::StatusCode::kUnimplemented, "{}: the source cannot be walked",
                   schema_.name());
    }
    Scope scope(handle_);
    mimi_error error = {};
    return FromC(ops_->resync(ops_->self, &error), error, "resync failed");
  }

  void Stop() override {
    if (sink_.sink != nullptr) {
      Scope scope(handle_);
      sink_.sink = nullptr;
      ops_->stop(ops_->self);
    }
  }

  Coverage coverage() const override { return coverage_; }
  DriverState state() const override { return state_; }
  void set_state(DriverState state) { state_ = std::move(state); }

 private:
  mimi_driver& handle_;
  StateSchema schema_;
  Ops<mimi_driver_ops> ops_;
  mimi_sink sink_ = {nullptr};  ///< nullptr while stopped
  Coverage coverage_;
  DriverState state_;
};

absl::Status CheckStarted(const mimi_sink* sink) {
  return sink->sink != nullptr ? absl::OkStatus()
                               : Error(absl::StatusCode::kFailedPrecondition,
                                       "the driver is stopped: its sink takes nothing any more");
}

}  // namespace
}  // namespace mimi::c

mimi_status mimi_driver_new(mimi_loop* loop, const mimi_schema* schema, const mimi_driver_ops* ops,
                            mimi_driver** driver, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {schema, "schema"}, {ops, "ops"}, {driver, "driver"}}, [&] {
    mimi_driver_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_driver_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckNeeded(
        {{taken.start, "mimi_driver_ops.start"}, {taken.stop, "mimi_driver_ops.stop"}}));
    auto handle = std::make_unique<mimi_driver>(loop);
    handle->driver = std::make_unique<CDriver>(*handle, schema->schema, taken);
    *driver = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_driver_close(mimi_driver* driver, mimi_error* error) {
  return Close(driver, error);
}

mimi_status mimi_driver_set_state(mimi_driver* driver, const mimi_driver_state* state,
                                  mimi_error* error) {
  return Call(error, {{driver, "driver"}, {state, "state"}}, [&]() -> absl::Status {
    mimi_driver_state told;
    MIMI_C_RETURN_IF_ERROR(Take(state, &told, "mimi_driver_state"));
    if (told.lost < driver->driver->state().lost) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "lost went back from {} to {}",
                         driver->driver->state().lost, told.lost);
    }
    // Every driver's handle holds one of these: there are no built-in ones here.
    static_cast<CDriver&>(*driver->driver)
        .set_state({told.unhealthy == 0, TextOf(told.reason), told.rows, told.events, told.refused,
                    told.lost, told.walking != 0});
    return absl::OkStatus();
  });
}

mimi_status mimi_sink_apply(mimi_sink* sink, const mimi_batch* draft, uint64_t* position,
                            mimi_error* error) {
  return Call(error, {{sink, "sink"}, {draft, "draft"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(CheckStarted(sink));
    mimi::Position ignored = 0;
    return Give(sink->sink->Apply(draft->view), position == nullptr ? &ignored : position);
  });
}

mimi_status mimi_sink_confirmed(mimi_sink* sink, uint64_t* position, mimi_error* error) {
  return Call(error, {{sink, "sink"}, {position, "position"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(CheckStarted(sink));
    *position = sink->sink->confirmed();
    return absl::OkStatus();
  });
}
