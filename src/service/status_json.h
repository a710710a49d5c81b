#ifndef MIMI_SRC_SERVICE_STATUS_JSON_H_
#define MIMI_SRC_SERVICE_STATUS_JSON_H_

// What a process knows of its pair, as JSON: the answer to `mimi status --json`, `/status` of HTTP
// and the `status` request of the control socket. docs/operating.md lists the members.
//
// Threads: values; any.

#include <string>
#include <string_view>

#include "mimi/engine.h"
#include "mimi/metrics.h"

namespace mimi::service {

/// What the process says of itself beside the pair.
struct ProcessFacts {
  std::string version{};
  std::string roles{};  ///< "driver+manager"
  std::string store{};  ///< its URL without password
  std::string liveness_scheduling{};
  bool manages = false;
  Duration up{};
  UnixTime now{};
  MonotonicTime monotonic_now{};
};

/// The pair's one word: how far the box that does not have the traffic could take it.
struct PairWord {
  Readiness readiness = Readiness::kBlind;
  std::string reason;
};
PairWord WordOf(const PairStatus& status);

/// Rows of the store that are state, without those by which the pair's processes speak.
std::uint64_t StateRows(const PairStatus& status);

std::string StatusToJson(const PairStatus& status, const ProcessFacts& facts);

std::string EventToJson(const PairEvent& event, std::string_view pair);

/// The pair as metrics, for those of the engine to be joined with.
MetricList PairMetrics(const PairStatus& status, const ProcessFacts& facts);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_STATUS_JSON_H_
