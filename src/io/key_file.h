#ifndef MIMI_SRC_IO_KEY_FILE_H_
#define MIMI_SRC_IO_KEY_FILE_H_

/// \file
/// Secrets from files.
///
/// Threads: any.

#include <string>

#include "absl/status/statusor.h"

namespace mimi::internal {

/// The bytes of a key file without a newline at the end. It must be a regular file that its owner
/// alone may read, of 16 to 4096 bytes. Errors: NotFound, FailedPrecondition (rights, or others
/// have too many), InvalidArgument (size). No message shows what is in it.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_KEY_FILE_H_
