#ifndef MIMI_SRC_SERVICE_PROMETHEUS_TEXT_H_
#define MIMI_SRC_SERVICE_PROMETHEUS_TEXT_H_

// Metrics in the text format of Prometheus, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats).
//
// Threads: any.

#include <string>
#include <string_view>

#include "mimi/metrics.h"

namespace mimi::service {

inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

/// All values of one name together, with its HELP and TYPE, in the order of the names. Of two with
/// the same name and labels the last one stays: the format allows one.
std::string PrometheusText(MetricList metrics);

/// CPU time, memory, descriptors and start of this process, under the names that every client
/// library of Prometheus uses.
MetricList ProcessMetrics();

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_PROMETHEUS_TEXT_H_
