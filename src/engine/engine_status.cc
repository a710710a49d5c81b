// What an engine says of itself.

#include <string>
#include <utility>

#include "src/base/status.h"
#include "src/engine/engine.h"
#include "src/engine/readiness.h"

namespace mimi::internal {
namespace {

MetricLabels Labels(const std::string& pair, Side side, const std::string& table) {
  return {{"pair", pair}, {"box", std::string(SideName(side))}, {"table", table}};
}

double Seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void CollectSource(const Source& source, const MetricLabels& labels, MetricList& metrics) {
  const PublisherStats stats = source.pump().stats();
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    metrics.push_back(CounterMetric(name, help, value, labels));
  };
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    metrics.push_back(GaugeMetric(name, help, value, labels));
  };
  counter("mimi_source_records_total", "Records taken from lanes and drivers", stats.published);
  counter("mimi_source_coalesced_total", "Records replaced by a newer one before they were sent",
          stats.coalesced);
  counter("mimi_source_sealed_total", "Records sealed into batches", stats.sealed);
  counter("mimi_source_resent_batches_total", "Batches sent again", stats.resent);
  counter("mimi_source_lost_total", "Records known to be lost before they could be sent",
          source.lost());
  counter("mimi_source_muted_erases_total", "Erases not sent because the box holds no traffic",
          stats.muted_erases);
  counter("mimi_source_dropped_erases_total", "Abrupt erases that were held and then dropped",
          stats.dropped_erases);
  counter("mimi_source_resyncs_total", "Resyncs completed", stats.resyncs_done);
  gauge("mimi_source_term", "The term that it writes under, 0 while it does not",
        static_cast<double>(stats.term));
  gauge("mimi_source_pending", "Keys that wait to be sent", static_cast<double>(stats.pending));
  gauge("mimi_source_resyncing", "Whether a resync is wanted or runs", source.syncing() ? 1 : 0);
}

void CollectSink(const Replica& replica, const MetricLabels& labels, MetricList& metrics) {
  const ReplicaState state = replica.state();
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    metrics.push_back(CounterMetric(name, help, value, labels));
  };
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    metrics.push_back(GaugeMetric(name, help, value, labels));
  };
  counter("mimi_sink_applied_total", "Records that changed the replica", state.applied);
  counter("mimi_sink_stale_total", "Records outranked by a newer version", state.stale);
  counter("mimi_sink_table_full_total", "New keys refused at max_rows", state.table_full);
  counter("mimi_sink_loads_total", "Loads completed", state.loads);
  counter("mimi_sink_rejected_batches_total", "Batches that the minion refused for good",
          state.rejected);
  gauge("mimi_sink_rows", "Rows in the replica", static_cast<double>(state.rows));
  gauge("mimi_sink_waiting", "Rows that the minion has yet to be told",
        static_cast<double>(state.waiting));
  gauge("mimi_sink_staleness_p50_seconds", "Age of records on arrival, median of a minute",
        Seconds(state.staleness_p50));
  gauge("mimi_sink_staleness_p99_seconds", "Age of records on arrival, 99th percentile of a minute",
        Seconds(state.staleness_p99));
  gauge("mimi_sink_staleness_max_seconds", "Age of records on arrival, greatest of a minute",
        Seconds(state.staleness_max));
  gauge("mimi_sink_memory_bytes", "Rows and index of the replica",
        static_cast<double>(state.memory_bytes));
}

// A process that does not manage the pair still sees what the control table says of it.
void AssessWithoutManager(const ControlBoard& board, PairStatus& status) {
  if (const PairRow* wanted = board.wanted(); wanted != nullptr) {
    status.view.phase = wanted->phase;
    status.view.traffic = wanted->writer;
    status.view.unfenced = wanted->phase != Phase::kOnPrimary && wanted->fence == 0;
  }
  status.view.primary = AssessBox({.side = Side::kPrimary,
                                   .sink = status.primary_sink,
                                   .source = status.minion_source,
                                   .store = status.store,
                                   .standby = status.view.traffic == Side::kMinion});
  status.view.minion = AssessBox({.side = Side::kMinion,
                                  .sink = status.minion_sink,
                                  .source = status.primary_source,
                                  .store = status.store,
                                  .standby = status.view.traffic == Side::kPrimary});
}

}  // namespace

PairStatus EngineImpl::status() const {
  PairStatus status;
  status.pair = options_.pair;
  const ControllerHost::Parts parts = const_cast<EngineImpl*>(this)->HostParts();
  const auto part = [&](PairRowKind kind, Side side) {
    return ControllerHost::StatusOf(parts, options_.blind_after, kind, side);
  };
  status.primary_source = part(PairRowKind::kSource, Side::kPrimary);
  status.primary_sink = part(PairRowKind::kSink, Side::kPrimary);
  status.minion_source = part(PairRowKind::kSource, Side::kMinion);
  status.minion_sink = part(PairRowKind::kSink, Side::kMinion);
  status.store = options_.store->state();
  status.managed = board_.wanted() != nullptr;
  if (manager_ != nullptr) {
    const Controller& controller = manager_->controller();
    status.view = controller.view();
    status.acting = controller.acting();
    status.step = controller.step();
    status.moves = controller.moves();
  } else {
    AssessWithoutManager(board_, status);
  }
  status.view.moves = status.moves;
  return status;
}

absl::StatusOr<MovePreview> EngineImpl::Preview(Side to) const {
  if (manager_ == nullptr) {
    return Error(absl::StatusCode::kUnimplemented, "{}: this process does not manage it",
                 options_.pair);
  }
  return manager_->controller().Preview(to);
}

MetricList EngineImpl::metrics() const {
  MetricList metrics;
  for (const BoxOptions* box : {&options_.primary, &options_.minion}) {
    for (const Driver* driver : box->drivers) {
      driver->Collect(metrics);
    }
    for (const Minion* minion : box->minions) {
      minion->Collect(metrics);
    }
  }
  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    if (const auto& pipeline = pipelines_[IndexOf(side)]; pipeline != nullptr) {
      for (const auto& source : pipeline->sources()) {
        CollectSource(*source, Labels(options_.pair, side, source->schema().name()), metrics);
      }
    }
    if (const auto& sinks = sinks_[IndexOf(side)]; sinks != nullptr) {
      for (const auto& replica : sinks->replicas()) {
        CollectSink(*replica, Labels(options_.pair, side, replica->schema().name()), metrics);
      }
    }
  }
  return metrics;
}

}  // namespace mimi::internal
