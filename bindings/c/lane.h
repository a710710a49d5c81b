#ifndef MIMI_BINDINGS_C_LANE_H_
#define MIMI_BINDINGS_C_LANE_H_

// What a lane's handle holds. It is no Object: it belongs to its producer's thread, and may outlive
// its engine.

#include "mimi/lane.h"

#include "bindings/c/handles.h"

struct mimi_lane {
  mimi::Lane* lane;
  bool claimed = false;
};

#endif  // MIMI_BINDINGS_C_LANE_H_
