#ifndef MIMI_SRC_CLI_RUNTIME_DIRECTORY_H_
#define MIMI_SRC_CLI_RUNTIME_DIRECTORY_H_

// Where control sockets are when nobody says otherwise: $MIMI_RUNTIME_DIR, $RUNTIME_DIRECTORY
// (systemd), /run/mimi for root, $XDG_RUNTIME_DIR/mimi for others.
//
// Threads: any.

#include <string>
#include <vector>

#include "src/config/config.h"

namespace mimi::cli {

/// Empty: there is none for this user.
std::string RuntimeDirectory();

/// The socket of a process: "<pair>.sock" when it runs all that the file describes, else
/// "<pair>.<roles>.sock", so that the processes of one host do not collide.
std::string SocketPath(const config::Config& config);

/// Every socket that may be one of this pair's processes; all of them for an empty name.
std::vector<std::string> FindSockets(const std::string& pair);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_RUNTIME_DIRECTORY_H_
