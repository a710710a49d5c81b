#include "check.h"

typedef struct answer {
  int called;
  mimi_status status;
  char message[256];
  uint64_t term;
  int64_t valid_until_ns;
  mimi_status close; /* of `lease`, from inside its callback */
  mimi_lease* lease;
} answer;

static void done(void* context, mimi_status status, const char* message) {
  answer* a = context;
  a->called = 1;
  a->status = status;
  snprintf(a->message, sizeof a->message, "%s", message);
}

static void claimed(void* context, mimi_status status, const char* message, uint64_t term,
                    uint64_t head) {
  (void)head;
  done(context, status, message);
  ((answer*)context)->term = term;
}

static void granted(void* context, mimi_status status, const char* message, uint64_t term,
                    int64_t valid_until_ns) {
  answer* a = context;
  done(context, status, message);
  a->term = term;
  a->valid_until_ns = valid_until_ns;
  if (a->lease != NULL) {
    a->close = mimi_lease_close(a->lease, NULL);
  }
}

typedef struct world {
  mimi_loop* loop;
  mimi_store* store;
  mimi_schema* schema;
} world;

static world new_world(void) {
  world w = {new_loop(), NULL, new_lb_flow()};
  answer a;
  memset(&a, 0, sizeof a);
  CHECK_OK(mimi_store_new_memory(w.loop, NULL, &w.store, &error));
  CHECK_OK(mimi_store_open(w.store, w.schema, done, &a, &error));
  run_until(w.loop, &a.called);
  return w;
}

static void end_world(world w) {
  CHECK_OK(mimi_store_close(w.store, &error));
  CHECK_OK(mimi_schema_close(w.schema, &error));
  CHECK_OK(mimi_loop_close(w.loop, &error));
}

static uint64_t claim(world w, uint64_t origin) {
  mimi_claim_request request = MIMI_INIT(mimi_claim_request);
  answer a;
  memset(&a, 0, sizeof a);
  request.origin = origin;
  CHECK_OK(mimi_store_claim(w.store, &request, claimed, &a, &error));
  run_until(w.loop, &a.called);
  CHECK(a.status == MIMI_OK);
  return a.term;
}

static mimi_publisher_stats stats_of(mimi_publisher* publisher) {
  mimi_publisher_stats stats = MIMI_INIT(mimi_publisher_stats);
  CHECK_OK(mimi_publisher_get_stats(publisher, &stats, &error));
  return stats;
}

static uint64_t rows_in(mimi_store* store) {
  mimi_store_state state = MIMI_INIT(mimi_store_state);
  CHECK_OK(mimi_store_get_state(store, &state, &error));
  return state.rows;
}

/* Ticks as a firmware's loop would, until the lane's ticket is confirmed. */
static void settle(world w, mimi_publisher* publisher, const mimi_lane* lane) {
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  uint64_t ticket = 0, confirmed = 0;
  CHECK_OK(mimi_lane_mark(lane, &ticket, &error));
  while (confirmed < ticket && mimi_now_ns() < give_up) {
    int64_t next_ns = 0;
    CHECK_OK(mimi_publisher_tick(publisher, &next_ns, &error));
    CHECK(next_ns > 0);
    CHECK_OK(mimi_loop_run_once(w.loop, NULL, &error));
    CHECK_OK(mimi_lane_confirmed(lane, &confirmed, &error));
  }
  CHECK(confirmed >= ticket);
}

