#include "check.h"

static mimi_schema* new_everything(void) {
  mimi_schema_builder* builder = NULL;
  mimi_schema* schema = NULL;
  CHECK_OK(mimi_schema_builder_new("every.thing", 1, &builder, &error));
  CHECK_OK(mimi_schema_builder_key(builder, "u8", MIMI_FIELD_U8, 0, &error));
  CHECK_OK(mimi_schema_builder_key(builder, "u64", MIMI_FIELD_U64, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "i64", MIMI_FIELD_I64, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "f64", MIMI_FIELD_F64, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "on", MIMI_FIELD_BOOL, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "ip", MIMI_FIELD_IP, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "mac", MIMI_FIELD_MAC, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "protocol", MIMI_FIELD_IP_PROTOCOL, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "idle", MIMI_FIELD_DURATION, 0, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "colour", MIMI_FIELD_ENUM, 0, &error));
  CHECK_OK(mimi_schema_builder_enum(builder, "red", 0, &error));
  CHECK_OK(mimi_schema_builder_enum(builder, "green", 7, &error));
  CHECK_OK(mimi_schema_builder_default(builder, "\x07", 1, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "id", MIMI_FIELD_BYTES, 3, &error));
  CHECK_OK(mimi_schema_builder_value(builder, "name", MIMI_FIELD_TEXT, 8, &error));
  CHECK_OK(mimi_schema_builder_build(builder, &schema, &error));
  return schema;
}

static size_t row_size_of(const mimi_schema* schema) {
  mimi_schema_info info = MIMI_INIT(mimi_schema_info);
  CHECK_OK(mimi_schema_get_info(schema, &info, &error));
  return info.row_size;
}

