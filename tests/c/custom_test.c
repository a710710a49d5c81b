/* Driver, minion, policy and liveness in C, in one engine: what the driver tells arrives in the
 * minion, and the policy diverts when the liveness says so. */

#include "check.h"

enum { ROWS = 20 };

typedef struct parts {
  mimi_loop* loop;
  mimi_schema* schema;
  mimi_driver* driver;
  mimi_minion* minion;
  mimi_policy* policy;
  mimi_steering* steering;
  mimi_liveness* liveness;
  mimi_engine* engine;
  mimi_sink* sink;
  uint64_t applied; /* records that the minion took */
  uint64_t position;
  unsigned char live[ROWS + 1];
  int rows;
  int resyncs;
  int started, stopped, destroyed;
  int warmed, activated;
  int decisions;
  int traffic;
  int audits;
  mimi_status close_inside;
} parts;

/* -- the driver: a source of ROWS flows -- */

static mimi_status driver_start(void* self, mimi_sink* sink, mimi_error* error) {
  parts* p = self;
  (void)error;
  ++p->started;
  p->sink = sink;
  return MIMI_OK;
}

static mimi_status driver_resync(void* self, mimi_error* error) {
  parts* p = self;
  mimi_batch_builder* builder = NULL;
  const mimi_batch* draft = NULL;
  mimi_driver_state state = MIMI_INIT(mimi_driver_state);
  uint16_t port;
  mimi_status status;
  ++p->resyncs;
  CHECK(mimi_batch_builder_new(p->schema, 0, 0, &builder, error) == MIMI_OK);
  for (port = 1; port <= ROWS; ++port) {
    const lb_flow row = lb_row(port);
    CHECK(mimi_batch_builder_put(builder, &row, sizeof row, error) == MIMI_OK);
  }
  CHECK(mimi_batch_builder_set_flags(builder, MIMI_BATCH_RESYNC_BEGIN | MIMI_BATCH_RESYNC_END,
                                     error) == MIMI_OK);
  CHECK(mimi_batch_builder_draft(builder, &draft, error) == MIMI_OK);
  status = mimi_sink_apply(p->sink, draft, NULL, error);
  CHECK(mimi_batch_builder_close(builder, NULL) == MIMI_OK);
  state.rows = ROWS;
  CHECK(mimi_driver_set_state(p->driver, &state, NULL) == MIMI_OK);
  return status;
}

static void driver_stop(void* self) {
  ++((parts*)self)->stopped;
}
static void destroy(void* self) {
  ++((parts*)self)->destroyed;
}

/* -- the minion: an array -- */

static mimi_status minion_apply(void* self, const mimi_batch* batch, uint64_t* position,
                                mimi_error* error) {
  parts* p = self;
  mimi_batch_info info = MIMI_INIT(mimi_batch_info);
  mimi_minion_state state = MIMI_INIT(mimi_minion_state);
  size_t i;
  (void)error;
  CHECK(mimi_batch_get_info(batch, &info, NULL) == MIMI_OK);
  for (i = 0; i < info.count; ++i) {
    mimi_record record = MIMI_INIT(mimi_record);
    lb_flow row;
    CHECK(mimi_batch_get_record(batch, i, &record, NULL) == MIMI_OK);
    memcpy(&row, record.key, LB_KEY);
    if (row.client_port <= ROWS) {
      p->rows += (record.op == MIMI_OP_PUT) - p->live[row.client_port];
      p->live[row.client_port] = record.op == MIMI_OP_PUT;
    }
    ++p->applied;
  }
  *position = ++p->position;
  state.rows = (uint64_t)p->rows;
  CHECK(mimi_minion_set_state(p->minion, &state, NULL) == MIMI_OK);
  return MIMI_OK;
}

/* The data plane answers a little later. */
static void confirm(void* self) {
  parts* p = self;
  CHECK_OK(mimi_minion_confirm(p->minion, p->position, &error));
  CHECK_OK(mimi_loop_at(p->loop, mimi_now_ns() + 1000000, confirm, p, NULL, &error));
}

