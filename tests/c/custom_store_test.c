#include <stdlib.h>

#include "check.h"
#include "list_store.h"

typedef struct waiting {
  int called;
  mimi_status status;
} waiting;

static void opened(void* context, mimi_status status, const char* message) {
  waiting* w = context;
  (void)message;
  ++w->called;
  w->status = status;
}

static void required_functions_are_named(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  mimi_store_ops ops;
  ops = list_store_ops(NULL);
  ops.watch = NULL;
  CHECK_STATUS(mimi_store_new(loop, &ops, &store, &error), MIMI_INVALID_ARGUMENT,
               "mimi_store_ops.watch is NULL");
  ops = list_store_ops(NULL);
  ops.lease_renew = NULL;
  CHECK_STATUS(mimi_store_new(loop, &ops, &store, &error), MIMI_INVALID_ARGUMENT,
               "mimi_store_ops.lease_renew is NULL");
  ops.size = sizeof ops - 1;
  CHECK_STATUS(mimi_store_new(loop, &ops, &store, &error), MIMI_INVALID_ARGUMENT, "MIMI_INIT");
  CHECK(store == NULL); /* and destroy was not called: self is NULL there */
  CHECK_OK(mimi_loop_close(loop, &error));
}

static void answers_come_from_the_loop(void) {
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_store* store = NULL;
  int destroyed = 0;
  waiting w = {0, MIMI_OK};
  list_store* self = list_store_new(loop, &destroyed, &store, NULL);
  CHECK_OK(mimi_store_open(store, schema, opened, &w, &error));
  CHECK(list_store_calls(self) == 1 && w.called == 0);
  run_until(loop, &w.called);
  CHECK(w.called == 1 && w.status == MIMI_OK);
  CHECK_STATUS(mimi_answer_done(loop, 1, MIMI_OK, NULL, &error), MIMI_NOT_FOUND, "not owed");
  CHECK_STATUS(mimi_answer_done(loop, 12345, MIMI_OK, NULL, &error), MIMI_NOT_FOUND, NULL);
  CHECK(destroyed == 0);
  CHECK_OK(mimi_store_close(store, &error));
  CHECK(destroyed == 1);
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

/* A store that keeps its answers. */
typedef struct slow_store {
  mimi_answer answer;
  int destroyed;
} slow_store;

static void slow_open(void* self, const mimi_schema* schema, mimi_answer answer) {
  (void)schema;
  ((slow_store*)self)->answer = answer;
}
static void slow_claim(void* self, const mimi_claim_request* request, mimi_answer answer) {
  (void)request;
  ((slow_store*)self)->answer = answer;
}
static void slow_destroy(void* self) {
  ++((slow_store*)self)->destroyed;
}
static void never(void* context, mimi_status status, const char* message, uint64_t term,
                  uint64_t head) {
  (void)term;
  (void)head;
  opened(context, status, message);
}

static void late_answers_are_harmless(void) {
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_store* store = NULL;
  slow_store slow = {0, 0};
  waiting w = {0, MIMI_OK};
  mimi_claim_request request = MIMI_INIT(mimi_claim_request);
  mimi_store_ops ops = list_store_ops(NULL);
  ops.open = slow_open;
  ops.claim = slow_claim;
  ops.self = &slow;
  ops.destroy = slow_destroy;
  CHECK_OK(mimi_store_new(loop, &ops, &store, &error));
  CHECK_OK(mimi_store_claim(store, &request, never, &w, &error));
  CHECK_STATUS(mimi_answer_done(loop, slow.answer, MIMI_OK, NULL, &error), MIMI_INVALID_ARGUMENT,
               "owed with a result");
  CHECK_STATUS(mimi_answer_observe(loop, slow.answer, MIMI_MINION, &error), MIMI_INVALID_ARGUMENT,
               "another result");
  CHECK_OK(mimi_answer_claim(loop, slow.answer, 1, 0, &error));
  CHECK_STATUS(mimi_answer_claim(loop, slow.answer, 1, 0, &error), MIMI_NOT_FOUND, NULL);
  run_until(loop, &w.called);
  CHECK(w.called == 1);
  CHECK_OK(mimi_store_open(store, schema, opened, &w, &error));
  CHECK_OK(mimi_answer_done(loop, slow.answer, 77, "no such status", &error));
  w.called = 0;
  run_until(loop, &w.called);
  CHECK(w.status == MIMI_INTERNAL);
  w.called = 0;
  CHECK_OK(mimi_store_open(store, schema, opened, &w, &error));
  CHECK_OK(mimi_store_close(store, &error));
  CHECK(slow.destroyed == 1);
  CHECK_STATUS(mimi_answer_done(loop, slow.answer, MIMI_OK, NULL, &error), MIMI_NOT_FOUND, NULL);
  CHECK_OK(mimi_loop_run_once(loop, NULL, &error));
  CHECK(w.called == 0);
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

static void positions_only_grow(void) {
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  uint64_t position = 0;
  list_store* self = list_store_new(loop, NULL, &store, NULL);
  CHECK(self != NULL);
  CHECK_OK(mimi_store_confirm(store, 5, &error));
  CHECK_STATUS(mimi_store_confirm(store, 4, &error), MIMI_INVALID_ARGUMENT, "behind 5");
  CHECK_OK(mimi_store_confirmed(store, &position, &error));
  CHECK(position == 5);
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

const test custom_store_tests[] = {
    {"custom store: a missing function is refused by name", required_functions_are_named},
    {"custom store: answers come from the loop, once", answers_come_from_the_loop},
    {"custom store: late, double and wrong answers are harmless", late_answers_are_harmless},
    {"custom store: positions only grow", positions_only_grow},
    {NULL, NULL}};
