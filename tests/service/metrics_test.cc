#include <doctest/doctest.h>

#include "src/service/prometheus_text.h"
#include "src/service/status_json.h"
#include "src/state/document.h"

namespace mimi::service {
namespace {

TEST_CASE("metrics: values of one name stand together, escaped, each label set once") {
  MetricList metrics;
  metrics.push_back(GaugeMetric("b", "Second", 0.5, {{"x", "a\"b\\c\nd"}}));
  metrics.push_back(CounterMetric("a_total", "First", 3, {{"x", "1"}}));
  metrics.push_back(GaugeMetric("b", "Second", 1e6));
  metrics.push_back(CounterMetric("a_total", "First", 4, {{"x", "1"}}));
  CHECK(PrometheusText(metrics) ==
        "# HELP a_total First\n# TYPE a_total counter\na_total{x=\"1\"} 4\n"
        "# HELP b Second\n# TYPE b gauge\nb{x=\"a\\\"b\\\\c\\nd\"} 0.5\nb 1000000\n");
}

TEST_CASE("status: the pair's word is that of the box that does not have the traffic") {
  PairStatus status;
  status.pair = "edge1";
  status.view.minion.readiness = Readiness::kReady;
  status.view.primary.readiness = Readiness::kBlind;
  CHECK(WordOf(status).readiness == Readiness::kReady);
  status.view.traffic = Side::kMinion;
  CHECK(WordOf(status).readiness == Readiness::kBlind);
}

TEST_CASE("status: rows of the control table are no rows of state") {
  PairStatus status;
  status.store.rows = 12;
  status.managed = true;
  status.primary_source.report.node = 1;
  CHECK(StateRows(status) == 10);
}

TEST_CASE("status: the JSON is one object with what it says of both boxes") {
  PairStatus status;
  status.pair = "edge1";
  status.primary_source.report.node = 7;
  status.primary_source.report.rows = 5;
  status.moves.push_back({.at = {}, .to = Side::kMinion, .planned = true, .succeeded = true});
  const absl::StatusOr<internal::Node> json =
      internal::ParseJson(StatusToJson(status, {.version = "1"}), "status");
  REQUIRE(json.ok());
  CHECK(json->Find("readiness")->value.text == "blind");
  const internal::Node& primary = json->Find("primary")->value;
  CHECK(primary.Find("source")->value.Find("rows")->value.magnitude == 5);
  CHECK(primary.Find("sink")->value.kind == internal::Node::Kind::kNull);
  CHECK(json->Find("moves")->value.items.size() == 1);
}

}  // namespace
}  // namespace mimi::service
