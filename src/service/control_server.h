#ifndef MIMI_SRC_SERVICE_CONTROL_SERVER_H_
#define MIMI_SRC_SERVICE_CONTROL_SERVER_H_

// The control socket: whoever may open it may see and move the pair (control_protocol.h).
//
// Threads: the loop thread only. Lifetime: loop and doors outlive it.

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "mimi/loop.h"

#include "src/io/stream_server.h"
#include "src/service/pair_doors.h"

namespace mimi::service {

/// At `path`, for its owner and, if one is named, `group`. Errors: as ListenUnix().
absl::StatusOr<std::unique_ptr<StreamServer>> NewControlServer(const std::string& path,
                                                               const std::string& group,
                                                               const PairDoors& doors, Loop& loop);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_CONTROL_SERVER_H_