static void minion_warm(void* self, mimi_answer answer) {
  parts* p = self;
  ++p->warmed;
  CHECK_OK(mimi_answer_done(p->loop, answer, MIMI_OK, NULL, &error));
}
static void minion_activate(void* self, mimi_answer answer) {
  parts* p = self;
  ++p->activated;
  p->close_inside = mimi_minion_close(p->minion, NULL);
  CHECK_OK(mimi_answer_done(p->loop, answer, MIMI_OK, NULL, &error));
}

static mimi_status minion_audit(void* self, mimi_audit* audit, size_t budget, int32_t* ended,
                                mimi_error* error) {
  parts* p = self;
  uint16_t port;
  (void)budget;
  for (port = 1; port <= ROWS; ++port) {
    const lb_flow row = lb_row(port);
    if (p->live[port]) {
      CHECK(mimi_audit_row(audit, &row, sizeof row, error) == MIMI_OK);
    }
  }
  ++p->audits;
  *ended = 1;
  return MIMI_OK;
}

/* -- policy, steering, liveness -- */

static void decide(void* self, const mimi_view* view, int64_t now_ns, mimi_decision* decision) {
  parts* p = self;
  mimi_box_view primary = MIMI_INIT(mimi_box_view);
  mimi_pair_view of = MIMI_INIT(mimi_pair_view);
  mimi_part_view part = MIMI_INIT(mimi_part_view);
  ++p->decisions;
  CHECK(now_ns > 0 && decision->action == MIMI_STAY);
  CHECK(mimi_view_get_box(view, MIMI_PRIMARY, &primary, NULL) == MIMI_OK);
  CHECK(mimi_view_get_pair(view, &of, NULL) == MIMI_OK);
  CHECK(mimi_view_get_part(view, MIMI_PRIMARY, MIMI_PART_SOURCE, &part, NULL) == MIMI_NOT_FOUND);
  if (primary.health == MIMI_HEALTH_DOWN && of.traffic == MIMI_PRIMARY) {
    decision->action = MIMI_DIVERT;
    strcpy(decision->reason, "the test said so");
  }
}

static void divert(void* self, mimi_answer answer) {
  ((parts*)self)->traffic = MIMI_MINION;
  CHECK_OK(mimi_answer_done(((parts*)self)->loop, answer, MIMI_OK, NULL, &error));
}
static void observe(void* self, mimi_answer answer) {
  CHECK_OK(mimi_answer_observe(((parts*)self)->loop, answer, ((parts*)self)->traffic, &error));
}
static mimi_status liveness_start(void* self, mimi_error* error) {
  (void)error;
  ++((parts*)self)->started;
  return MIMI_OK;
}
static void liveness_stop(void* self) {
  ++((parts*)self)->stopped;
}

static void make_parts(parts* p) {
  mimi_driver_ops driver = MIMI_INIT(mimi_driver_ops);
  mimi_minion_ops minion = MIMI_INIT(mimi_minion_ops);
  mimi_policy_ops policy = MIMI_INIT(mimi_policy_ops);
  mimi_steering_ops steering = MIMI_INIT(mimi_steering_ops);
  mimi_liveness_ops liveness = MIMI_INIT(mimi_liveness_ops);
  driver.start = driver_start;
  driver.resync = driver_resync;
  driver.stop = driver_stop;
  minion.apply = minion_apply;
  minion.warm = minion_warm;
  minion.activate = minion_activate;
  minion.audit = minion_audit;
  policy.name = "test";
  policy.decide = decide;
  steering.name = "test";
  steering.divert = divert;
  steering.restore = observe;
  steering.observe = observe;
  liveness.name = "test";
  liveness.start = liveness_start;
  liveness.stop = liveness_stop;
  driver.self = minion.self = policy.self = steering.self = liveness.self = p;
  driver.destroy = minion.destroy = policy.destroy = destroy;
  steering.destroy = liveness.destroy = destroy;
  CHECK_OK(mimi_driver_new(p->loop, p->schema, &driver, &p->driver, &error));
  CHECK_OK(mimi_minion_new(p->loop, p->schema, &minion, &p->minion, &error));
  CHECK_OK(mimi_policy_new(&policy, &p->policy, &error));
  CHECK_OK(mimi_steering_new(p->loop, &steering, &p->steering, &error));
  CHECK_OK(mimi_liveness_new(p->loop, &liveness, &p->liveness, &error));
}

