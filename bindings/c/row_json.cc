// Rows as JSON: mimi/json.h, which is not in mimi::core.

#include "bindings/c/handles.h"
#if !MIMI_C_CORE_ONLY
#include "mimi/json.h"
#endif

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

#if MIMI_C_CORE_ONLY
absl::Status NoJson() {
  return mimi::Error(absl::StatusCode::kUnimplemented, "mimi::core is built without JSON");
}
absl::StatusOr<std::string> ToJson(const mimi::StateSchema&, std::span<const std::byte>) {
  return NoJson();
}
absl::StatusOr<std::vector<std::byte>> FromJson(const mimi::StateSchema&, std::string_view) {
  return NoJson();
}
#else
absl::StatusOr<std::string> ToJson(const mimi::StateSchema& schema,
                                   std::span<const std::byte> row) {
  return mimi::RowToJson(schema, row);
}
absl::StatusOr<std::vector<std::byte>> FromJson(const mimi::StateSchema& schema,
                                                std::string_view text) {
  return mimi::RowFromJson(schema, text);
}
#endif

}  // namespace

mimi_status mimi_row_to_json(const mimi_schema* schema, const void* row, size_t row_size,
                             char* buffer, size_t capacity, size_t* length, mimi_error* error) {
  return Call(error, {{schema, "schema"}, {row, "row"}, {length, "length"}}, [&] {
    absl::StatusOr<std::string> text = ToJson(schema->schema, SpanOf(row, row_size));
    MIMI_C_RETURN_IF_ERROR(text.status());
    return GiveText(*text, buffer, capacity, length);
  });
}

mimi_status mimi_row_from_json(const mimi_schema* schema, const char* text, size_t size, void* row,
                               size_t row_size, mimi_error* error) {
  return Call(error, {{schema, "schema"}, {text, "text"}, {row, "row"}}, [&]() -> absl::Status {
    absl::StatusOr<std::vector<std::byte>> read = FromJson(schema->schema, {text, size});
    MIMI_C_RETURN_IF_ERROR(read.status());
    if (read->size() != row_size) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "{}: row has {} bytes, expected {}",
                         schema->schema.name(), row_size, read->size());
    }
    std::memcpy(row, read->data(), read->size());
    return absl::OkStatus();
  });
}
