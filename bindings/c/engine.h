#ifndef MIMI_BINDINGS_C_ENGINE_H_
#define MIMI_BINDINGS_C_ENGINE_H_

// What an engine's handle holds.

#include <memory>

#include "mimi/engine.h"

#include "bindings/c/handles.h"
#include "src/base/mutex.h"

struct mimi_engine : mimi::c::Object {
  explicit mimi_engine(mimi_loop* its_loop) : Object("engine", its_loop) { Use(its_loop); }
  ~mimi_engine();

  /// Keeps the copy of the metrics fresh that other threads read.
  void RefreshMetrics();

  std::unique_ptr<mimi::Engine> engine;
  bool started = false;
  mimi::TimerId refresh = 0;
  /// Goes with the engine, so that what was posted for it knows.
  std::shared_ptr<mimi_engine*> alive = std::make_shared<mimi_engine*>(this);
  mimi::Mutex mutex;
  mimi::MetricList metrics;  ///< under mutex
};

namespace mimi::c {
/// Reads the options, and makes `engine` use everything that they name.
absl::StatusOr<EngineOptions> TakeEngineOptions(const mimi_engine_options* options,
                                                mimi_engine& engine);
}  // namespace mimi::c

#endif  // MIMI_BINDINGS_C_ENGINE_H_