static void close_parts(parts* p) {
  CHECK_OK(mimi_driver_close(p->driver, &error));
  CHECK_OK(mimi_minion_close(p->minion, &error));
  CHECK_OK(mimi_policy_close(p->policy, &error));
  CHECK_OK(mimi_steering_close(p->steering, &error));
  CHECK_OK(mimi_liveness_close(p->liveness, &error));
  CHECK(p->destroyed == 5);
}

static void run_for(parts* p, const int* count, int wanted) {
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  while (*count != wanted && mimi_now_ns() < give_up) {
    CHECK_OK(mimi_engine_run_once(p->engine, NULL, &error));
  }
  CHECK(*count == wanted);
}

static void all_parts_in_c(void) {
  parts p;
  mimi_store* store = NULL;
  mimi_box_options primary = MIMI_INIT(mimi_box_options);
  mimi_box_options minion = MIMI_INIT(mimi_box_options);
  mimi_manager_options manager = MIMI_INIT(mimi_manager_options);
  mimi_engine_options options = MIMI_INIT(mimi_engine_options);
  memset(&p, 0, sizeof p);
  p.loop = new_loop();
  p.schema = new_lb_flow();
  make_parts(&p);
  CHECK_OK(mimi_store_new_memory(p.loop, NULL, &store, &error));
  primary.drivers = &p.driver;
  primary.driver_count = 1;
  minion.minions = &p.minion;
  minion.minion_count = 1;
  manager.policy = p.policy;
  manager.steering = p.steering;
  manager.liveness = &p.liveness;
  manager.liveness_count = 1;
  options.store = store;
  options.primary = &primary;
  options.minion = &minion;
  options.manager = &manager;
  CHECK_STATUS(mimi_liveness_report(p.liveness, MIMI_PRIMARY, MIMI_HEALTH_UP, 0, "", &error),
               MIMI_FAILED_PRECONDITION, "not started");
  CHECK_OK(mimi_engine_new(p.loop, &options, &p.engine, &error));
  CHECK_OK(mimi_engine_start(p.engine, &error));
  confirm(&p);
  CHECK(p.started >= 1);
  run_for(&p, &p.rows, ROWS);
  CHECK(p.warmed >= 1 && p.resyncs >= 1);
  CHECK_OK(mimi_liveness_report(p.liveness, MIMI_PRIMARY, MIMI_HEALTH_UP, 0, "up", &error));
  run_for(&p, &p.started, 2);
  CHECK(p.traffic == MIMI_PRIMARY);
  CHECK_OK(mimi_liveness_report(p.liveness, MIMI_PRIMARY, MIMI_HEALTH_DOWN, 0, "gone", &error));
  run_for(&p, &p.traffic, MIMI_MINION);
  run_for(&p, &p.activated, 1);
  CHECK(p.decisions > 0 && p.close_inside == MIMI_FAILED_PRECONDITION);
  CHECK_STATUS(mimi_driver_close(p.driver, &error), MIMI_FAILED_PRECONDITION, "engine first");
  CHECK_OK(mimi_engine_close(p.engine, &error));
  CHECK(p.stopped == 2 && p.destroyed == 0);
  CHECK_STATUS(mimi_sink_apply(p.sink, NULL, NULL, &error), MIMI_INVALID_ARGUMENT, "draft is NULL");
  close_parts(&p);
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_schema_close(p.schema, &error));
  CHECK_OK(mimi_loop_close(p.loop, &error));
}

