#ifndef MIMI_BUILTIN_TRANSLATING_MINION_H_
#define MIMI_BUILTIN_TRANSLATING_MINION_H_

/// \file
/// A minion that holds rows of an operator's own schema in another that takes flows.
///
/// A box's state may be as small as the paper's: client ip and port -> backend ip. The data plane
/// needs a whole flow (flow.h). What the row does not tell is known of the box: which virtual
/// address it serves, and what it keeps. A mapping says so, and is checked when it is made.
///
///     FlowTranslation translation;
///     translation.fields = {{"protocol", "tcp"},
///                           {"orig_src", "{client_ip}"}, {"orig_sport", "{client_port}"},
///                           {"orig_dst", "203.0.113.1"}, {"orig_dport", "80"},
///                           {"reply_src", "{backend_ip}"}};
///     translation.source_kept = true;      // the backend sees the client's own address and port
///     translation.port_kept = true;        // … and is asked at the port that the client asked
///     auto minion = NewTranslatingMinion(lb_flow, translation, std::move(netfilter));
///
/// A row that has no flow (an address of the wrong family for a field) is counted and left out. An
/// audit turns flows back into rows; where a field of the row is in no flow, it is Unimplemented.
///
/// Threads: the loop thread only.
/// Lifetime: it owns the other minion.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/minion.h"
#include "mimi/schema.h"

namespace mimi {

struct FlowTranslation {
  /// Fields of mimi.flow, each with a constant or "{name}" of the row's field.
  std::vector<std::pair<std::string, std::string>> fields;
  /// The box does not translate the source: reply_dst and reply_dport are the initiator's. Must be
  /// said, unless these fields are.
  bool source_kept = false;
  /// The responder is asked at the port that the initiator asked. Must be said, unless reply_sport
  /// is.
  bool port_kept = false;
};

/// Errors: InvalidArgument; each mistake "field: what" on a line of its own.
absl::Status CheckFlowTranslation(const StateSchema& from, const FlowTranslation& translation);

/// Errors: as CheckFlowTranslation; also InvalidArgument when `minion` is not one for mimi.flow.
absl::StatusOr<std::unique_ptr<Minion>> NewTranslatingMinion(const StateSchema& from,
                                                             const FlowTranslation& translation,
                                                             std::unique_ptr<Minion> minion);

}  // namespace mimi

#endif  // MIMI_BUILTIN_TRANSLATING_MINION_H_
