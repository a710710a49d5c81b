#ifndef MIMI_METRICS_H_
#define MIMI_METRICS_H_

/// \file
/// Counters, and the list of values that an engine or a back end gives out when
/// it is asked.
///
/// Nothing is registered anywhere. Whoever counts holds a Counter, or a plain
/// integer, as a member; whoever is asked appends its values to a MetricList.
/// Names follow Prometheus: `mimi_`, the part, the thing, the base unit,
/// `_total` for counters: `mimi_lane_lost_total`,
/// `mimi_sink_staleness_seconds`. What tells several of one name apart are
/// labels.
///
///     Counter bad_lines_;
///     bad_lines_.Add();                                          // where it
///     happens metrics.push_back(CounterMetric("mimi_syslog_bad_lines_total",
///     "Lines that fit no rule",
///                                     bad_lines_.value(), {{"reason",
///                                     "no_rule"}}));
///
/// Threads: a Counter any; the rest are values.
/// Lifetime: values; `name` and `help` must be string literals.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mimi {

/// A number that only grows. Adding costs one uncontended atomic addition
/// (about 5 ns), so not for the packet path, which counts in members of its
/// own. Relaxed: it orders nothing else.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

enum class MetricKind : std::uint8_t {
  kCounter,  ///< only grows while the process lives
  kGauge,    ///< goes up and down
};

struct MetricLabel {
  std::string name;  ///< [a-z_][a-z0-9_]*
  std::string value;
  friend bool operator==(const MetricLabel&, const MetricLabel&) = default;
};
using MetricLabels = std::vector<MetricLabel>;

/// One value at one moment.
struct Metric {
  std::string_view name;
  std::string_view help;  ///< one sentence without a full stop
  MetricKind kind = MetricKind::kGauge;
  double value = 0;  ///< exact for counts up to 2^53
  MetricLabels labels;
};

/// Values of one name stand together, as the text format of Prometheus wants
/// them, when each part appends its own in one go; the reader sorts otherwise.
using MetricList = std::vector<Metric>;

inline Metric CounterMetric(std::string_view name, std::string_view help, std::uint64_t value,
                            MetricLabels labels = {}) {
  return {name, help, MetricKind::kCounter, static_cast<double>(value), std::move(labels)};
}
inline Metric GaugeMetric(std::string_view name, std::string_view help, double value,
                          MetricLabels labels = {}) {
  return {name, help, MetricKind::kGauge, value, std::move(labels)};
}

}  // namespace mimi

#endif  // MIMI_METRICS_H_
