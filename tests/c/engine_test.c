#include "check.h"
#include "list_store.h"

/* A pair in one process: a lane at the primary, a table at the minion, a manager. */
typedef struct pair {
  mimi_loop* loop;
  mimi_schema* schema;
  mimi_store* store;
  mimi_table* table;
  mimi_policy* policy;
  mimi_steering* steering;
  mimi_engine* engine;
  mimi_lane* lane;
  int traffic; /* where the steering sent it */
  int table_active;
  int events;
  int steering_destroyed;
  int steps;
  mimi_status run_inside;
  mimi_status close_inside;
  int done;
  mimi_status status;
  char message[300];
} pair;

static void divert(void* self, mimi_answer answer) {
  pair* p = self;
  int32_t may = 0;
  CHECK_OK(mimi_steering_may_act(p->steering, answer, &may, &error));
  if (!may) {
    CHECK_OK(mimi_answer_done(p->loop, answer, MIMI_ABORTED, "may not", &error));
    return;
  }
  p->traffic = MIMI_MINION;
  p->run_inside = mimi_engine_run_once(p->engine, NULL, NULL);
  p->close_inside = mimi_engine_close(p->engine, NULL);
  CHECK_OK(mimi_answer_done(p->loop, answer, MIMI_OK, NULL, &error));
}
static void restore(void* self, mimi_answer answer) {
  pair* p = self;
  p->traffic = MIMI_PRIMARY;
  CHECK_OK(mimi_answer_done(p->loop, answer, MIMI_OK, NULL, &error));
}
static void observe(void* self, mimi_answer answer) {
  pair* p = self;
  CHECK_OK(mimi_answer_observe(p->loop, answer, p->traffic, &error));
}
static void steering_gone(void* self) {
  ++((pair*)self)->steering_destroyed;
}

static void on_active(void* context, int32_t active) {
  ((pair*)context)->table_active = active;
}
static void on_step(void* context, int32_t to, int32_t step, int32_t after) {
  CHECK(to == MIMI_MINION && step >= MIMI_STEP_ANNOUNCE && step <= MIMI_STEP_COMMIT);
  CHECK(after == 0 || after == 1);
  ++((pair*)context)->steps;
}
static void on_event(void* context, int64_t unix_ns, const char* kind, const char* detail) {
  CHECK(unix_ns > 0 && kind[0] != '\0' && detail != NULL);
  ++((pair*)context)->events;
}

static mimi_engine_options options_of(pair* p, mimi_box_options* primary, mimi_box_options* minion,
                                      mimi_manager_options* manager) {
  mimi_engine_options options = MIMI_INIT(mimi_engine_options);
  const mimi_box_options box = MIMI_INIT(mimi_box_options);
  const mimi_manager_options manages = MIMI_INIT(mimi_manager_options);
  *primary = box;
  *minion = box;
  *manager = manages;
  primary->lanes = (const mimi_schema* const*)&p->schema;
  primary->lane_count = 1;
  minion->tables = &p->table;
  minion->table_count = 1;
  manager->policy = p->policy;
  manager->steering = p->steering;
  manager->on_step = on_step;
  manager->context = p;
  options.pair = "edge1";
  options.store = p->store;
  options.primary = primary;
  options.minion = minion;
  options.manager = manager;
  options.on_event = on_event;
  options.context = p;
  options.ring_slots = 1024;
  return options;
}

/* The pair on `store`, which it takes. */
static void open_pair(pair* p, mimi_loop* loop, mimi_store* store) {
  mimi_steering_ops ops = MIMI_INIT(mimi_steering_ops);
  mimi_table_options table = MIMI_INIT(mimi_table_options);
  mimi_box_options primary, minion;
  mimi_manager_options manager;
  mimi_engine_options options;
  memset(p, 0, sizeof *p);
  p->loop = loop;
  p->store = store;
  p->schema = new_lb_flow();
  table.on_active = on_active;
  table.context = p;
  ops.name = "test";
  ops.divert = divert;
  ops.restore = restore;
  ops.observe = observe;
  ops.self = p;
  ops.destroy = steering_gone;
  CHECK_OK(mimi_table_new(loop, p->schema, &table, &p->table, &error));
  CHECK_OK(mimi_steering_new(loop, &ops, &p->steering, &error));
  CHECK_OK(mimi_policy_new_immediate(0, 0, &p->policy, &error));
  options = options_of(p, &primary, &minion, &manager);
  CHECK_OK(mimi_engine_new(loop, &options, &p->engine, &error));
  CHECK_OK(mimi_engine_open_lane(p->engine, MIMI_PRIMARY, p->schema, &p->lane, &error));
}