static void test_publishes(void) {
  world w = new_world();
  mimi_publisher_options options = MIMI_INIT(mimi_publisher_options);
  mimi_publisher* publisher = NULL;
  mimi_lane* lane = NULL;
  mimi_publisher_stats stats;
  uint16_t port;
  int fd = 0;
  options.ring_slots = 1024;
  options.wake = 1;
  CHECK_OK(mimi_publisher_new(w.store, w.schema, 7, &options, &publisher, &error));
  CHECK_OK(mimi_publisher_open_lane(publisher, &lane, &error));
  CHECK_OK(mimi_publisher_wake_fd(publisher, &fd, &error));
  CHECK(fd >= 0);
  for (port = 1; port <= 10; ++port) {
    const lb_flow row = lb_row(port);
    CHECK_OK(mimi_lane_put(lane, &row, sizeof row, &error));
  }
  /* Without a term everything waits. */
  CHECK_OK(mimi_publisher_tick(publisher, NULL, &error));
  CHECK(stats_of(publisher).pending == 10);
  CHECK(rows_in(w.store) == 0);
  CHECK_STATUS(mimi_publisher_set_term(publisher, 0, &error), MIMI_INVALID_ARGUMENT, NULL);
  CHECK_OK(mimi_publisher_set_term(publisher, claim(w, 7), &error));
  settle(w, publisher, lane);
  CHECK(rows_in(w.store) == 10);
  stats = stats_of(publisher);
  CHECK(stats.published == 10 && stats.sealed == 10 && stats.pending == 0 && stats.in_flight == 0);
  CHECK(stats.lost == 0 && stats.lanes == 1 && stats.term > 0 && !stats.resync_wanted);

  /* What the store is used by cannot be closed under it. */
  CHECK_STATUS(mimi_store_close(w.store, &error), MIMI_FAILED_PRECONDITION, "publisher");
  CHECK_OK(mimi_lane_close(lane, &error));
  CHECK_OK(mimi_publisher_close(publisher, &error));
  CHECK_OK(mimi_publisher_close(NULL, &error));
  end_world(w);
}

static void test_resync_erases_what_nobody_walked(void) {
  world w = new_world();
  mimi_publisher* publisher = NULL;
  mimi_lane* lane = NULL;
  const lb_flow kept = lb_row(1), gone = lb_row(2);
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  int32_t wanted = 0;
  CHECK_OK(mimi_publisher_new(w.store, w.schema, 7, NULL, &publisher, &error));
  CHECK_OK(mimi_publisher_open_lane(publisher, &lane, &error));
  CHECK_OK(mimi_publisher_set_term(publisher, claim(w, 7), &error));
  CHECK_OK(mimi_lane_put(lane, &kept, sizeof kept, &error));
  CHECK_OK(mimi_lane_put(lane, &gone, sizeof gone, &error));
  settle(w, publisher, lane);
  CHECK(rows_in(w.store) == 2);
  CHECK_OK(mimi_publisher_want_resync(publisher, &error));
  while (!wanted && mimi_now_ns() < give_up) {
    CHECK_OK(mimi_publisher_tick(publisher, NULL, &error));
    CHECK_OK(mimi_lane_resync_wanted(lane, &wanted, &error));
  }
  CHECK_OK(mimi_lane_begin_resync(lane, &error));
  CHECK_OK(mimi_lane_walk(lane, &kept, sizeof kept, &error));
  CHECK_OK(mimi_lane_end_resync(lane, &error));
  while (rows_in(w.store) != 1 && mimi_now_ns() < give_up) {
    CHECK_OK(mimi_publisher_tick(publisher, NULL, &error));
    CHECK_OK(mimi_loop_run_once(w.loop, NULL, &error));
  }
  CHECK(rows_in(w.store) == 1);
  CHECK(stats_of(publisher).swept == 1);
  CHECK_OK(mimi_lane_close(lane, &error));
  CHECK_OK(mimi_publisher_close(publisher, &error));
  end_world(w);
}

static void test_fenced(void) {
  world w = new_world();
  mimi_publisher* publisher = NULL;
  mimi_lane* lane = NULL;
  const lb_flow row = lb_row(1);
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  CHECK_OK(mimi_publisher_new(w.store, w.schema, 7, NULL, &publisher, &error));
  CHECK_OK(mimi_publisher_open_lane(publisher, &lane, &error));
  CHECK_OK(mimi_publisher_set_term(publisher, claim(w, 7), &error));
  CHECK_OK(mimi_publisher_status(publisher, &error));
  claim(w, 8); /* another box takes over */
  CHECK_OK(mimi_lane_put(lane, &row, sizeof row, &error));
  while (stats_of(publisher).term != 0 && mimi_now_ns() < give_up) {
    CHECK_OK(mimi_publisher_tick(publisher, NULL, &error));
  }
  CHECK_STATUS(mimi_publisher_status(publisher, &error), MIMI_ABORTED, NULL);
  CHECK(rows_in(w.store) == 0);
  CHECK_OK(mimi_publisher_set_term(publisher, claim(w, 7), &error));
  settle(w, publisher, lane);
  CHECK(rows_in(w.store) == 1);
  CHECK_OK(mimi_publisher_mute(publisher, &error));
  CHECK(stats_of(publisher).term == 0);
  CHECK_OK(mimi_lane_close(lane, &error));
  CHECK_OK(mimi_publisher_close(publisher, &error));
  end_world(w);
}

