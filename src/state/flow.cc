#include "mimi/flow.h"

namespace mimi {

const StateSchema& FlowSchema() {
  return StateSchema::Of<Flow>();
}

}  // namespace mimi