static void close_pair(pair* p) {
  CHECK_STATUS(mimi_store_close(p->store, &error), MIMI_FAILED_PRECONDITION, "engine first");
  CHECK_STATUS(mimi_table_close(p->table, &error), MIMI_FAILED_PRECONDITION, "engine first");
  CHECK_OK(mimi_engine_close(p->engine, &error));
  CHECK_OK(mimi_lane_close(p->lane, &error)); /* a lane may outlive its engine */
  CHECK_OK(mimi_policy_close(p->policy, &error));
  CHECK(p->steering_destroyed == 0);
  CHECK_OK(mimi_steering_close(p->steering, &error));
  CHECK(p->steering_destroyed == 1);
  CHECK_OK(mimi_table_close(p->table, &error));
  CHECK_OK(mimi_store_close(p->store, &error));
  CHECK_OK(mimi_schema_close(p->schema, &error));
  CHECK_OK(mimi_loop_close(p->loop, &error));
}

/* Runs until the table has so many rows. */
static void run_until_rows(pair* p, uint64_t rows) {
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  uint64_t seen = UINT64_MAX;
  while (seen != rows && mimi_now_ns() < give_up) {
    CHECK_OK(mimi_engine_run_once(p->engine, NULL, &error));
    CHECK_OK(mimi_table_size(p->table, &seen, &error));
  }
  CHECK(seen == rows);
}

/* Walks what the lane's thread has live: ports 1 to 100, but for the one that was erased. */
static void walk_if_wanted(pair* p, uint16_t erased) {
  int32_t wanted = 0;
  uint16_t port;
  CHECK_OK(mimi_lane_resync_wanted(p->lane, &wanted, &error));
  if (!wanted) {
    return;
  }
  while (mimi_lane_begin_resync(p->lane, NULL) == MIMI_RESOURCE_EXHAUSTED) {
    CHECK_OK(mimi_engine_run_once(p->engine, NULL, &error));
  }
  for (port = 1; port <= 100; ++port) {
    const lb_flow row = lb_row(port);
    while (port != erased &&
           mimi_lane_walk(p->lane, &row, sizeof row, NULL) == MIMI_RESOURCE_EXHAUSTED) {
      CHECK_OK(mimi_engine_run_once(p->engine, NULL, &error));
    }
  }
  while (mimi_lane_end_resync(p->lane, NULL) == MIMI_RESOURCE_EXHAUSTED) {
    CHECK_OK(mimi_engine_run_once(p->engine, NULL, &error));
  }
}

static void done(void* context, mimi_status status, const char* message) {
  pair* p = context;
  p->done = 1;
  p->status = status;
  snprintf(p->message, sizeof p->message, "%s", message);
}

/* Runs until a planned divert goes through; the pair may have to become ready first. */
static void divert_when_ready(pair* p) {
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  p->status = MIMI_FAILED_PRECONDITION;
  while (p->status == MIMI_FAILED_PRECONDITION || p->status == MIMI_ABORTED) {
    p->done = 0;
    CHECK_OK(mimi_engine_divert(p->engine, done, p, &error));
    CHECK(p->done == 0);
    run_until(p->loop, &p->done);
    walk_if_wanted(p, 50);
    if (mimi_now_ns() > give_up) {
      break;
    }
  }
  if (p->status != MIMI_OK) {
    check_failed(__FILE__, __LINE__, "divert", p->message);
  }
}

static void count_metric(void* context, const char* name, const char* labels, double value,
                         int32_t counter) {
  CHECK(strncmp(name, "mimi_", 5) == 0 && labels != NULL && value >= 0);
  CHECK(counter == 0 || counter == 1);
  ++*(int*)context;
}

static void audited(void* context, mimi_status status, const char* message,
                    const mimi_audit_result* result) {
  done(context, status, message);
  if (result != NULL) {
    CHECK(result->compared == 99 && result->missing == 0 && result->extra == 0);
  }
}

