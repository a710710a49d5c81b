#ifndef MIMI_BUILTIN_UV_LOOP_H_
#define MIMI_BUILTIN_UV_LOOP_H_

/// \file
/// A Loop on libuv: for programs that have a uv_loop_t, and for whatever of libuv runs beside ours.
///
/// Everything that is bound to the Loop runs as one poll handle of the uv_loop_t, with the loop of
/// mimi::core (loop.h) behind it. So descriptors, timers (microseconds, where uv_timer_t has
/// milliseconds) and Post() behave the same on both, and the host loop gives us its turn like any
/// other handle.
///
///     uv_loop_t* host = uv_default_loop();
///     absl::StatusOr<std::unique_ptr<Loop>> loop = NewUvLoop(host);
///     … bind stores, engines … to **loop …
///     uv_run(host, UV_RUN_DEFAULT);      // or (*loop)->Run(), which returns at Stop()
///
/// Part of mimi::mimi, not of mimi::core.
///
/// Threads: as in loop.h. The thread that runs the uv_loop_t is the loop thread.
/// Lifetime: a host loop outlives the Loop, and must run once more (UV_RUN_NOWAIT will do) between
/// the end of the Loop and uv_loop_close(), since libuv closes handles in its own time. While the
/// Loop lives, its handle keeps uv_run(UV_RUN_DEFAULT) from returning; uv_stop() ends it as always.
///
/// PollFd(), NextDeadline() and RunOnce() drive the whole uv_loop_t, the host's own handles
/// included. libuv tells the kernel about a handle that was started outside of its loop only when
/// it runs next: whoever starts one calls RunOnce() afterwards.

#include <memory>

#include "absl/status/statusor.h"

#include "mimi/loop.h"

struct uv_loop_s;

namespace mimi {

/// On `host`, or on a uv_loop_t of its own. Errors: ResourceExhausted (descriptors, memory).
absl::StatusOr<std::unique_ptr<Loop>> NewUvLoop(uv_loop_s* host = nullptr);

}  // namespace mimi

#endif  // MIMI_BUILTIN_UV_LOOP_H_
