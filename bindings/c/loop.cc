// Loops: mimi/loop.h.

#include "mimi/loop.h"

#include "bindings/c/handles.h"
#if !MIMI_C_CORE_ONLY
#include "mimi/builtin/uv_loop.h"
#endif

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

mimi_status mimi_loop_new(mimi_loop** loop, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] { return GiveNew(mimi::NewEpollLoop(), loop); });
}

mimi_status mimi_loop_new_uv(uv_loop_s* host, mimi_loop** loop, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&]() -> absl::Status {
#if MIMI_C_CORE_ONLY
    (void)host;
    return mimi::Error(absl::StatusCode::kUnimplemented, "mimi::core is built without libuv");
#else
    return GiveNew(mimi::NewUvLoop(host), loop);
#endif
  });
}

mimi_status mimi_loop_close(mimi_loop* loop, mimi_error* error) {
  return Close(loop, error);
}

mimi_status mimi_loop_poll_fd(mimi_loop* loop, int* fd, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {fd, "fd"}}, [&] {
    *fd = loop->loop->PollFd();
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_next_deadline(mimi_loop* loop, int64_t* at_ns, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {at_ns, "at_ns"}}, [&] {
    const auto at = loop->loop->NextDeadline();
    *at_ns = at.has_value() ? NsOf(*at) : MIMI_NEVER;
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_run_once(mimi_loop* loop, int32_t* worked, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    Running running(*loop);
    MIMI_C_RETURN_IF_ERROR(running.status());
    const bool any = loop->loop->RunOnce();
    if (worked != nullptr) {
      *worked = any ? 1 : 0;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_run(mimi_loop* loop, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    Running running(*loop);
    MIMI_C_RETURN_IF_ERROR(running.status());
    loop->loop->Run();
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_stop(mimi_loop* loop, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    loop->loop->Stop();
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_wake(mimi_loop* loop, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    loop->loop->Post([] {});
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_post(mimi_loop* loop, void (*task)(void*), void* context, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {task, "task"}}, [&] {
    loop->loop->Post([=] {
      Scope scope(*loop);
      task(context);
    });
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_at(mimi_loop* loop, int64_t at_ns, void (*fire)(void*), void* context,
                         uint64_t* timer, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {fire, "fire"}}, [&] {
    const mimi::TimerId id = loop->loop->At(TimeOf(at_ns), [=] {
      Scope scope(*loop);
      fire(context);
    });
    if (timer != nullptr) {
      *timer = id;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_cancel(mimi_loop* loop, uint64_t timer, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    loop->loop->Cancel(timer);
    return absl::OkStatus();
  });
}

mimi_status mimi_loop_watch_fd(mimi_loop* loop, int fd, uint32_t events,
                               void (*ready)(void*, uint32_t), void* context, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {ready, "ready"}}, [&]() -> absl::Status {
    if (fd < 0 || (events & ~uint32_t{MIMI_READABLE | MIMI_WRITABLE}) != 0) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "fd {}, events {:#x}", fd, events);
    }
    return loop->loop->WatchFd(fd, events, [=](std::uint32_t now) {
      Scope scope(*loop);
      ready(context, now);
    });
  });
}

mimi_status mimi_loop_unwatch_fd(mimi_loop* loop, int fd, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    loop->loop->UnwatchFd(fd);
    return absl::OkStatus();
  });
}