static void reads_what_was_written(void) {
  mimi_schema* schema = new_everything();
  const size_t size = row_size_of(schema);
  unsigned char row[256];
  uint64_t u = 0;
  int64_t i = 0;
  double f = 0;
  CHECK_OK(mimi_row_init(schema, row, size, &error));
  CHECK_OK(mimi_row_get_u64(schema, row, size, 9, &u, &error));
  CHECK(u == 7); /* the default */
  CHECK_OK(mimi_row_set_u64(schema, row, size, 0, 255, &error));
  CHECK_OK(mimi_row_get_u64(schema, row, size, 0, &u, &error));
  CHECK(u == 255);
  CHECK_OK(mimi_row_set_u64(schema, row, size, 1, UINT64_MAX, &error));
  CHECK_OK(mimi_row_get_u64(schema, row, size, 1, &u, &error));
  CHECK(u == UINT64_MAX);
  CHECK_OK(mimi_row_set_i64(schema, row, size, 2, -5, &error));
  CHECK_OK(mimi_row_get_i64(schema, row, size, 2, &i, &error));
  CHECK(i == -5);
  CHECK_OK(mimi_row_set_f64(schema, row, size, 3, 0.25, &error));
  CHECK_OK(mimi_row_get_f64(schema, row, size, 3, &f, &error));
  CHECK(f > 0.24 && f < 0.26);
  CHECK_OK(mimi_row_check(schema, row, size, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
}

static void refuses_what_does_not_fit(void) {
  mimi_schema* schema = new_everything();
  const size_t size = row_size_of(schema);
  unsigned char row[256];
  const void* bytes = NULL;
  size_t count = 0;
  uint64_t u = 0;
  CHECK_STATUS(mimi_row_init(schema, row, size - 1, &error), MIMI_INVALID_ARGUMENT, "expected");
  CHECK_OK(mimi_row_init(schema, row, size, &error));
  CHECK_STATUS(mimi_row_set_u64(schema, row, size, 0, 256, &error), MIMI_INVALID_ARGUMENT,
               "every.thing.u8: 256");
  CHECK_STATUS(mimi_row_set_u64(schema, row, size, 4, 2, &error), MIMI_INVALID_ARGUMENT, "on");
  CHECK_STATUS(mimi_row_set_u64(schema, row, size, 9, 3, &error), MIMI_INVALID_ARGUMENT, "colour");
  CHECK_STATUS(mimi_row_set_u64(schema, row, size, 3, 3, &error), MIMI_INVALID_ARGUMENT,
               "is f64, not an unsigned number");
  CHECK_STATUS(mimi_row_set_u64(schema, row, size, 12, 3, &error), MIMI_NOT_FOUND, "12 of 12");
  CHECK_STATUS(mimi_row_get_u64(schema, row, 8, 1, &u, &error), MIMI_NOT_FOUND, "ends before");
  CHECK_STATUS(mimi_row_set_bytes(schema, row, size, 10, "ab", 2, &error), MIMI_INVALID_ARGUMENT,
               "expected 3");
  CHECK_OK(mimi_row_set_bytes(schema, row, size, 11, "ab", 2, &error));
  CHECK_OK(mimi_row_get_bytes(schema, row, size, 11, &bytes, &count, &error));
  CHECK(count == 8 && memcmp(bytes, "ab\0\0\0\0\0\0", 8) == 0);
  row[17 + 8] = 9; /* a bool that is none */
  CHECK_STATUS(mimi_row_check(schema, row, size, &error), MIMI_INVALID_ARGUMENT, "on");
  CHECK_OK(mimi_schema_close(schema, &error));
}

static void checks_text(const mimi_schema* schema, size_t field, const char* text) {
  unsigned char row[256];
  char out[64] = "?";
  size_t length = 0;
  const size_t size = row_size_of(schema);
  CHECK_OK(mimi_row_init(schema, row, size, &error));
  CHECK_OK(mimi_row_set_text(schema, row, size, field, text, &error));
  CHECK_OK(mimi_row_get_text(schema, row, size, field, out, sizeof out, &length, &error));
  CHECK(strcmp(out, text) == 0 && length == strlen(text));
}

static void speaks_text(void) {
  static const char* const texts[] = {"200",
                                      "18446744073709551615",
                                      "-3",
                                      "0.5",
                                      "true",
                                      "2001:db8::1",
                                      "02:00:00:00:00:01",
                                      "tcp",
                                      "30s",
                                      "red",
                                      "0aff10",
                                      "edge"};
  mimi_schema* schema = new_everything();
  const size_t size = row_size_of(schema);
  unsigned char row[256];
  char out[4] = "abc";
  size_t length = 0;
  size_t i;
  for (i = 0; i < sizeof texts / sizeof texts[0]; ++i) {
    checks_text(schema, i, texts[i]);
  }
  checks_text(schema, 5, "192.0.2.1");
  checks_text(schema, 7, "250");
  CHECK_OK(mimi_row_init(schema, row, size, &error));
  CHECK_STATUS(mimi_row_set_text(schema, row, size, 5, "192.0.2", &error), MIMI_INVALID_ARGUMENT,
               "\"192.0.2\" is no ip");
  CHECK_STATUS(mimi_row_set_text(schema, row, size, 0, "256", &error), MIMI_INVALID_ARGUMENT, NULL);
  CHECK_STATUS(mimi_row_set_text(schema, row, size, 9, "blue", &error), MIMI_INVALID_ARGUMENT,
               NULL);
  CHECK_STATUS(mimi_row_set_text(schema, row, size, 11, "much too long", &error),
               MIMI_INVALID_ARGUMENT, NULL);
  CHECK_STATUS(mimi_row_get_text(schema, row, size, 6, out, sizeof out, &length, &error),
               MIMI_RESOURCE_EXHAUSTED, "18 are needed");
  CHECK(length == 17 && strcmp(out, "abc") == 0);
  CHECK_OK(mimi_schema_close(schema, &error));
}

const test row_tests[] = {{"row: fields hold what was written", reads_what_was_written},
                          {"row: what does not fit is refused", refuses_what_does_not_fit},
                          {"row: fields as text, both ways", speaks_text},
                          {NULL, NULL}};
