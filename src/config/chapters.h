#ifndef MIMI_SRC_CONFIG_CHAPTERS_H_
#define MIMI_SRC_CONFIG_CHAPTERS_H_

// The chapters of ReadConfig() that have a file of their own.
//
// Threads: one at a time.

#include "src/config/config.h"

namespace mimi::config {

/// [manager], [steering] and [[liveness]]. The boxes have been read.
void ReadManager(Section& root, const Kinds& kinds, const ReadContext& context, Config* config);

/// Which roles the file describes, and which of them run here: `chosen`, else the file's `roles`,
/// else all. Everything else has been read.
void ReadRoles(Section& root, Roles chosen, Config* config);

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_CHAPTERS_H_
