// The options of an engine: from the caller's structs to ours, naming what is wrong.

#include "bindings/c/backends.h"
#include "bindings/c/engine.h"
#include "bindings/c/table.h"

namespace mimi::c {
namespace {

/// An option left at zero keeps its default.
void SetIf(std::int64_t ns, Duration* to) {
  if (ns != 0) {
    *to = Duration(std::max<std::int64_t>(ns, 0));  // negative: none
  }
}
void SetIf(std::uint64_t count, std::size_t* to) {
  if (count != 0) {
    *to = count;
  }
}
void SetIf(const char* text, std::string* to) {
  if (text != nullptr) {
    *to = text;
  }
}

/// An array of handles, none of them NULL.
template <class Handle, class Each>
absl::Status TakeArray(Handle* const* handles, std::size_t count, std::string_view name,
                       Each each) {
  if (count != 0 && handles == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "{} is NULL, but its count is {}", name,
                 count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (handles[i] == nullptr) {
      return Error(absl::StatusCode::kInvalidArgument, "{}[{}] is NULL", name, i);
    }
    each(*handles[i]);
  }
  return absl::OkStatus();
}

Coverage CoverageOf(std::uint64_t bits) {
  const std::uint64_t covers = bits == 0 ? std::uint64_t{MIMI_COVERS_ALL} : bits;
  Coverage coverage;
  coverage.begins = (covers & MIMI_COVERS_BEGINS) != 0;
  coverage.ends = (covers & MIMI_COVERS_ENDS) != 0;
  coverage.walkable = (covers & MIMI_COVERS_WALK) != 0;
  coverage.complete = (covers & MIMI_COVERS_COMPLETE) != 0;
  return coverage;
}

absl::Status TakeBox(const mimi_box_options* from, std::string_view side, mimi_engine& engine,
                     BoxOptions* box) {
  mimi_box_options taken;
  MIMI_C_RETURN_IF_ERROR(Take(from, &taken, "mimi_box_options"));
  SetIf(taken.node, &box->node);
  SetIf(taken.age_field, &box->age_field);
  box->lane_coverage = CoverageOf(taken.lane_coverage);
  const auto name = [&](const char* member) {
    return fmt::format("{}.{}", side, member);
  };
  MIMI_C_RETURN_IF_ERROR(
      TakeArray(taken.lanes, taken.lane_count, name("lanes"),
                [&](const mimi_schema& schema) { box->lanes.push_back(schema.schema); }));
  MIMI_C_RETURN_IF_ERROR(
      TakeArray(taken.drivers, taken.driver_count, name("drivers"), [&](mimi_driver& driver) {
        engine.Use(&driver);
        box->drivers.push_back(driver.driver.get());
      }));
  MIMI_C_RETURN_IF_ERROR(
      TakeArray(taken.tables, taken.table_count, name("tables"), [&](mimi_table& table) {
        engine.Use(&table);
        box->minions.push_back(table.minion.get());
      }));
  return TakeArray(taken.minions, taken.minion_count, name("minions"), [&](mimi_minion& minion) {
    engine.Use(&minion);
    box->minions.push_back(minion.minion.get());
  });
}

absl::Status TakeManager(const mimi_manager_options* from, mimi_engine& engine,
                         ManagerOptions* manager) {
  mimi_manager_options taken;
  MIMI_C_RETURN_IF_ERROR(Take(from, &taken, "mimi_manager_options"));
  MIMI_C_RETURN_IF_ERROR(CheckNeeded({{taken.policy, "mimi_manager_options.policy"},
                                      {taken.steering, "mimi_manager_options.steering"}}));
  engine.Use(taken.policy);
  engine.Use(taken.steering);
  SetIf(taken.node, &manager->node);
  manager->policy = taken.policy->policy.get();
  manager->steering = taken.steering->steering.get();
  SetIf(taken.lease_ttl, &manager->lease_ttl);
  SetIf(taken.step_timeout, &manager->step_timeout);
  SetIf(taken.source_silence, &manager->source_silence);
  if (taken.short_tail != 0) {
    manager->short_tail = taken.short_tail;
  }
  manager->restore_without_state = taken.restore_without_state != 0;
  if (taken.on_step != nullptr) {
    manager->on_step = [&engine, told = taken.on_step, context = taken.context](Side to, Step step,
                                                                                StepEdge edge) {
      Scope scope(engine);
      told(context, static_cast<int32_t>(to), static_cast<int32_t>(step),
           edge == StepEdge::kAfter ? 1 : 0);
    };
  }
  return TakeArray(taken.liveness, taken.liveness_count, "mimi_manager_options.liveness",
                   [&](mimi_liveness& liveness) {
                     engine.Use(&liveness);
                     manager->liveness.push_back(liveness.liveness.get());
                   });
}

void TakeEvents(const mimi_engine_options& from, mimi_engine& engine, EngineOptions* options) {
  if (from.on_event != nullptr) {
    options->on_event = [&engine, told = from.on_event,
                         context = from.context](const PairEvent& event) {
      Scope scope(engine);
      told(context, event.at.time_since_epoch().count(), event.kind.c_str(), event.detail.c_str());
    };
  }
}

}  // namespace

absl::StatusOr<EngineOptions> TakeEngineOptions(const mimi_engine_options* from,
                                                mimi_engine& engine) {
  mimi_engine_options taken;
  MIMI_C_RETURN_IF_ERROR(Take(from, &taken, "mimi_engine_options"));
  MIMI_C_RETURN_IF_ERROR(CheckNeeded({{taken.store, "mimi_engine_options.store"}}));
  EngineOptions options;
  SetIf(taken.pair, &options.pair);
  engine.Use(taken.store);
  options.store = taken.store->store.get();
  MIMI_C_RETURN_IF_ERROR(TakeBox(taken.primary, "primary", engine, &options.primary));
  MIMI_C_RETURN_IF_ERROR(TakeBox(taken.minion, "minion", engine, &options.minion));
  if (taken.manager != nullptr) {
    options.manager.emplace();
    MIMI_C_RETURN_IF_ERROR(TakeManager(taken.manager, engine, &*options.manager));
  }
  TakeEvents(taken, engine, &options);
  SetIf(taken.max_staleness, &options.max_staleness);
  SetIf(taken.blind_after, &options.blind_after);
  SetIf(taken.report_every, &options.report_every);
  SetIf(taken.audit_every, &options.audit_every);
  SetIf(taken.max_rows, &options.max_rows);
  options.seed = taken.seed;
  SetIf(taken.ring_slots, &options.publish.ring_slots);
  SetIf(taken.batch_size, &options.publish.batch_size);
  SetIf(taken.max_pending, &options.publish.max_pending);
  SetIf(taken.erase_linger, &options.publish.erase_linger);
  options.publish.wake = taken.wake != 0;
  options.shared_claims = taken.shared_claims != 0;
  return options;
}

}  // namespace mimi::c
