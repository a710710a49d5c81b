#include "src/service/pair_doors.h"

#include <utility>

#include "src/service/json_writer.h"
#include "src/service/prometheus_text.h"

namespace mimi::service {

std::string StatusText(const PairDoors& doors) {
  return StatusToJson(doors.engine->status(), doors.facts());
}

std::string MetricsText(const PairDoors& doors) {
  MetricList metrics = PairMetrics(doors.engine->status(), doors.facts());
  const auto add = [&](MetricList more) {
    metrics.insert(metrics.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
  };
  add(doors.engine->metrics());
  if (doors.more_metrics) {
    add(doors.more_metrics());
  }
  add(ProcessMetrics());
  return PrometheusText(std::move(metrics));
}

std::string PreviewToJson(const MovePreview& preview) {
  JsonWriter json;
  json.BeginObject().Key("planned").Bool(preview.planned).Key("steps").BeginList();
  for (const Step step : preview.steps) {
    json.Text(StepName(step));
  }
  return json.EndList().EndObject().Take();
}

std::string AuditToJson(const AuditResult& result) {
  JsonWriter json;
  json.BeginObject();
  json.Key("compared").Number(result.compared);
  json.Key("missing").Number(result.missing);
  json.Key("extra").Number(result.extra);
  json.Key("different").Number(result.different);
  json.Key("repaired").Number(result.repaired);
  json.Key("findings").BeginList();
  for (const std::string& finding : result.findings) {
    json.Text(finding);
  }
  return json.EndList().EndObject().Take();
}

}  // namespace mimi::service
