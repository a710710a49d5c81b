#ifndef MIMI_SRC_IO_REDIS_WORDS_H_
#define MIMI_SRC_IO_REDIS_WORDS_H_

// How a command is written, and what an error is called.
//
// Threads: any.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mimi/builtin/redis_store.h"

namespace mimi::internal {

/// RESP (redis.io/docs/reference/protocol-spec): an array of bulk strings.
void AppendCommand(std::span<const std::string_view> arguments, std::string* out);

/// The named state of redis_store.h that an error answer stands for: "out of memory", "wrong
/// password", …; for all others "error". The server's word may stand anywhere: older servers wrap
/// what a script met.
std::string_view RedisTrouble(std::string_view error);

/// A Cluster's answer to who asks the wrong node: "MOVED 3999 10.0.0.7:6381" or "ASK 3999
/// 10.0.0.7:6381".
struct RedisRedirection {
  RedisAddress to;
  bool ask = false;  ///< for once, and with ASKING before it
};
/// `from`: the host that answers, meant where none is named. nullopt: another error.
std::optional<RedisRedirection> ParseRedirection(std::string_view error, std::string_view from);

/// Of an errno value of connect, send or recv.
std::string_view SocketTrouble(int error);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_REDIS_WORDS_H_
