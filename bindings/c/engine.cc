// Engines: mimi/engine.h.

#include "bindings/c/engine.h"

#include "bindings/c/lane.h"
#include "bindings/c/view.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

constexpr mimi::Duration kRefreshEvery = std::chrono::milliseconds(250);

/// The first run starts the engine.
absl::Status Start(mimi_engine* engine) {
  if (engine->started) {
    return absl::OkStatus();
  }
  MIMI_C_RETURN_IF_ERROR(engine->engine->Start());
  engine->started = true;
  engine->RefreshMetrics();
  return absl::OkStatus();
}

/// Runs `what` from the loop, so that everything it calls back is called inside a run.
template <class What>
absl::Status Later(mimi_engine* engine, What what) {
  engine->on->loop->Post([alive = std::weak_ptr(engine->alive), what = std::move(what)] {
    if (const auto now = alive.lock()) {
      what(**now);
    }
  });
  return absl::OkStatus();
}

void Audited(mimi_engine& engine, mimi::Side side, mimi_audit_fn done, void* context) {
  engine.engine->Audit(
      side, [&engine, done, context](const absl::StatusOr<mimi::AuditResult>& result) {
        Scope scope(engine);
        std::string findings;
        mimi_audit_result told = MIMI_INIT(mimi_audit_result);
        if (result.ok()) {
          for (const std::string& finding : result->findings) {
            findings += finding + "\n";
          }
          told.compared = result->compared;
          told.missing = result->missing;
          told.extra = result->extra;
          told.different = result->different;
          told.repaired = result->repaired;
        }
        told.findings = findings.c_str();
        done(context, CodeOf(result.status()), std::string(mimi::Message(result.status())).c_str(),
             result.ok() ? &told : nullptr);
      });
}

std::string LabelText(const mimi::MetricLabels& labels) {
  std::string text;
  for (const mimi::MetricLabel& label : labels) {
    text += (text.empty() ? "" : ",") + label.name + "=\"" + label.value + "\"";
  }
  return text;
}

}  // namespace

mimi_engine::~mimi_engine() {
  on->loop->Cancel(refresh);
  engine.reset();
  for (const Object* used : uses) {
    if (!used->shared) {  // what a store still answers, the engine's parts know to ignore
      on->answers.Drop(*used);
    }
  }
}

void mimi_engine::RefreshMetrics() {
  mimi::MetricList fresh = engine->metrics();
  {
    mimi::MutexLock lock(mutex);
    metrics.swap(fresh);
  }
  refresh = on->loop->At(on->loop->now() + kRefreshEvery, [this] { RefreshMetrics(); });
}

