#include "src/service/status_json.h"

#include <unistd.h>

#include "src/base/duration.h"
#include "src/service/json_writer.h"

namespace mimi::service {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

bool IsKnown(const PartStatus& part) {
  return part.report.node != 0;
}

void WriteCoverage(std::uint8_t coverage, JsonWriter& json) {
  json.BeginObject();
  json.Key("begins").Bool((coverage & 1U) != 0);
  json.Key("ends").Bool((coverage & 2U) != 0);
  json.Key("walkable").Bool((coverage & 4U) != 0);
  json.Key("complete").Bool((coverage & 8U) != 0);
  json.EndObject();
}

void WritePart(const PartStatus& part, bool source, JsonWriter& json) {
  if (!IsKnown(part)) {
    json.Null();
    return;
  }
  const PairRow& report = part.report;
  json.BeginObject();
  json.Key("heard").Bool(part.heard);
  json.Key("since_heard_ms");
  part.since_heard == Duration::max() ? json.Null()  // since this process began
                                      : json.Number(Milliseconds(part.since_heard));
  json.Key("healthy").Bool(report.healthy);
  json.Key("readiness").Text(ReadinessName(report.readiness));
  json.Key("reason").Text(report.reason.view());
  json.Key("active").Bool(report.active);
  json.Key("syncing").Bool(report.syncing);
  json.Key("rows").Number(report.rows);
  json.Key("lost").Number(report.lost);
  json.Key("refused").Number(report.refused);
  json.Key("term").Number(report.term);
  json.Key("position").Number(report.position);
  if (source) {
    json.Key("waiting").Number(report.waiting);
    json.Key("resyncs").Number(report.resyncs);
    json.Key("coverage");
    WriteCoverage(report.coverage, json);
  } else {
    json.Key("loads").Number(report.resyncs);
    json.Key("staleness_ms").BeginObject();
    json.Key("p50").Number(Milliseconds(report.staleness_p50));
    json.Key("p99").Number(Milliseconds(report.staleness_p99));
    json.Key("max").Number(Milliseconds(report.staleness_max));
    json.EndObject();
    json.Key("auditable").Bool(!report.unauditable);
    json.Key("audited");
    report.audited == UnixTime{} ? json.Null() : json.Text(FormatTime(report.audited));
    json.Key("differing").Number(report.differing);
  }
  json.EndObject();
}

void WriteBox(const PairStatus& status, Side side, MonotonicTime now, JsonWriter& json) {
  const BoxView& box = status.view.box(side);
  json.BeginObject();
  json.Key("health").Text(HealthName(box.health));
  json.Key("health_since_ms");
  if (box.health == Health::kUnknown) {
    json.Null();
  } else {
    json.Number(Milliseconds(now - box.health_since));
  }
  json.Key("health_reason").Text(box.health_reason);
  json.Key("usable").Bool(box.usable);
  json.Key("writable").Bool(box.writable);
  json.Key("readiness").Text(ReadinessName(box.readiness));
  json.Key("reason").Text(box.readiness_reason);
  json.Key("rows_behind").Number(box.rows_behind);
  const bool primary = side == Side::kPrimary;
  json.Key("source");
  WritePart(primary ? status.primary_source : status.minion_source, true, json);
  json.Key("sink");
  WritePart(primary ? status.primary_sink : status.minion_sink, false, json);
  json.EndObject();
}

void WriteStore(const PairStatus& status, const ProcessFacts& facts, JsonWriter& json) {
  const StoreState& store = status.store;
  json.BeginObject();
  json.Key("url").Text(facts.store);
  json.Key("available").Bool(store.available);
  json.Key("reason").Text(store.reason);
  json.Key("rows").Number(StateRows(status));
  json.Key("head").Number(store.head);
  json.Key("trimmed").Number(store.trimmed);
  json.Key("term").Number(store.term);
  json.Key("shared_claims").Bool(store.mode == ClaimMode::kShared);
  json.Key("tombstones").Number(store.tombstones);
  json.Key("feed_bytes").Number(store.feed_bytes);
  json.Key("memory_bytes").Number(store.memory_bytes);
  json.Key("table_full").Number(store.table_full);
  json.Key("rows_missing").Number(store.rows_missing);
  json.Key("fenced").Number(store.fenced);
  json.Key("stale").Number(store.stale);
  json.EndObject();
}

void WriteMoves(const PairStatus& status, MonotonicTime now, JsonWriter& json) {
  json.BeginList();
  for (const Move& move : status.moves) {
    json.BeginObject();
    json.Key("ago_ms").Number(Milliseconds(now - move.at));
    json.Key("to").Text(SideName(move.to));
    json.Key("planned").Bool(move.planned);
    json.Key("succeeded").Bool(move.succeeded);
    json.Key("took_ms").Number(Milliseconds(move.took));
    json.Key("reason").Text(move.reason);
    json.EndObject();
  }
  json.EndList();
}

}  // namespace

PairWord WordOf(const PairStatus& status) {
  const BoxView& target = status.view.box(OtherSide(status.view.traffic));
  return {target.readiness, target.readiness_reason};
}

std::uint64_t StateRows(const PairStatus& status) {
  std::uint64_t control = status.managed ? 1 : 0;
  for (const PartStatus* part :
       {&status.primary_source, &status.primary_sink, &status.minion_source, &status.minion_sink}) {
    control += IsKnown(*part) ? 1U : 0U;
  }
  return status.store.rows > control ? status.store.rows - control : 0;
}

std::string StatusToJson(const PairStatus& status, const ProcessFacts& facts) {
  const PairWord word = WordOf(status);
  JsonWriter json;
  json.BeginObject();
  json.Key("pair").Text(status.pair);
  json.Key("readiness").Text(ReadinessName(word.readiness));
  json.Key("reason").Text(word.reason);
  json.Key("traffic").Text(SideName(status.view.traffic));
  json.Key("phase").Text(PhaseName(status.view.phase));
  json.Key("step");
  status.step ? json.Text(StepName(*status.step)) : json.Null();
  json.Key("unfenced").Bool(status.view.unfenced);
  json.Key("managed").Bool(status.managed);
  json.Key("primary");
  WriteBox(status, Side::kPrimary, facts.monotonic_now, json);
  json.Key("minion");
  WriteBox(status, Side::kMinion, facts.monotonic_now, json);
  json.Key("store");
  WriteStore(status, facts, json);
  json.Key("moves");
  WriteMoves(status, facts.monotonic_now, json);
  json.Key("process").BeginObject();
  json.Key("version").Text(facts.version);
  json.Key("pid").Number(getpid());
  json.Key("roles").Text(facts.roles);
  json.Key("manages").Bool(facts.manages);
  json.Key("acting").Bool(status.acting);
  json.Key("liveness_scheduling").Text(facts.liveness_scheduling);
  json.Key("up_ms").Number(Milliseconds(facts.up));
  json.Key("at").Text(FormatTime(facts.now));
  json.EndObject();
  json.EndObject();
  return json.Take();
}

std::string EventToJson(const PairEvent& event, std::string_view pair) {
  JsonWriter json;
  json.BeginObject();
  json.Key("at").Text(FormatTime(event.at));
  json.Key("pair").Text(pair);
  json.Key("kind").Text(event.kind);
  json.Key("detail").Text(event.detail);
  json.EndObject();
  return json.Take();
}

}  // namespace mimi::service
