#include "check.h"

static void builds_what_it_is_told(void) {
  mimi_schema* schema = new_lb_flow();
  mimi_schema_info info = MIMI_INIT(mimi_schema_info);
  mimi_field field = MIMI_INIT(mimi_field);
  size_t index = 99;
  CHECK_OK(mimi_schema_get_info(schema, &info, &error));
  CHECK(strcmp(info.name, "lb.flow") == 0);
  CHECK(info.key_size == LB_KEY && info.row_size == LB_ROW && info.field_count == 3);
  CHECK(info.version == 1 && info.table != 0 && info.fingerprint != 0);
  CHECK_OK(mimi_schema_find_field(schema, "client_port", &index, &error));
  CHECK(index == 1);
  CHECK_OK(mimi_schema_get_field(schema, index, &field, &error));
  CHECK(strcmp(field.name, "client_port") == 0 && field.type == MIMI_FIELD_PORT && field.key == 1);
  CHECK(field.field_offset == 4 && field.field_size == 2 && field.soft == 0);
  CHECK_STATUS(mimi_schema_find_field(schema, "client_mac", &index, &error), MIMI_NOT_FOUND,
               "client_mac");
  CHECK_STATUS(mimi_schema_get_field(schema, 3, &field, &error), MIMI_NOT_FOUND, "field 3 of 3");
  CHECK_OK(mimi_schema_close(schema, &error));
}

static void names_what_is_wrong(void) {
  mimi_schema_builder* builder = NULL;
  mimi_schema* schema = NULL;
  CHECK_OK(mimi_schema_builder_new("lb.flow", 1, &builder, &error));
  CHECK_STATUS(mimi_schema_builder_soft(builder, &error), MIMI_FAILED_PRECONDITION, "no field");
  CHECK_STATUS(mimi_schema_builder_key(builder, "client_ip", 77, 0, &error), MIMI_INVALID_ARGUMENT,
               "type: 77");
  CHECK_OK(mimi_schema_builder_key(builder, "weight", MIMI_FIELD_F64, 0, &error));
  CHECK_STATUS(mimi_schema_builder_build(builder, &schema, &error), MIMI_INVALID_ARGUMENT,
               "weight");
  CHECK(schema == NULL);
  CHECK_OK(mimi_schema_builder_close(builder, &error)); /* a build that fails leaves it open */
}

static void refuses_null(void) {
  mimi_schema* schema = NULL;
  mimi_schema_builder* builder = NULL;
  size_t length;
  CHECK_STATUS(mimi_schema_builder_new(NULL, 1, &builder, &error), MIMI_INVALID_ARGUMENT,
               "name is NULL");
  CHECK_STATUS(mimi_schema_builder_new("x", 1, NULL, &error), MIMI_INVALID_ARGUMENT,
               "builder is NULL");
  CHECK_STATUS(mimi_schema_builder_build(NULL, &schema, &error), MIMI_INVALID_ARGUMENT,
               "builder is NULL");
  CHECK_STATUS(mimi_schema_to_json(NULL, NULL, 0, &length, &error), MIMI_INVALID_ARGUMENT,
               "schema is NULL");
  CHECK(mimi_schema_new_flow(NULL, NULL) == MIMI_INVALID_ARGUMENT); /* error may be NULL */
  CHECK_OK(mimi_schema_close(NULL, &error));
  CHECK_OK(mimi_schema_builder_close(NULL, &error));
}

static void survives_serialisation(void) {
  mimi_schema* schema = new_lb_flow();
  mimi_schema* copy = NULL;
  mimi_schema* flow = NULL;
  unsigned char bytes[4096];
  size_t length = 0;
  CHECK_STATUS(mimi_schema_serialize(schema, NULL, 0, &length, &error), MIMI_RESOURCE_EXHAUSTED,
               "needed");
  CHECK(length > 0 && length < sizeof bytes);
  CHECK_OK(mimi_schema_serialize(schema, bytes, length, &length, &error));
  CHECK_OK(mimi_schema_new_parsed(bytes, length, &copy, &error));
  CHECK_OK(mimi_schema_check_compatible(schema, copy, &error));
  CHECK_STATUS(mimi_schema_new_parsed(bytes, length - 1, &copy, &error), MIMI_INVALID_ARGUMENT,
               NULL);
  CHECK_OK(mimi_schema_new_flow(&flow, &error));
  CHECK_STATUS(mimi_schema_check_compatible(schema, flow, &error), MIMI_FAILED_PRECONDITION, NULL);
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_schema_close(copy, &error));
  CHECK_OK(mimi_schema_close(flow, &error));
}

static void reads_texts_where_they_are_built_in(void) {
  static const char toml[] =
      "[schema.lb_flow]\nname = \"lb.flow\"\n[schema.lb_flow.key]\nclient_ip = \"ip4\"\n";
  mimi_schema* schema = NULL;
  mimi_schema* copy = NULL;
  char json[4096];
  size_t length = 0;
#if MIMI_TEST_CORE
  CHECK_STATUS(mimi_schema_new_toml(toml, sizeof toml - 1, "lb.toml", &schema, &error),
               MIMI_UNIMPLEMENTED, "lb.toml");
  CHECK_STATUS(mimi_schema_new_json("{}", 2, NULL, &schema, &error), MIMI_UNIMPLEMENTED, NULL);
  (void)copy;
  (void)json;
  (void)length;
#else
  CHECK_STATUS(mimi_schema_new_toml(toml, sizeof toml - 1, "lb.toml", &schema, &error),
               MIMI_INVALID_ARGUMENT, "lb.toml");
  schema = new_lb_flow();
  CHECK_OK(mimi_schema_to_json(schema, json, sizeof json, &length, &error));
  CHECK(strlen(json) == length);
  CHECK_OK(mimi_schema_new_json(json, length, NULL, &copy, &error));
  CHECK_OK(mimi_schema_check_compatible(schema, copy, &error));
  CHECK_OK(mimi_schema_close(schema, &error));
  CHECK_OK(mimi_schema_close(copy, &error));
#endif
}

static void out_structs_may_be_older_or_newer(void) {
  struct {
    mimi_schema_info info;
    unsigned char more[16];
  } newer;
  mimi_schema_info older = MIMI_INIT(mimi_schema_info);
  mimi_schema* schema = new_lb_flow();
  memset(&newer, 0x55, sizeof newer);
  newer.info.size = sizeof newer;
  CHECK_OK(mimi_schema_get_info(schema, &newer.info, &error));
  CHECK(newer.info.row_size == LB_ROW && newer.more[0] == 0 && newer.more[15] == 0);
  memset(&older, 0x55, sizeof older);
  older.size = offsetof(mimi_schema_info, key_size);
  CHECK_OK(mimi_schema_get_info(schema, &older, &error));
  CHECK(older.fingerprint == newer.info.fingerprint);
  CHECK(older.key_size != LB_KEY); /* beyond its size nothing is written */
  older.size = 0;
  CHECK_STATUS(mimi_schema_get_info(schema, &older, &error), MIMI_INVALID_ARGUMENT, "MIMI_INIT");
  CHECK_OK(mimi_schema_close(schema, &error));
}

const test schema_tests[] = {
    {"schema: a builder builds what it is told", builds_what_it_is_told},
    {"schema: mistakes are named", names_what_is_wrong},
    {"schema: NULL is refused, and closed", refuses_null},
    {"schema: bytes and back", survives_serialisation},
    {"schema: texts are read where that is built in", reads_texts_where_they_are_built_in},
    {"structs: what is written fits the caller's size", out_structs_may_be_older_or_newer},
    {NULL, NULL}};
