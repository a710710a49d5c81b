#ifndef MIMI_SRC_SERVICE_PAIR_DOORS_H_
#define MIMI_SRC_SERVICE_PAIR_DOORS_H_

// PairDoors: what the control socket and HTTP may see and ask of a process.
//
// Threads: the loop thread only. Lifetime: what it points to outlives the servers.

#include <functional>
#include <string>
#include <vector>

#include "mimi/engine.h"
#include "mimi/schema.h"
#include "mimi/store.h"

#include "src/service/event_log.h"
#include "src/service/status_json.h"

namespace mimi::service {

struct PairDoors {
  Engine* engine = nullptr;
  StateStore* store = nullptr;
  EventLog* events = nullptr;
  std::vector<StateSchema> tables;  ///< of this process, the first is the one meant by no name
  std::function<ProcessFacts()> facts;
  /// Of what the engine does not know: liveness, servers.
  std::function<MetricList()> more_metrics;
  std::function<absl::Status()> reload;
};

std::string StatusText(const PairDoors& doors);
std::string MetricsText(const PairDoors& doors);
/// {"planned":true,"steps":["announce",…]}
std::string PreviewToJson(const MovePreview& preview);
std::string AuditToJson(const AuditResult& result);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_PAIR_DOORS_H_
