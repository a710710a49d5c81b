#ifndef MIMI_SRC_IO_CHILD_PROCESS_H_
#define MIMI_SRC_IO_CHILD_PROCESS_H_

// RunChild: a program that is run to its end, with text in and text out.
//
// Threads: any; blocks, for ten seconds at most. The child lives in the calling thread's network
// namespace.

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimi {

/// What it printed on both streams, at most 1 MiB. Errors: FailedPrecondition (cannot be run,
/// failed: with its words, or took too long).
absl::StatusOr<std::string> RunChild(const std::vector<std::string>& command,
                                     const std::string& input);

}  // namespace mimi

#endif  // MIMI_SRC_IO_CHILD_PROCESS_H_
