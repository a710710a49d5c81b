// The status of a pair as JSON.

#include "bindings/c/json.h"
#include "bindings/c/view.h"

namespace mimi::c {
namespace {

void AddBox(JsonWriter& json, Side side, const BoxView& box) {
  json.Name(SideName(side)).Open('{');
  json.Name("health").Text(HealthName(box.health));
  json.Name("health_reason").Text(box.health_reason);
  json.Name("usable").Bool(box.usable);
  json.Name("writable").Bool(box.writable);
  json.Name("readiness").Text(ReadinessName(box.readiness));
  json.Name("readiness_reason").Text(box.readiness_reason);
  json.Name("rows").Number(box.rows);
  json.Name("rows_behind").Number(box.rows_behind);
}

void AddPart(JsonWriter& json, std::string_view name, const PartStatus& part) {
  const PairRow& row = part.report;
  json.Name(name).Open('{');
  json.Name("heard").Bool(part.heard);
  json.Name("since_heard_ns").Number(part.since_heard.count());
  json.Name("node").Text(fmt::format("{:#x}", row.node));
  json.Name("healthy").Bool(row.healthy);
  json.Name("active").Bool(row.active);
  json.Name("syncing").Bool(row.syncing);
  json.Name("readiness").Text(ReadinessName(row.readiness));
  json.Name("term").Number(row.term);
  json.Name("position").Number(row.position);
  json.Name("waiting").Number(row.waiting);
  json.Name("rows").Number(row.rows);
  json.Name("lost").Number(row.lost);
  json.Name("refused").Number(row.refused);
  json.Name("resyncs").Number(row.resyncs);
  json.Name("staleness_p50_ns").Number(row.staleness_p50.count());
  json.Name("staleness_p99_ns").Number(row.staleness_p99.count());
  json.Name("staleness_max_ns").Number(row.staleness_max.count());
  json.Name("differing").Number(row.differing);
  json.Name("reason").Text(row.reason.view());
  json.Close('}');
}

void AddStore(JsonWriter& json, const StoreState& store) {
  json.Name("store").Open('{');
  json.Name("available").Bool(store.available);
  json.Name("reason").Text(store.reason);
  json.Name("term").Number(store.term);
  json.Name("head").Number(store.head);
  json.Name("rows").Number(store.rows);
  json.Name("tombstones").Number(store.tombstones);
  json.Name("feed_bytes").Number(store.feed_bytes);
  json.Name("memory_bytes").Number(store.memory_bytes);
  json.Name("table_full").Number(store.table_full);
  json.Name("rows_missing").Number(store.rows_missing);
  json.Name("fenced").Number(store.fenced);
  json.Name("stale").Number(store.stale);
  json.Close('}');
}

void AddMoves(JsonWriter& json, std::span<const Move> moves) {
  json.Name("moves").Open('[');
  for (const Move& move : moves) {
    json.Open('{');
    json.Name("at_ns").Number(NsOf(move.at));
    json.Name("to").Text(SideName(move.to));
    json.Name("planned").Bool(move.planned);
    json.Name("succeeded").Bool(move.succeeded);
    json.Name("took_ns").Number(move.took.count());
    json.Name("reason").Text(move.reason);
    json.Close('}');
  }
  json.Close(']');
}

}  // namespace

std::string ViewJson(const mimi_view& view) {
  const PairStatus* status = view.status.get();
  JsonWriter json;
  json.Open('{');
  if (status != nullptr) {
    json.Name("pair").Text(status->pair);
    json.Name("acting").Bool(status->acting);
    json.Name("step");
    status->step.has_value() ? json.Text(StepName(*status->step)) : json.Null();
  }
  json.Name("phase").Text(PhaseName(view.pair->phase));
  json.Name("traffic").Text(SideName(view.pair->traffic));
  json.Name("unfenced").Bool(view.pair->unfenced);
  AddBox(json, Side::kPrimary, view.pair->primary);
  if (status != nullptr) {
    AddPart(json, "source", status->primary_source);
    AddPart(json, "sink", status->primary_sink);
  }
  json.Close('}');
  AddBox(json, Side::kMinion, view.pair->minion);
  if (status != nullptr) {
    AddPart(json, "source", status->minion_source);
    AddPart(json, "sink", status->minion_sink);
  }
  json.Close('}');
  if (status != nullptr) {
    AddStore(json, status->store);
  }
  AddMoves(json, view.pair->moves);
  json.Close('}');
  return json.text();
}

}  // namespace mimi::c
