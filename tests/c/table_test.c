#include "check.h"

static void refuses(void) {
  mimi_table_options options = MIMI_INIT(mimi_table_options);
  mimi_loop* loop = new_loop();
  mimi_schema* schema = new_lb_flow();
  mimi_table* table = NULL;
  lb_flow row = lb_row(3);
  uint64_t rows = 9;
  uint8_t found[2] = {7, 7};
  lb_flow rows_out[2];
  unsigned char keys[2 * LB_KEY] = {0};
  options.max_rows = 100;
  CHECK_STATUS(mimi_table_new(loop, NULL, NULL, &table, &error), MIMI_INVALID_ARGUMENT, "schema");
  CHECK_OK(mimi_table_new(loop, schema, &options, &table, &error));
  CHECK_OK(mimi_table_size(table, &rows, &error));
  CHECK(rows == 0);
  CHECK_STATUS(mimi_table_lookup(table, &row, LB_KEY, &row, sizeof row, &error), MIMI_NOT_FOUND,
               NULL);
  CHECK_STATUS(mimi_table_lookup(table, &row, LB_KEY - 1, &row, sizeof row, &error),
               MIMI_INVALID_ARGUMENT, "expected 6 and 10");
  CHECK_STATUS(mimi_table_lookup(table, NULL, LB_KEY, &row, sizeof row, &error),
               MIMI_INVALID_ARGUMENT, "key is NULL");
  CHECK_OK(mimi_table_lookup_many(table, keys, LB_KEY, rows_out, LB_ROW, found, 2, &error));
  CHECK(found[0] == 0 && found[1] == 0);
  CHECK_STATUS(mimi_loop_close(loop, &error), MIMI_FAILED_PRECONDITION, "close the table first");
  CHECK_OK(mimi_table_close(table, &error));
  CHECK_OK(mimi_table_close(NULL, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_loop_close(loop, &error));
}

const test table_tests[] = {
    {"table: an empty one finds nothing and refuses what is wrong", refuses}, {NULL, NULL}};