mimi_status mimi_engine_new(mimi_loop* loop, const mimi_engine_options* options,
                            mimi_engine** engine, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {options, "options"}, {engine, "engine"}}, [&] {
    auto handle = std::make_unique<mimi_engine>(loop);
    absl::StatusOr<mimi::EngineOptions> taken = TakeEngineOptions(options, *handle);
    MIMI_C_RETURN_IF_ERROR(taken.status());
    auto made = mimi::NewEngine(*std::move(taken), *loop->loop);
    MIMI_C_RETURN_IF_ERROR(made.status());
    handle->engine = *std::move(made);
    *engine = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_close(mimi_engine* engine, mimi_error* error) {
  return Call(error, {}, [&] {
    if (engine != nullptr) {
      MIMI_C_RETURN_IF_ERROR(engine->CanClose(true));
      delete engine;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_start(mimi_engine* engine, mimi_error* error) {
  return Call(error, {{engine, "engine"}}, [&] {
    Running running(*engine->on);
    MIMI_C_RETURN_IF_ERROR(running.status());
    return Start(engine);
  });
}

mimi_status mimi_engine_stop(mimi_engine* engine, int64_t timeout, mimi_done_fn done, void* context,
                             mimi_error* error) {
  return Call(error, {{engine, "engine"}, {done, "done"}}, [&] {
    return Later(engine, [=](mimi_engine& its) {
      its.engine->Stop(mimi::Duration(timeout), Done(its, done, context));
    });
  });
}

mimi_status mimi_engine_poll_fd(mimi_engine* engine, int* fd, mimi_error* error) {
  return Call(error, {{engine, "engine"}, {fd, "fd"}}, [&] {
    *fd = engine->engine->PollFd();
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_next_deadline(mimi_engine* engine, int64_t* at_ns, mimi_error* error) {
  return Call(error, {{engine, "engine"}, {at_ns, "at_ns"}}, [&] {
    const auto at = engine->engine->NextDeadline();
    *at_ns = !engine->started ? 0 : at.has_value() ? NsOf(*at) : MIMI_NEVER;
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_run_once(mimi_engine* engine, int32_t* worked, mimi_error* error) {
  return Call(error, {{engine, "engine"}}, [&] {
    Running running(*engine->on);
    MIMI_C_RETURN_IF_ERROR(running.status());
    MIMI_C_RETURN_IF_ERROR(Start(engine));
    const bool any = engine->engine->RunOnce();
    if (worked != nullptr) {
      *worked = any ? 1 : 0;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_run(mimi_engine* engine, mimi_error* error) {
  return Call(error, {{engine, "engine"}}, [&] {
    Running running(*engine->on);
    MIMI_C_RETURN_IF_ERROR(running.status());
    MIMI_C_RETURN_IF_ERROR(Start(engine));
    engine->engine->Run();
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_wake(mimi_engine* engine, mimi_error* error) {
  return Call(error, {{engine, "engine"}}, [&] {
    engine->on->loop->Post([] {});
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_open_lane(mimi_engine* engine, int32_t side, const mimi_schema* schema,
                                  mimi_lane** lane, mimi_error* error) {
  return Call(error, {{engine, "engine"}, {schema, "schema"}, {lane, "lane"}}, [&] {
    mimi::Side box{};
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &box));
    return GiveNew(engine->engine->OpenLane(box, schema->schema), lane);
  });
}

mimi_status mimi_engine_report(mimi_engine* engine, int32_t side, int32_t health, int64_t at_ns,
                               const char* reason, mimi_error* error) {
  return Call(error, {{engine, "engine"}}, [&] {
    mimi::LivenessEvent event;
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &event.box));
    MIMI_C_RETURN_IF_ERROR(TakeEnum(health, 3, "health", &event.health));
    event.at = TimeOf(at_ns == 0 ? mimi_now_ns() : at_ns);
    event.reason = reason == nullptr ? "" : reason;
    engine->engine->Report(std::move(event));
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_divert(mimi_engine* engine, mimi_done_fn done, void* context,
                               mimi_error* error) {
  return Call(error, {{engine, "engine"}, {done, "done"}}, [&] {
    return Later(engine, [=](mimi_engine& its) { its.engine->Divert(Done(its, done, context)); });
  });
}

mimi_status mimi_engine_restore(mimi_engine* engine, mimi_done_fn done, void* context,
                                mimi_error* error) {
  return Call(error, {{engine, "engine"}, {done, "done"}}, [&] {
    return Later(engine, [=](mimi_engine& its) { its.engine->Restore(Done(its, done, context)); });
  });
}

mimi_status mimi_engine_audit(mimi_engine* engine, int32_t side, mimi_audit_fn done, void* context,
                              mimi_error* error) {
  return Call(error, {{engine, "engine"}, {done, "done"}}, [&] {
    mimi::Side box{};
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &box));
    return Later(engine, [=](mimi_engine& its) { Audited(its, box, done, context); });
  });
}

mimi_status mimi_engine_metrics(mimi_engine* engine, mimi_metric_fn visit, void* context,
                                mimi_error* error) {
  return Call(error, {{engine, "engine"}, {visit, "visit"}}, [&] {
    mimi::MetricList metrics;
    {
      mimi::MutexLock lock(engine->mutex);
      metrics = engine->metrics;
    }
    for (const mimi::Metric& metric : metrics) {
      visit(context, std::string(metric.name).c_str(), LabelText(metric.labels).c_str(),
            metric.value, metric.kind == mimi::MetricKind::kCounter ? 1 : 0);
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_engine_view(mimi_engine* engine, mimi_view** view, mimi_error* error) {
  return Call(error, {{engine, "engine"}, {view, "view"}}, [&] {
    *view = new mimi_view(engine->engine->status());
    return absl::OkStatus();
  });
}