static void test_publisher_refuses(void) {
  world w = new_world();
  mimi_publisher_options options = MIMI_INIT(mimi_publisher_options);
  mimi_publisher* publisher = NULL;
  options.batch_size = 1;
  CHECK_STATUS(mimi_publisher_new(w.store, w.schema, 7, &options, &publisher, &error),
               MIMI_INVALID_ARGUMENT, "batch_size");
  CHECK_STATUS(mimi_publisher_new(NULL, w.schema, 7, NULL, &publisher, &error),
               MIMI_INVALID_ARGUMENT, "store");
  CHECK(publisher == NULL);
  end_world(w);
}

static answer ask(world w, mimi_lease* lease, int renew) {
  const int64_t ttl = 60 * INT64_C(1000000000);
  answer a;
  memset(&a, 0, sizeof a);
  CHECK_OK((renew ? mimi_lease_renew : mimi_lease_acquire)(lease, ttl, granted, &a, &error));
  CHECK(a.called == 0); /* never inside the call */
  run_until(w.loop, &a.called);
  return a;
}

static void test_leases(void) {
  world w = new_world();
  mimi_lease *ours = NULL, *theirs = NULL;
  answer a, b;
  CHECK_OK(mimi_lease_new(w.store, "manager", 1, &ours, &error));
  CHECK_OK(mimi_lease_new(w.store, "manager", 2, &theirs, &error));
  CHECK(ask(w, ours, 1).status == MIMI_ABORTED); /* not held */
  a = ask(w, ours, 0);
  CHECK(a.status == MIMI_OK && a.term > 0 && a.valid_until_ns > mimi_now_ns());
  b = ask(w, theirs, 0);
  CHECK(b.status == MIMI_ABORTED && strstr(b.message, "held by") != NULL);
  CHECK(ask(w, ours, 1).term == a.term);
  CHECK_OK(mimi_lease_release(ours, &error));
  b = ask(w, theirs, 0);
  CHECK(b.status == MIMI_OK && b.term > a.term);

  CHECK_STATUS(mimi_lease_acquire(ours, 0, granted, &a, &error), MIMI_INVALID_ARGUMENT, "ttl");
  CHECK_STATUS(mimi_store_close(w.store, &error), MIMI_FAILED_PRECONDITION, "lease");
  /* Not from its own callback; and an answer to a closed handle never comes. */
  memset(&a, 0, sizeof a);
  a.lease = theirs;
  CHECK_OK(mimi_lease_renew(theirs, 1000000000, granted, &a, &error));
  run_until(w.loop, &a.called);
  CHECK(a.close == MIMI_FAILED_PRECONDITION);
  memset(&b, 0, sizeof b);
  CHECK_OK(mimi_lease_acquire(ours, 1000000000, granted, &b, &error));
  CHECK_OK(mimi_lease_close(ours, &error));
  CHECK_OK(mimi_loop_run_once(w.loop, NULL, &error));
  CHECK_OK(mimi_loop_run_once(w.loop, NULL, &error));
  CHECK(b.called == 0);
  CHECK_OK(mimi_lease_close(theirs, &error));
  end_world(w);
}

extern const test publisher_tests[];
const test publisher_tests[] = {
    {"publisher: what lanes were given arrives under the claimed term", test_publishes},
    {"publisher: a resync erases what nobody walked", test_resync_erases_what_nobody_walked},
    {"publisher: a newer term mutes it, and its own next one goes on", test_fenced},
    {"publisher: bad options are named", test_publisher_refuses},
    {"lease: one owner at a time, with a term that grows", test_leases},
    {NULL, NULL}};
