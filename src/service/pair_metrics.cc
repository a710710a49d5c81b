// The pair's state as metrics. docs/metrics.md is their manual.

#include "src/service/status_json.h"

namespace mimi::service {
namespace {

double Seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

class Collector {
 public:
  Collector(const PairStatus& status, MetricList& metrics) : status_(status), metrics_(metrics) {}

  void Gauge(std::string_view name, std::string_view help, double value, MetricLabels labels = {}) {
    Add(GaugeMetric(name, help, value, std::move(labels)));
  }
  void Count(std::string_view name, std::string_view help, std::uint64_t value,
             MetricLabels labels = {}) {
    Add(CounterMetric(name, help, value, std::move(labels)));
  }
  /// One value for each part that has reported.
  template <class Value>
  void Parts(std::string_view name, std::string_view help, bool sources, bool sinks, Value value,
             MetricKind kind = MetricKind::kGauge) {
    struct Named {
      const PartStatus& part;
      const char* box;
      const char* name;
      bool source;
    };
    const Named parts[] = {{status_.primary_source, "primary", "source", true},
                           {status_.minion_source, "minion", "source", true},
                           {status_.primary_sink, "primary", "sink", false},
                           {status_.minion_sink, "minion", "sink", false}};
    for (const Named& named : parts) {
      if (named.part.report.node != 0 && (named.source ? sources : sinks)) {
        Add({name,
             help,
             kind,
             static_cast<double>(value(named.part)),
             {{"box", named.box}, {"part", named.name}}});
      }
    }
  }

 private:
  void Add(Metric metric) {
    metric.labels.insert(metric.labels.begin(), {"pair", status_.pair});
    metrics_.push_back(std::move(metric));
  }
  const PairStatus& status_;
  MetricList& metrics_;
};

void CollectWord(const PairStatus& status, Collector& collect) {
  const Readiness word = WordOf(status).readiness;
  for (const Readiness each :
       {Readiness::kReady, Readiness::kSyncing, Readiness::kDegraded, Readiness::kBlind}) {
    collect.Gauge("mimi_pair_readiness", "1 for the word that holds, 0 for the others",
                  word == each ? 1 : 0, {{"word", std::string(ReadinessName(each))}});
  }
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    collect.Gauge("mimi_pair_traffic", "1 for the box that has the traffic",
                  status.view.traffic == side ? 1 : 0, {{"box", std::string(SideName(side))}});
  }
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    const Health health = status.view.box(side).health;
    collect.Gauge("mimi_pair_box_up", "Liveness: 1 up, 0 down, 0.5 not known",
                  health == Health::kUp ? 1 : (health == Health::kDown ? 0 : 0.5),
                  {{"box", std::string(SideName(side))}});
  }
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    collect.Gauge("mimi_pair_rows_behind",
                  "Positions between the feed's head and what the box has confirmed",
                  static_cast<double>(status.view.box(side).rows_behind),
                  {{"box", std::string(SideName(side))}});
  }
  collect.Gauge("mimi_pair_unfenced", "1 while traffic was moved without a claim",
                status.view.unfenced ? 1 : 0);
  collect.Gauge("mimi_pair_moving", "1 while a move is under way", status.step.has_value() ? 1 : 0);
  collect.Gauge("mimi_manager_acting", "1 where this process holds the manager's lease",
                status.acting ? 1 : 0);
}

void CollectParts(Collector& collect) {
  const auto field = [](auto member) {
    return [member](const PartStatus& part) {
      return part.report.*member;
    };
  };
  const auto seconds = [](auto member) {
    return [member](const PartStatus& part) {
      return Seconds(part.report.*member);
    };
  };
  collect.Parts("mimi_part_heard", "1 when its last report is no older than blind_after", true,
                true, [](const PartStatus& part) { return part.heard ? 1 : 0; });
  collect.Parts("mimi_part_healthy", "1 when it finds itself well", true, true,
                [](const PartStatus& part) { return part.report.healthy ? 1 : 0; });
  collect.Parts("mimi_part_syncing", "1 while a load or resync runs", true, true,
                [](const PartStatus& part) { return part.report.syncing ? 1 : 0; });
  collect.Parts("mimi_part_rows", "Rows that it knows or holds", true, true, field(&PairRow::rows));
  collect.Parts("mimi_part_lost_total", "Records known to be lost", true, true,
                field(&PairRow::lost), MetricKind::kCounter);
  collect.Parts("mimi_part_refused_total", "Inputs or rows refused", true, true,
                field(&PairRow::refused), MetricKind::kCounter);
  collect.Parts("mimi_part_syncs_total", "Resyncs or loads completed", true, true,
                field(&PairRow::resyncs), MetricKind::kCounter);
  collect.Parts("mimi_part_waiting", "Records not confirmed yet", true, false,
                field(&PairRow::waiting));
  collect.Parts("mimi_part_staleness_p50_seconds", "Age of records on arrival, median of a minute",
                false, true, seconds(&PairRow::staleness_p50));
  collect.Parts("mimi_part_staleness_p99_seconds",
                "Age of records on arrival, 99th percentile of a minute", false, true,
                seconds(&PairRow::staleness_p99));
  collect.Parts("mimi_part_staleness_max_seconds",
                "Age of records on arrival, greatest of a minute", false, true,
                seconds(&PairRow::staleness_max));
  collect.Parts("mimi_part_differing", "Rows that differed at the last audit", false, true,
                field(&PairRow::differing));
  collect.Parts(
      "mimi_part_audited_timestamp_seconds", "When the last audit ended, 0 for never", false, true,
      [](const PartStatus& part) { return Seconds(part.report.audited.time_since_epoch()); });
}

void CollectStore(const PairStatus& status, Collector& collect) {
  const StoreState& store = status.store;
  collect.Gauge("mimi_store_available", "1 while the repository answers", store.available ? 1 : 0);
  collect.Gauge("mimi_store_rows", "Rows of state", static_cast<double>(StateRows(status)));
  collect.Gauge("mimi_store_tombstones", "Erased keys that are remembered",
                static_cast<double>(store.tombstones));
  collect.Gauge("mimi_store_term", "The newest claim's term", static_cast<double>(store.term));
  collect.Gauge("mimi_store_position", "The feed's head", static_cast<double>(store.head));
  collect.Gauge("mimi_store_feed_bytes", "Size of the feed", static_cast<double>(store.feed_bytes));
  collect.Gauge("mimi_store_memory_bytes", "Rows and index",
                static_cast<double>(store.memory_bytes));
  collect.Count("mimi_store_table_full_total", "Rows left out at max_rows", store.table_full);
  collect.Count("mimi_store_fenced_total", "Batches refused because of an older term",
                store.fenced);
  collect.Count("mimi_store_stale_total", "Records that a newer version outranked", store.stale);
}

}  // namespace

MetricList PairMetrics(const PairStatus& status, const ProcessFacts& facts) {
  MetricList metrics;
  metrics.push_back(GaugeMetric("mimi_build_info", "1, labelled with the version", 1,
                                {{"version", facts.version}}));
  Collector collect(status, metrics);
  CollectWord(status, collect);
  CollectParts(collect);
  CollectStore(status, collect);
  return metrics;
}

}  // namespace mimi::service