static void missing_functions_are_named(void) {
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_driver_ops driver_ops = MIMI_INIT(mimi_driver_ops);
  mimi_minion_ops minion_ops = MIMI_INIT(mimi_minion_ops);
  mimi_policy_ops policy_ops = MIMI_INIT(mimi_policy_ops);
  mimi_steering_ops steering_ops = MIMI_INIT(mimi_steering_ops);
  mimi_liveness_ops liveness_ops = MIMI_INIT(mimi_liveness_ops);
  mimi_damped_options damped = MIMI_INIT(mimi_damped_options);
  mimi_driver* driver = NULL;
  mimi_minion* minion = NULL;
  mimi_policy* policy = NULL;
  mimi_steering* steering = NULL;
  mimi_liveness* liveness = NULL;
  driver_ops.start = driver_start;
  CHECK_STATUS(mimi_driver_new(loop, schema, &driver_ops, &driver, &error), MIMI_INVALID_ARGUMENT,
               "mimi_driver_ops.stop is NULL");
  CHECK_STATUS(mimi_minion_new(loop, schema, &minion_ops, &minion, &error), MIMI_INVALID_ARGUMENT,
               "mimi_minion_ops.apply is NULL");
  policy_ops.decide = decide;
  CHECK_STATUS(mimi_policy_new(&policy_ops, &policy, &error), MIMI_INVALID_ARGUMENT,
               "mimi_policy_ops.name is NULL");
  steering_ops.name = "test";
  CHECK_STATUS(mimi_steering_new(loop, &steering_ops, &steering, &error), MIMI_INVALID_ARGUMENT,
               "mimi_steering_ops.divert is NULL");
  liveness_ops.name = "test";
  CHECK_STATUS(mimi_liveness_new(loop, &liveness_ops, &liveness, &error), MIMI_INVALID_ARGUMENT,
               "mimi_liveness_ops.start is NULL");
  damped.max_moves = 99;
  CHECK_STATUS(mimi_policy_new_damped(&damped, &policy, &error), MIMI_INVALID_ARGUMENT, NULL);
  damped.max_moves = 0;
  CHECK_OK(mimi_policy_new_damped(&damped, &policy, &error));
  CHECK_OK(mimi_policy_close(policy, &error));
  CHECK_OK(mimi_policy_new_manual(&policy, &error));
  CHECK_OK(mimi_policy_close(policy, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

static void positions_are_checked(void) {
  parts p;
  mimi_minion_ops ops = MIMI_INIT(mimi_minion_ops);
  mimi_driver_ops driver_ops = MIMI_INIT(mimi_driver_ops);
  mimi_driver_state state = MIMI_INIT(mimi_driver_state);
  memset(&p, 0, sizeof p);
  p.loop = new_loop();
  p.schema = new_lb_flow();
  ops.apply = minion_apply;
  driver_ops.start = driver_start;
  driver_ops.stop = driver_stop;
  CHECK_OK(mimi_minion_new(p.loop, p.schema, &ops, &p.minion, &error));
  CHECK_STATUS(mimi_minion_confirm(p.minion, 1, &error), MIMI_INVALID_ARGUMENT,
               "0 (confirmed) to 0 (accepted)");
  CHECK_OK(mimi_driver_new(p.loop, p.schema, &driver_ops, &p.driver, &error));
  state.lost = 5;
  CHECK_OK(mimi_driver_set_state(p.driver, &state, &error));
  state.lost = 4;
  CHECK_STATUS(mimi_driver_set_state(p.driver, &state, &error), MIMI_INVALID_ARGUMENT,
               "lost went back");
  CHECK_OK(mimi_driver_close(p.driver, &error));
  CHECK_OK(mimi_minion_close(p.minion, &error));
  CHECK_OK(mimi_minion_close(NULL, &error));
  CHECK_OK(mimi_driver_close(NULL, &error));
  CHECK_OK(mimi_steering_close(NULL, &error));
  CHECK_OK(mimi_liveness_close(NULL, &error));
  CHECK_OK(mimi_policy_close(NULL, &error));
  CHECK_OK(mimi_schema_close(p.schema, &error));
  CHECK_OK(mimi_loop_close(p.loop, &error));
}

const test custom_tests[] = {
    {"back ends: driver, minion, policy, steering and liveness in C make a pair", all_parts_in_c},
    {"back ends: a missing function is refused by name", missing_functions_are_named},
    {"back ends: positions and losses only grow", positions_are_checked},
    {NULL, NULL}};
