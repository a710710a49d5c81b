#include <stdlib.h>
#include <unistd.h>

#include "check.h"

typedef struct answer {
  int called;
  mimi_status status;
  char message[256];
  uint64_t term;
  lb_flow row;
  mimi_store* store;
  mimi_status close;
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

static void found(void* context, mimi_status status, const char* message,
                  const mimi_record* record) {
  answer* a = context;
  done(context, status, message);
  CHECK((status == MIMI_OK) == (record != NULL));
  if (record != NULL) {
    CHECK(record->row_size == LB_ROW && record->key_size == LB_KEY);
    memcpy(&a->row, record->row, sizeof a->row);
  }
  a->close = mimi_store_close(a->store, NULL);
}

static void ask_open(mimi_loop* loop, mimi_store* store, const mimi_schema* schema) {
  answer a;
  memset(&a, 0, sizeof a);
  CHECK_OK(mimi_store_open(store, schema, done, &a, &error));
  CHECK(a.called == 0); /* never inside the call */
  run_until(loop, &a.called);
  CHECK(a.status == MIMI_OK);
}

static uint64_t ask_claim(mimi_loop* loop, mimi_store* store) {
  mimi_claim_request request = MIMI_INIT(mimi_claim_request);
  answer a;
  memset(&a, 0, sizeof a);
  request.origin = 7;
  CHECK_OK(mimi_store_claim(store, &request, claimed, &a, &error));
  run_until(loop, &a.called);
  CHECK(a.status == MIMI_OK && a.term > 0);
  return a.term;
}

/* Ten rows of one batch. */
static mimi_status apply(mimi_store* store, const mimi_schema* schema, uint64_t term,
                         uint64_t* position) {
  mimi_batch_builder* builder = NULL;
  const mimi_batch* batch = NULL;
  mimi_status status;
  uint16_t port;
  CHECK_OK(mimi_batch_builder_new(schema, 7, 0, &builder, &error));
  for (port = 1; port <= 10; ++port) {
    const lb_flow row = lb_row(port);
    CHECK_OK(mimi_batch_builder_put(builder, &row, sizeof row, &error));
  }
  CHECK_OK(mimi_batch_builder_seal(builder, term, 1, 0, &batch, &error));
  status = mimi_store_apply(store, batch, position, NULL);
  CHECK_OK(mimi_batch_builder_close(builder, &error));
  return status;
}

static uint64_t count_rows(mimi_loop* loop, mimi_cursor* cursor, int to_the_end) {
  uint64_t rows = 0;
  int rounds = 0;
  int32_t ended = 0;
  while (!ended && rounds < 1000) {
    const mimi_batch* batch = NULL;
    uint64_t position = 0;
    CHECK_OK(mimi_cursor_next(cursor, &batch, &error));
    CHECK_OK(mimi_cursor_position(cursor, &position, &ended, &error));
    if (batch != NULL) {
      mimi_batch_info info = MIMI_INIT(mimi_batch_info);
      CHECK_OK(mimi_batch_get_info(batch, &info, &error));
      rows += info.count;
    } else if (!to_the_end) {
      break;
    } else {
      ++rounds;
      CHECK_OK(mimi_loop_run_once(loop, NULL, &error));
    }
  }
  return rows;
}

static void serves_three_readings(mimi_loop* loop, mimi_store* store) {
  mimi_schema* schema = new_lb_flow();
  mimi_schema* known = NULL;
  mimi_schema_info info = MIMI_INIT(mimi_schema_info);
  mimi_store_state state = MIMI_INIT(mimi_store_state);
  mimi_cursor* cursor = NULL;
  answer a;
  lb_flow row = lb_row(4);
  uint64_t position = 0;
  uint64_t confirmed = 0;
  uint64_t term;
  memset(&a, 0, sizeof a);
  a.store = store;
  CHECK_OK(mimi_schema_get_info(schema, &info, &error));
  CHECK_STATUS(mimi_store_get_schema(store, info.table, &known, &error), MIMI_NOT_FOUND, NULL);
  ask_open(loop, store, schema);
  CHECK_OK(mimi_store_get_schema(store, info.table, &known, &error));
  CHECK_OK(mimi_schema_check_compatible(schema, known, &error));
  CHECK_OK(mimi_schema_close(known, &error));
  CHECK(apply(store, schema, 99, &position) != MIMI_OK); /* a term that nobody handed out */
  term = ask_claim(loop, store);
  CHECK(apply(store, schema, term, &position) == MIMI_OK);
  CHECK_OK(mimi_store_confirmed(store, &confirmed, &error));
  CHECK(confirmed >= position && position == 10);

  CHECK_OK(mimi_store_lookup(store, info.table, &row, LB_KEY, found, &a, &error));
  run_until(loop, &a.called);
  CHECK(a.status == MIMI_OK && memcmp(&a.row, &row, sizeof row) == 0);
  CHECK(a.close == MIMI_FAILED_PRECONDITION); /* not from its own callback */
  a.called = 0;
  row.client_port = 4444;
  CHECK_OK(mimi_store_lookup(store, info.table, &row, LB_KEY, found, &a, &error));
  run_until(loop, &a.called);
  CHECK(a.status == MIMI_NOT_FOUND);

  CHECK_OK(mimi_store_snapshot(store, info.table, NULL, NULL, &cursor, &error));
  CHECK(count_rows(loop, cursor, 1) == 10);
  CHECK_STATUS(mimi_store_close(store, &error), MIMI_FAILED_PRECONDITION, "close the cursor first");
  CHECK_OK(mimi_cursor_close(cursor, &error));
  CHECK_OK(mimi_store_watch(store, 0, 0, NULL, NULL, &cursor, &error));
  CHECK(count_rows(loop, cursor, 0) >= 10);
  CHECK_OK(mimi_cursor_close(cursor, &error));

  CHECK_OK(mimi_store_get_state(store, &state, &error));
  CHECK(state.available && state.rows == 10 && state.term == term && state.incarnation != 0);
  (void)ask_claim(loop, store); /* fences the first term */
  CHECK(apply(store, schema, term, &position) == MIMI_ABORTED);
  CHECK_OK(mimi_schema_close(schema, &error));
}

static void memory_serves(void) {
  mimi_memory_store_options options = MIMI_INIT(mimi_memory_store_options);
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  options.max_rows = 100;
  CHECK_OK(mimi_store_new_memory(loop, &options, &store, &error));
  serves_three_readings(loop, store);
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

static void file_serves_and_remembers(void) {
  char path[] = "/tmp/mimi-c-test-XXXXXX";
  char command[64];
  char directory[64];
  mimi_file_store_options options = MIMI_INIT(mimi_file_store_options);
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_store* store = NULL;
  mimi_cursor* cursor = NULL;
  CHECK(mkdtemp(path) != NULL);
  snprintf(directory, sizeof directory, "%s/pair", path);
  options.must_exist = 1;
  CHECK_STATUS(mimi_store_new_file(loop, directory, &options, &store, &error), MIMI_NOT_FOUND,
               directory);
  options.fsync = 9;
  CHECK_STATUS(mimi_store_new_file(loop, directory, &options, &store, &error),
               MIMI_INVALID_ARGUMENT, "fsync: 9");
  CHECK_OK(mimi_store_new_file(loop, directory, NULL, &store, &error));
  serves_three_readings(loop, store);
  CHECK_OK(mimi_store_close(store, &error));

  CHECK_OK(mimi_store_new_file(loop, directory, NULL, &store, &error));
  ask_open(loop, store, schema);
  CHECK_OK(mimi_store_snapshot(store, 0, NULL, NULL, &cursor, &error));
  CHECK(count_rows(loop, cursor, 1) == 10);
  CHECK_OK(mimi_cursor_close(cursor, &error));
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
  snprintf(command, sizeof command, "rm -r %s", path);
  CHECK(system(command) == 0);
}

static void options_may_be_older_or_newer(void) {
  struct {
    mimi_memory_store_options options;
    unsigned char more[16];
  } newer;
  mimi_loop* loop = new_loop();
  mimi_store* store = NULL;
  memset(&newer, 0, sizeof newer);
  newer.options.size = sizeof newer;
  CHECK_OK(mimi_store_new_memory(loop, &newer.options, &store, &error));
  CHECK_OK(mimi_store_close(store, &error));
  newer.more[3] = 1;
  CHECK_STATUS(mimi_store_new_memory(loop, &newer.options, &store, &error), MIMI_INVALID_ARGUMENT,
               "does not know");
  newer.options.size = 8;
  CHECK_STATUS(mimi_store_new_memory(loop, &newer.options, &store, &error), MIMI_INVALID_ARGUMENT,
               "MIMI_INIT");
  CHECK_STATUS(mimi_store_new_memory(NULL, NULL, &store, &error), MIMI_INVALID_ARGUMENT,
               "loop is NULL");
  CHECK_STATUS(mimi_store_new_file(loop, NULL, NULL, &store, &error), MIMI_INVALID_ARGUMENT,
               "path is NULL");
  CHECK_STATUS(mimi_store_confirm(NULL, 1, &error), MIMI_INVALID_ARGUMENT, "store is NULL");
  CHECK_OK(mimi_store_new_memory(loop, NULL, &store, &error));
  CHECK_STATUS(mimi_store_confirm(store, 1, &error), MIMI_FAILED_PRECONDITION, "caller's");
  CHECK_OK(mimi_store_close(store, &error));
  CHECK_OK(mimi_store_close(NULL, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

const test store_tests[] = {
    {"store: memory serves one key, everything, and changes", memory_serves},
    {"store: a file does too, and remembers", file_serves_and_remembers},
    {"structs: options may be older or newer than the library", options_may_be_older_or_newer},
    {NULL, NULL}};
