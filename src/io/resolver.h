#ifndef MIMI_SRC_IO_RESOLVER_H_
#define MIMI_SRC_IO_RESOLVER_H_

// Resolve: a host's name to socket addresses, without blocking the loop.
//
//   resolving = Resolve("redis.example", 6379, loop,
//   [this](absl::StatusOr<std::vector<SocketAddress>> found) {…});
//
// Addresses in digits are answered by the next turn of the loop. A name costs a thread for as long
// as the system's resolver takes; it touches nothing but its own result.
//
// Threads: the loop thread only. Lifetime: `done` is not called once the returned token is gone.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/loop.h"

#include "src/io/socket.h"

namespace mimi::internal {

using ResolvedCallback = std::function<void(absl::StatusOr<std::vector<SocketAddress>>)>;

/// Errors given to `done`: Unavailable.
std::shared_ptr<void> Resolve(const std::string& host, std::uint16_t port, Loop& loop,
                              ResolvedCallback done);

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_RESOLVER_H_
