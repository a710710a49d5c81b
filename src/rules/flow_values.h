#ifndef MIMI_SRC_RULES_FLOW_VALUES_H_
#define MIMI_SRC_RULES_FLOW_VALUES_H_

// What a Flow needs beyond copying: identifiers of ICMP as ports, a reply where none is told.
//
// Threads: any.

#include "src/rules/rule.h"

namespace mimi::rules {

/// ICMP's type, code and identifier become ports. `whole`: what is not told becomes the answer to
/// what is, without translation.
Refusal CompleteFlow(const FlowSlots& slots, bool whole, Values* values);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_FLOW_VALUES_H_
