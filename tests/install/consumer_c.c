/* A C program against the installed library, shared or static: the library is the header's, a
 * schema can be read and a loop runs. */
#include <mimi/c/mimi.h>
#include <stdio.h>
#include <string.h>

static int failed(const char* what, mimi_status status, const mimi_error* error) {
  printf("%s: %s: %s\n", what, mimi_status_name(status), error->message);
  return 1;
}

int main(void) {
  mimi_error error;
  mimi_schema* flow = NULL;
  mimi_loop* loop = NULL;
  mimi_schema_info info = MIMI_INIT(mimi_schema_info);
  int32_t worked = 0;
  mimi_status status;

  if (strcmp(mimi_version(), MIMI_VERSION) != 0) {
    printf("the header is of %s, the library of %s\n", MIMI_VERSION, mimi_version());
    return 1;
  }
  status = mimi_schema_new_flow(&flow, &error);
  if (status != MIMI_OK) {
    return failed("schema", status, &error);
  }
  status = mimi_schema_get_info(flow, &info, &error);
  if (status != MIMI_OK) {
    return failed("info", status, &error);
  }
  printf("%s: %u fields, %u bytes a row\n", info.name, (unsigned)info.field_count,
         (unsigned)info.row_size);
  status = mimi_loop_new(&loop, &error);
  if (status != MIMI_OK) {
    return failed("loop", status, &error);
  }
  status = mimi_loop_run_once(loop, &worked, &error);
  if (status != MIMI_OK) {
    return failed("run once", status, &error);
  }
  mimi_loop_close(loop, NULL);
  mimi_schema_close(flow, NULL);
  return 0;
}
