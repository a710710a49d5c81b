// Schemas that come from elsewhere than a builder: the built-in one, and texts.

#include "mimi/flow.h"

#include "bindings/c/handles.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

using Reader = absl::StatusOr<mimi::StateSchema> (*)(std::string_view text, std::string_view file);

#if MIMI_C_CORE_ONLY
absl::StatusOr<mimi::StateSchema> NoReader(std::string_view, std::string_view file) {
  return mimi::Error(absl::StatusCode::kUnimplemented,
                     "{}: mimi::core is built without TOML and JSON", file);
}
constexpr Reader kFromToml = NoReader;
constexpr Reader kFromJson = NoReader;
absl::StatusOr<std::string> ToJson(const mimi::StateSchema& schema) {
  return NoReader("", schema.name()).status();
}
#else
constexpr Reader kFromToml = mimi::StateSchema::FromToml;
constexpr Reader kFromJson = mimi::StateSchema::FromJson;
absl::StatusOr<std::string> ToJson(const mimi::StateSchema& schema) {
  return schema.ToJson();
}
#endif

mimi_status Read(Reader read, const char* text, size_t size, const char* file, mimi_schema** schema,
                 mimi_error* error) {
  return Call(error, {{text, "text"}, {schema, "schema"}}, [&] {
    return GiveNew(read({text, size}, file == nullptr ? "schema" : file), schema);
  });
}

}  // namespace

mimi_status mimi_schema_new_flow(mimi_schema** schema, mimi_error* error) {
  return Call(error, {{schema, "schema"}}, [&] {
    *schema = new mimi_schema{mimi::StateSchema::Of<mimi::Flow>()};
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_new_toml(const char* text, size_t size, const char* file,
                                 mimi_schema** schema, mimi_error* error) {
  return Read(kFromToml, text, size, file, schema, error);
}

mimi_status mimi_schema_new_json(const char* text, size_t size, const char* file,
                                 mimi_schema** schema, mimi_error* error) {
  return Read(kFromJson, text, size, file, schema, error);
}

mimi_status mimi_schema_to_json(const mimi_schema* schema, char* buffer, size_t capacity,
                                size_t* length, mimi_error* error) {
  return Call(error, {{schema, "schema"}, {length, "length"}}, [&] {
    absl::StatusOr<std::string> text = ToJson(schema->schema);
    MIMI_C_RETURN_IF_ERROR(text.status());
    return GiveText(*text, buffer, capacity, length);
  });
}
