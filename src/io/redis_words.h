#ifndef MIMI_SRC_IO_REDIS_WORDS_H_
#define MIMI_SRC_IO_REDIS_WORDS_H_

// How a command is written, and what an error is called.
//
// Threads: any.

#include <span>
#include <string>
#include <string_view>

namespace mimi::internal {

/// RESP (redis.io/docs/reference/protocol-spec): an array of bulk strings.
void AppendCommand(std::span<const std::string_view> arguments, std::string* out);

/// The named state of redis_store.h that an error answer stands for: "out of memory", "wrong password", …; for all
/// others "error". The server's word may stand anywhere: older servers wrap what a script met.
std::string_view RedisTrouble(std::string_view error);

/// Of an errno value of connect, send or recv.
std::string_view SocketTrouble(int error);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_REDIS_WORDS_H_
