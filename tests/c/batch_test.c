#include "check.h"

static void goes_there_and_back(void) {
  mimi_schema* schema = new_lb_flow();
  mimi_batch_builder* builder = NULL;
  const mimi_batch* sealed = NULL;
  mimi_batch* parsed = NULL;
  mimi_batch_info info = MIMI_INIT(mimi_batch_info);
  mimi_record record = MIMI_INIT(mimi_record);
  const lb_flow first = lb_row(1000);
  const lb_flow second = lb_row(1001);
  uint64_t origin = 0;
  size_t size = 0;
  unsigned char damaged[4096];
  CHECK_OK(mimi_origin_of("edge1", &origin, &error));
  CHECK_OK(mimi_batch_builder_new(schema, origin, 0, &builder, &error));
  CHECK_OK(mimi_batch_builder_put(builder, &first, sizeof first, &error));
  CHECK_OK(mimi_batch_builder_erase(builder, MIMI_OP_ERASE, &second, LB_KEY, &error));
  CHECK_OK(mimi_batch_builder_seal(builder, 3, 10, 123, &sealed, &error));
  CHECK_OK(mimi_batch_get_info(sealed, &info, &error));
  CHECK(info.count == 2 && info.term == 3 && info.first_sequence == 10 && info.unix_ns == 123);
  CHECK(info.origin == origin && info.row_size == LB_ROW && info.key_size == LB_KEY);
  CHECK_OK(mimi_batch_size_of(info.bytes, info.byte_count, &size, &error));
  CHECK(size == info.byte_count && size <= sizeof damaged);
  CHECK_OK(mimi_batch_size_of(info.bytes, 10, &size, &error));
  CHECK(size == 0);

  CHECK_OK(mimi_batch_new_parsed(info.bytes, info.byte_count, &parsed, &error));
  CHECK_OK(mimi_batch_get_record(parsed, 0, &record, &error));
  CHECK(record.op == MIMI_OP_PUT && memcmp(record.row, &first, sizeof first) == 0);
  CHECK(record.term == 3 && record.sequence == 10 && record.origin == origin);
  CHECK_OK(mimi_batch_get_record(parsed, 1, &record, &error));
  CHECK(record.op == MIMI_OP_ERASE && record.key_size == LB_KEY && record.sequence == 11);
  CHECK_STATUS(mimi_batch_get_record(parsed, 2, &record, &error), MIMI_NOT_FOUND, "2 of 2");

  memcpy(damaged, info.bytes, info.byte_count);
  damaged[info.byte_count / 2] ^= 1;
  CHECK_STATUS(mimi_batch_close((mimi_batch*)(uintptr_t)sealed, &error), MIMI_FAILED_PRECONDITION,
               NULL);
  CHECK_OK(mimi_batch_close(parsed, &error));
  CHECK_STATUS(mimi_batch_new_parsed(damaged, info.byte_count, &parsed, &error), MIMI_DATA_LOSS,
               NULL);
  CHECK_OK(mimi_batch_close(NULL, &error));
  CHECK_OK(mimi_batch_builder_close(builder, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
}

static void refuses(void) {
  mimi_schema* schema = new_lb_flow();
  mimi_batch_builder* builder = NULL;
  const lb_flow row = lb_row(1);
  int i;
  mimi_status status = MIMI_OK;
  CHECK_STATUS(mimi_batch_builder_new(schema, 1, 10, &builder, &error), MIMI_INVALID_ARGUMENT,
               "capacity 10");
  CHECK_OK(mimi_batch_builder_new(schema, 1, 256, &builder, &error));
  CHECK_STATUS(mimi_batch_builder_put(builder, &row, sizeof row - 1, &error), MIMI_INVALID_ARGUMENT,
               "row has 9 bytes, expected 10");
  CHECK_STATUS(mimi_batch_builder_erase(builder, MIMI_OP_PUT, &row, LB_KEY, &error),
               MIMI_INVALID_ARGUMENT, "op 1");
  CHECK_STATUS(mimi_batch_builder_set_flags(builder, 64, &error), MIMI_INVALID_ARGUMENT, "0x40");
  for (i = 0; i < 100 && status == MIMI_OK; ++i) {
    status = mimi_batch_builder_put(builder, &row, sizeof row, NULL);
  }
  CHECK(status == MIMI_RESOURCE_EXHAUSTED && i > 1);
  CHECK_OK(mimi_batch_builder_clear(builder, &error));
  CHECK_OK(mimi_batch_builder_put(builder, &row, sizeof row, &error));
  CHECK_OK(mimi_batch_builder_close(builder, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
}

const test batch_tests[] = {{"batch: built, sealed, parsed, read", goes_there_and_back},
                            {"batch: what cannot go in is refused", refuses},
                            {NULL, NULL}};
