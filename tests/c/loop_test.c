#include <unistd.h>

#include "check.h"

typedef struct seen {
  mimi_loop* loop;
  int fired;
  int ready;
  int posted;
  mimi_status run;
  mimi_status close;
} seen;

static void fire(void* context) {
  seen* s = context;
  ++s->fired;
  s->run = mimi_loop_run_once(s->loop, NULL, NULL);
  s->close = mimi_loop_close(s->loop, NULL);
}

static void ready(void* context, uint32_t events) {
  seen* s = context;
  CHECK((events & MIMI_READABLE) != 0);
  ++s->ready;
}

static void posted(void* context) {
  ++((seen*)context)->posted;
}

static void calls_back_only_in_a_run(void) {
  seen s = {NULL, 0, 0, 0, MIMI_OK, MIMI_OK};
  int pipe_fds[2];
  uint64_t timer = 0;
  int64_t deadline = 0;
  s.loop = new_loop();
  CHECK(pipe(pipe_fds) == 0);
  CHECK_OK(mimi_loop_watch_fd(s.loop, pipe_fds[0], MIMI_READABLE, ready, &s, &error));
  CHECK(write(pipe_fds[1], "x", 1) == 1);
  CHECK_OK(mimi_loop_at(s.loop, mimi_now_ns(), fire, &s, NULL, &error));
  CHECK_OK(mimi_loop_at(s.loop, mimi_now_ns() + INT64_C(3600000000000), fire, &s, &timer, &error));
  CHECK_OK(mimi_loop_post(s.loop, posted, &s, &error));
  CHECK_OK(mimi_loop_next_deadline(s.loop, &deadline, &error));
  CHECK(deadline <= mimi_now_ns());
  CHECK(s.fired == 0 && s.ready == 0 && s.posted == 0);
  run_until(s.loop, &s.fired);
  run_until(s.loop, &s.ready);
  run_until(s.loop, &s.posted);
  CHECK(s.run == MIMI_FAILED_PRECONDITION); /* a loop is not run from its own callback */
  CHECK(s.close == MIMI_FAILED_PRECONDITION);
  CHECK_OK(mimi_loop_cancel(s.loop, timer, &error));
  CHECK_OK(mimi_loop_cancel(s.loop, timer, &error)); /* harmless */
  CHECK_OK(mimi_loop_unwatch_fd(s.loop, pipe_fds[0], &error));
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  CHECK(s.fired == 1);
  CHECK_OK(mimi_loop_close(s.loop, &error));
}

static void stop(void* context) {
  CHECK_OK(mimi_loop_stop(context, &error));
}

static void runs_until_it_is_stopped(void) {
  mimi_loop* loop = new_loop();
  CHECK_OK(mimi_loop_post(loop, stop, loop, &error));
  CHECK_OK(mimi_loop_run(loop, &error));
  CHECK_OK(mimi_loop_wake(loop, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

static void refuses(void) {
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_store* store = NULL;
  mimi_loop* uv = NULL;
  CHECK_STATUS(mimi_loop_new(NULL, &error), MIMI_INVALID_ARGUMENT, "loop is NULL");
  CHECK_STATUS(mimi_loop_run_once(NULL, NULL, &error), MIMI_INVALID_ARGUMENT, "loop is NULL");
  CHECK_STATUS(mimi_loop_post(loop, NULL, NULL, &error), MIMI_INVALID_ARGUMENT, "task is NULL");
  CHECK_STATUS(mimi_loop_watch_fd(loop, -1, MIMI_READABLE, ready, NULL, &error),
               MIMI_INVALID_ARGUMENT, "fd -1");
  CHECK_OK(mimi_store_new_memory(loop, NULL, &store, &error));
  CHECK_STATUS(mimi_loop_close(loop, &error), MIMI_FAILED_PRECONDITION, "close the store first");
#if MIMI_TEST_CORE
  CHECK_STATUS(mimi_loop_new_uv(NULL, &uv, &error), MIMI_UNIMPLEMENTED, "libuv");
#else
  CHECK_OK(mimi_loop_new_uv(NULL, &uv, &error));
  CHECK_OK(mimi_loop_close(uv, &error));
#endif
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
  CHECK_OK(mimi_loop_close(NULL, &error));
}

const test loop_tests[] = {
    {"loop: callbacks run in a run, and only there", calls_back_only_in_a_run},
    {"loop: run returns when it is stopped", runs_until_it_is_stopped},
    {"loop: what is wrong is refused, by name", refuses},
    {NULL, NULL}};