static void looks_at(pair* p) {
  mimi_view* view = NULL;
  mimi_pair_view of = MIMI_INIT(mimi_pair_view);
  mimi_box_view box = MIMI_INIT(mimi_box_view);
  mimi_part_view part = MIMI_INIT(mimi_part_view);
  mimi_move move = MIMI_INIT(mimi_move);
  char json[8192];
  size_t length = 0;
  int metrics = 0;
  CHECK_OK(mimi_engine_view(p->engine, &view, &error));
  CHECK_OK(mimi_view_get_pair(view, &of, &error));
  CHECK(of.phase == MIMI_PHASE_ON_MINION && of.traffic == MIMI_MINION && of.acting == 1);
  CHECK(of.step == -1 && of.moves == 1);
  CHECK_OK(mimi_view_get_move(view, 0, &move, &error));
  CHECK(move.to == MIMI_MINION && move.planned == 1 && move.succeeded == 1);
  CHECK_STATUS(mimi_view_get_move(view, 1, &move, &error), MIMI_NOT_FOUND, "1 of 1");
  CHECK_OK(mimi_view_get_box(view, MIMI_MINION, &box, &error));
  CHECK(box.rows == 99);
  CHECK_STATUS(mimi_view_get_box(view, 2, &box, &error), MIMI_INVALID_ARGUMENT, "side: 2");
  CHECK_OK(mimi_view_get_part(view, MIMI_MINION, MIMI_PART_SINK, &part, &error));
  CHECK(part.heard == 1 && part.rows == 99 && part.lost == 0);
  CHECK_OK(mimi_view_to_json(view, json, sizeof json, &length, &error));
  CHECK(strstr(json, "\"pair\": \"edge1\"") != NULL && strlen(json) == length);
  CHECK_OK(mimi_view_close(view, &error));
  CHECK_OK(mimi_engine_metrics(p->engine, count_metric, &metrics, &error));
  CHECK(metrics > 3);
}

/* The life of a pair on any store: rows flow, a divert moves the traffic, nothing is lost. */
static void lives(mimi_loop* loop, mimi_store* store) {
  pair p;
  uint16_t port;
  uint64_t ticket = 0;
  uint64_t confirmed = 0;
  lb_flow row;
  open_pair(&p, loop, store);
  for (port = 1; port <= 100; ++port) {
    row = lb_row(port);
    CHECK_OK(mimi_lane_put(p.lane, &row, sizeof row, &error));
  }
  CHECK_OK(mimi_lane_mark(p.lane, &ticket, &error));
  run_until_rows(&p, 100);
  CHECK_OK(mimi_lane_confirmed(p.lane, &confirmed, &error));
  CHECK(confirmed >= ticket);
  row = lb_row(50);
  memset(row.backend_ip, 0, 4);
  CHECK_OK(mimi_table_lookup(p.table, &row, LB_KEY, &row, sizeof row, &error));
  CHECK(row.backend_ip[3] == 50 % 4 + 1);
  CHECK_OK(mimi_lane_erase(p.lane, &row, LB_KEY, &error));
  run_until_rows(&p, 99);
  CHECK_STATUS(mimi_table_lookup(p.table, &row, LB_KEY, &row, sizeof row, &error), MIMI_NOT_FOUND,
               NULL);
  p.done = 0;
  CHECK_OK(mimi_engine_audit(p.engine, MIMI_MINION, audited, &p, &error));
  run_until(p.loop, &p.done);
  CHECK(p.status == MIMI_OK);
  CHECK(p.traffic == MIMI_PRIMARY);
  divert_when_ready(&p);
  CHECK(p.traffic == MIMI_MINION && p.table_active == 1 && p.steps > 0 && p.events > 0);
  CHECK(p.run_inside == MIMI_FAILED_PRECONDITION);
  CHECK(p.close_inside == MIMI_FAILED_PRECONDITION);
  looks_at(&p);
  p.done = 0;
  CHECK_OK(mimi_engine_stop(p.engine, INT64_C(5000000000), done, &p, &error));
  run_until(p.loop, &p.done);
  close_pair(&p);
}

static void lives_on_memory(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  CHECK_OK(mimi_store_new_memory(loop, NULL, &store, &error));
  lives(loop, store);
}

static void lives_on_a_store_in_c(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  int destroyed = 0;
  CHECK(list_store_new(loop, &destroyed, &store, NULL) != NULL);
  lives(loop, store);
  CHECK(destroyed == 1);
}

