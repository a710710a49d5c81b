/* Runs the tests of all files; arguments select those whose names contain one of them. */

#include <poll.h>
#include <stdlib.h>

#include "check.h"

int check_failures = 0;

extern const test schema_tests[], row_tests[], batch_tests[], loop_tests[], store_tests[],
    custom_store_tests[], publisher_tests[], table_tests[], engine_tests[], custom_tests[];

static const test* const all[] = {schema_tests, row_tests,          batch_tests,     loop_tests,
                                  store_tests,  custom_store_tests, publisher_tests, table_tests,
                                  engine_tests, custom_tests};

void check_failed(const char* file, int line, const char* what, const char* message) {
  if (++check_failures <= 100) { /* what follows from the first ones drowns them */
    printf("%s:%d: %s %s\n", file, line, what, message);
  }
}

void check_status(const char* file, int line, const char* call, mimi_status seen,
                  mimi_status expected, const mimi_error* error, const char* text) {
  char message[700];
  if (seen != expected || (text != NULL && strstr(error->message, text) == NULL) ||
      (seen != MIMI_OK && error->status != 0 && error->status != seen)) {
    snprintf(message, sizeof message, "answered %s \"%s\", expected %s \"%s\"",
             mimi_status_name(seen), error->message, mimi_status_name(expected),
             text == NULL ? "" : text);
    check_failed(file, line, call, message);
  }
}

mimi_loop* new_loop(void) {
  mimi_loop* loop = NULL;
  CHECK_OK(mimi_loop_new(&loop, &error));
  return loop;
}

mimi_schema* new_lb_flow(void) {
  mimi_schema_builder* builder = NULL;
  mimi_schema* schema = NULL;
  CHECK_OK(mimi_schema_builder_new("lb.flow", 1, &builder, &error));
  CHECK_OK(mimi_schema_builder_key(builder, "client_ip", MIMI_FIELD_IPV4, 0, &error));
  CHECK_OK(mimi_schema_builder_key(builder, "client_port", MIMI_FIELD_PORT, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "backend_ip", MIMI_FIELD_IPV4, 0, &error));
  CHECK_OK(mimi_schema_builder_build(builder, &schema, &error));
  return schema;
}

lb_flow lb_row(uint16_t port) {
  lb_flow row = {{192, 0, 2, 1}, 0, {10, 0, 0, 0}};
  row.client_port = port; /* little-endian, as every machine that these tests run on */
  row.backend_ip[3] = (uint8_t)(port % 4 + 1);
  return row;
}

void run_until(mimi_loop* loop, const int* flag) {
  const int64_t give_up = mimi_now_ns() + 20 * INT64_C(1000000000);
  while (!*flag && mimi_now_ns() < give_up) {
    struct pollfd poll_on = {-1, POLLIN, 0};
    CHECK_OK(mimi_loop_poll_fd(loop, &poll_on.fd, &error));
    poll(&poll_on, 1, 100);
    CHECK_OK(mimi_loop_run_once(loop, NULL, &error));
  }
  CHECK(*flag);
}

static int selected(const char* name, int argc, char** argv) {
  int i;
  for (i = 1; i < argc; ++i) {
    if (strstr(name, argv[i]) != NULL) {
      return 1;
    }
  }
  return argc == 1;
}

int main(int argc, char** argv) {
  int run = 0;
  int failed = 0;
  size_t file;
  for (file = 0; file < sizeof all / sizeof all[0]; ++file) {
    const test* one;
    for (one = all[file]; one->name != NULL; ++one) {
      const int before = check_failures;
      if (!selected(one->name, argc, argv)) {
        continue;
      }
      one->run();
      ++run;
      if (check_failures != before) {
        ++failed;
        printf("FAILED: %s\n", one->name);
      }
    }
  }
  /* As doctest says it, so that the suite counts these cases as well. */
  printf("test cases: %d | %d passed | %d failed | 0 skipped\n", run, run - failed, failed);
  return failed == 0 ? 0 : 1;
}
