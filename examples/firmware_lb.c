/* A load balancer's firmware: a packet loop in C that publishes its connections to a store on disc,
 * by one line per change. No thread but its own; the library is called from its poll loop.
 *
 *   build/dev/examples/firmware_lb /tmp/edge1 20000 10000 5      (store, connections, changes/s, s)
 *
 * You will see when the store has all connections; then it goes on changing them. Follow it from
 * another process with vnf_link, and kill it. Linked against mimi::c_core alone: Abseil and fmt, no
 * more. */

#include <mimi/c/mimi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct lb_flow { /* the row: key first, packed; integers are little-endian */
  uint8_t client_ip[4], client_port[2], backend_ip[4];
} lb_flow;

static mimi_error error; /* one for all: it is only read after a failure */
static void need(int failed, const char* what) {
  if (failed) {
    fprintf(stderr, "%s: %s: %s\n", what, mimi_status_name(error.status), error.message);
    exit(1);
  }
}

static mimi_schema* new_schema(void) {
  mimi_schema_builder* builder = NULL;
  mimi_schema* schema = NULL;
  need(mimi_schema_builder_new("lb.flow", 1, &builder, &error) ||
           mimi_schema_builder_key(builder, "client_ip", MIMI_FIELD_IPV4, 0, &error) ||
           mimi_schema_builder_key(builder, "client_port", MIMI_FIELD_PORT, 0, &error) ||
           mimi_schema_builder_value(builder, "backend_ip", MIMI_FIELD_IPV4, 0, &error) ||
           mimi_schema_builder_build(builder, &schema, &error),
       "schema");
  return schema;
}

/* Connection i; four backends, balanced, and another one in each turn. */
static lb_flow flow_of(unsigned i, unsigned turn) {
  const lb_flow flow = {{198, 51, (uint8_t)(i >> 16), 7},
                        {(uint8_t)i, (uint8_t)(i >> 8)},
                        {10, 0, 0, (uint8_t)(1 + (i + turn) % 4)}};
  return flow;
}

/* After a loss the library asks for everything once more. 1: no room now, call it again. */
static int walk(mimi_lane* lane, unsigned flows, unsigned turn) {
  static unsigned next = 0; /* 0: not begun */
  if (next == 0 && mimi_lane_begin_resync(lane, NULL) == MIMI_OK) {
    next = 1;
  }
  for (; next > 0 && next <= flows; ++next) {
    const lb_flow flow = flow_of(next - 1, turn);
    if (mimi_lane_walk(lane, &flow, sizeof flow, NULL) != MIMI_OK) {
      return 1;
    }
  }
  if (next > flows && mimi_lane_end_resync(lane, NULL) == MIMI_OK) {
    next = 0;
  }
  return next != 0;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/tmp/mimi-edge1";
  const unsigned flows = argc > 2 ? (unsigned)atoi(argv[2]) : 20000;
  const int64_t rate = argc > 3 ? atoi(argv[3]) : 10000;
  const int64_t seconds = argc > 4 ? atoi(argv[4]) : 5, start = mimi_now_ns();
  mimi_loop* loop = NULL;
  mimi_store* store = NULL;
  mimi_engine* engine = NULL;
  mimi_lane* lane = NULL;
  mimi_schema* schema = new_schema();
  mimi_box_options box = MIMI_INIT(mimi_box_options);
  mimi_engine_options options = MIMI_INIT(mimi_engine_options);
  struct pollfd fds = {-1, POLLIN, 0}; /* a real box has its own descriptors beside this one */
  int64_t puts = 0;
  uint64_t all = 0, confirmed = 0; /* output commit: what was put first, and what is stored */
  int32_t wanted = 0, walking = 0, told = 0;

  need(mimi_loop_new(&loop, &error), "loop");
  need(mimi_store_new_file(loop, path, NULL, &store, &error), "store");
  box.lanes = (const mimi_schema* const*)&schema;
  box.lane_count = 1;
  options.pair = "edge1";
  options.store = store;
  options.primary = &box;
  need(mimi_engine_new(loop, &options, &engine, &error) || mimi_engine_start(engine, &error) ||
           mimi_engine_open_lane(engine, MIMI_PRIMARY, schema, &lane, &error) ||
           mimi_engine_poll_fd(engine, &fds.fd, &error),
       "engine");

  while (mimi_now_ns() - start < seconds * 1000000000) {
    /* The packets of this round; a full ring is counted, and walked later. */
    const int64_t due = flows + (mimi_now_ns() - start) * rate / 1000000000;
    for (; puts < due; ++puts) {
      const lb_flow flow = flow_of((unsigned)(puts % flows), (unsigned)(puts / flows));
      (void)mimi_lane_put(lane, &flow, sizeof flow, NULL);
    }
    if (walking || (mimi_lane_resync_wanted(lane, &wanted, NULL) == MIMI_OK && wanted)) {
      walking = walk(lane, flows, (unsigned)(puts / flows));
    }
    if (poll(&fds, 1, 1) > 0) { /* the library's turn, when it has something to do */
      need(mimi_engine_run_once(engine, NULL, &error), "engine");
    }
    need((all == 0 && mimi_lane_mark(lane, &all, &error)) ||
             mimi_lane_confirmed(lane, &confirmed, &error),
         "lane");
    if (!told && confirmed >= all) {
      told = printf("all %u connections are in the store after %lld ms\n", flows,
                    (long long)(mimi_now_ns() - start) / 1000000);
      fflush(stdout);
    }
  }
  mimi_lane_close(lane, NULL);
  mimi_engine_close(engine, NULL);
  mimi_store_close(store, NULL);
  mimi_loop_close(loop, NULL);
  return mimi_schema_close(schema, NULL);
}