static void lanes_refuse(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  pair p;
  lb_flow row = lb_row(1);
  void* place = NULL;
  uint64_t lost = 9;
  int i;
  mimi_status status = MIMI_OK;
  CHECK_OK(mimi_store_new_memory(loop, NULL, &store, &error));
  open_pair(&p, loop, store);
  CHECK_STATUS(mimi_lane_put(NULL, &row, sizeof row, &error), MIMI_INVALID_ARGUMENT,
               "lane is NULL");
  CHECK_STATUS(mimi_lane_put(p.lane, NULL, sizeof row, &error), MIMI_INVALID_ARGUMENT,
               "row is NULL");
  CHECK_STATUS(mimi_lane_put(p.lane, &row, sizeof row + 1, &error), MIMI_INVALID_ARGUMENT,
               "row has 11 bytes, expected 10");
  CHECK_STATUS(mimi_lane_erase(p.lane, &row, LB_ROW, &error), MIMI_INVALID_ARGUMENT,
               "key has 10 bytes, expected 6");
  CHECK_STATUS(mimi_lane_commit(p.lane, &error), MIMI_FAILED_PRECONDITION, "no row is claimed");
  CHECK_STATUS(mimi_lane_abort(p.lane, &error), MIMI_FAILED_PRECONDITION, "no row is claimed");
  CHECK_OK(mimi_lane_claim(p.lane, &place, &error));
  CHECK_STATUS(mimi_lane_put(p.lane, &row, sizeof row, &error), MIMI_FAILED_PRECONDITION,
               "commit or abort");
  CHECK_OK(mimi_lane_abort(p.lane, &error));
  CHECK_OK(mimi_lane_claim(p.lane, &place, &error));
  memcpy(place, &row, sizeof row);
  CHECK_OK(mimi_lane_commit(p.lane, &error));
  CHECK_OK(mimi_lane_lost(p.lane, &lost, &error));
  CHECK(lost == 0); /* a wrong call loses nothing */
  for (i = 0; i < 5000 && status == MIMI_OK; ++i) {
    status = mimi_lane_put(p.lane, &row, sizeof row, NULL);
  }
  CHECK(status == MIMI_RESOURCE_EXHAUSTED && i >= 1000); /* the ring has 1024 slots */
  CHECK_OK(mimi_lane_lost(p.lane, &lost, &error));
  CHECK(lost == 1);
  run_until_rows(&p, 1);
  CHECK_OK(mimi_lane_close(NULL, &error));
  close_pair(&p);
}

static void names_wrong_options(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  mimi_engine* engine = NULL;
  mimi_lane* lane = NULL;
  mimi_schema* flow = NULL;
  pair p;
  mimi_box_options primary, minion;
  mimi_manager_options manager;
  mimi_engine_options options;
  CHECK_OK(mimi_store_new_memory(loop, NULL, &store, &error));
  open_pair(&p, loop, store);
  options = options_of(&p, &primary, &minion, &manager);
  options.store = NULL;
  CHECK_STATUS(mimi_engine_new(loop, &options, &engine, &error), MIMI_INVALID_ARGUMENT,
               "mimi_engine_options.store is NULL");
  options.store = store;
  manager.steering = NULL;
  CHECK_STATUS(mimi_engine_new(loop, &options, &engine, &error), MIMI_INVALID_ARGUMENT,
               "mimi_manager_options.steering is NULL");
  manager.steering = p.steering;
  primary.driver_count = 1;
  CHECK_STATUS(mimi_engine_new(loop, &options, &engine, &error), MIMI_INVALID_ARGUMENT,
               "primary.drivers is NULL");
  CHECK_STATUS(mimi_engine_new(loop, NULL, &engine, &error), MIMI_INVALID_ARGUMENT,
               "options is NULL");
  CHECK_OK(mimi_schema_new_flow(&flow, &error));
  CHECK_STATUS(mimi_engine_open_lane(p.engine, MIMI_PRIMARY, flow, &lane, &error), MIMI_NOT_FOUND,
               NULL);
  CHECK_STATUS(mimi_engine_open_lane(p.engine, 5, p.schema, &lane, &error), MIMI_INVALID_ARGUMENT,
               "side: 5");
  CHECK_STATUS(mimi_engine_report(p.engine, MIMI_PRIMARY, 9, 0, NULL, &error),
               MIMI_INVALID_ARGUMENT, "health: 9");
  CHECK_OK(mimi_engine_close(NULL, &error));
  CHECK_OK(mimi_schema_close(flow, &error));
  close_pair(&p);
}

const test engine_tests[] = {
    {"engine: a pair lives on the memory store", lives_on_memory},
    {"engine: a pair lives on a store written in C", lives_on_a_store_in_c},
    {"engine: lanes refuse what is wrong, and lose nothing by it", lanes_refuse},
    {"engine: wrong options are named", names_wrong_options},
    {NULL, NULL}};
