// Schemas: mimi/schema.h.

#include <vector>

#include "bindings/c/handles.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

/// Collects the fields, since enumerations come name by name here and in one piece in C++.
struct mimi_schema_builder {
  struct Part {
    std::string name;
    mimi::FieldType type{};
    std::size_t n;
    bool key;
    bool soft;
    std::vector<mimi::EnumValue> values;
    std::vector<std::byte> default_value;
  };
  std::string name;
  std::uint32_t version;
  std::vector<Part> parts;
};

namespace {

absl::Status AddField(mimi_schema_builder* builder, const char* name, int32_t type, size_t n,
                      bool key) {
  mimi::FieldType field_type{};
  MIMI_C_RETURN_IF_ERROR(TakeEnum(type, MIMI_FIELD_TEXT + 1, "type", &field_type));
  builder->parts.push_back({name, field_type, n, key, false, {}, {}});
  return absl::OkStatus();
}

absl::StatusOr<mimi_schema_builder::Part*> LastField(mimi_schema_builder* builder) {
  if (builder->parts.empty()) {
    return mimi::Error(absl::StatusCode::kFailedPrecondition, "{}: no field was added so far",
                       builder->name);
  }
  return &builder->parts.back();
}

absl::StatusOr<mimi::StateSchema> Build(const mimi_schema_builder& from) {
  mimi::StateSchema::Builder builder(from.name, from.version);
  for (const mimi_schema_builder::Part& part : from.parts) {
    if (part.key) {
      builder.Key(part.name, part.type, part.n);
    } else {
      builder.Value(part.name, part.type, part.n);
    }
    if (!part.values.empty()) {
      builder.Enum(part.values);
    }
    if (!part.default_value.empty()) {
      builder.Default(part.default_value);
    }
    if (part.soft) {
      builder.Soft();
    }
  }
  return builder.Build();
}

}  // namespace

mimi_status mimi_schema_builder_new(const char* name, uint32_t version,
                                    mimi_schema_builder** builder, mimi_error* error) {
  return Call(error, {{name, "name"}, {builder, "builder"}}, [&] {
    *builder = new mimi_schema_builder{name, version, {}};
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_builder_key(mimi_schema_builder* builder, const char* name, int32_t type,
                                    size_t n, mimi_error* error) {
  return Call(error, {{builder, "builder"}, {name, "name"}},
              [&] { return AddField(builder, name, type, n, true); });
}

mimi_status mimi_schema_builder_value(mimi_schema_builder* builder, const char* name, int32_t type,
                                      size_t n, mimi_error* error) {
  return Call(error, {{builder, "builder"}, {name, "name"}},
              [&] { return AddField(builder, name, type, n, false); });
}

mimi_status mimi_schema_builder_enum(mimi_schema_builder* builder, const char* name, uint8_t value,
                                     mimi_error* error) {
  return Call(error, {{builder, "builder"}, {name, "name"}}, [&] {
    auto part = LastField(builder);
    MIMI_C_RETURN_IF_ERROR(part.status());
    (*part)->values.push_back({name, value});
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_builder_default(mimi_schema_builder* builder, const void* bytes,
                                        size_t size, mimi_error* error) {
  return Call(error, {{builder, "builder"}, {bytes, "bytes"}}, [&] {
    auto part = LastField(builder);
    MIMI_C_RETURN_IF_ERROR(part.status());
    const auto value = SpanOf(bytes, size);
    (*part)->default_value.assign(value.begin(), value.end());
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_builder_soft(mimi_schema_builder* builder, mimi_error* error) {
  return Call(error, {{builder, "builder"}}, [&] {
    auto part = LastField(builder);
    MIMI_C_RETURN_IF_ERROR(part.status());
    (*part)->soft = true;
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_builder_build(mimi_schema_builder* builder, mimi_schema** schema,
                                      mimi_error* error) {
  return Call(error, {{builder, "builder"}, {schema, "schema"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(GiveNew(Build(*builder), schema));
    delete builder;
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_builder_close(mimi_schema_builder* builder, mimi_error*) {
  delete builder;
  return MIMI_OK;
}

mimi_status mimi_schema_new_parsed(const void* bytes, size_t size, mimi_schema** schema,
                                   mimi_error* error) {
  return Call(error, {{bytes, "bytes"}, {schema, "schema"}}, [&] {
    return GiveNew(mimi::StateSchema::Parse({static_cast<const char*>(bytes), size}), schema);
  });
}

mimi_status mimi_schema_close(mimi_schema* schema, mimi_error*) {
  delete schema;
  return MIMI_OK;
}

mimi_status mimi_schema_get_info(const mimi_schema* schema, mimi_schema_info* info,
                                 mimi_error* error) {
  return Call(error, {{schema, "schema"}, {info, "info"}}, [&] {
    const mimi::StateSchema& of = schema->schema;
    const mimi_schema_info out = {sizeof out,         of.name().c_str(), of.table(),
                                  of.fingerprint(),   of.key_size(),     of.row_size(),
                                  of.fields().size(), of.version()};
    return GiveStruct(out, info, "mimi_schema_info");
  });
}

mimi_status mimi_schema_get_field(const mimi_schema* schema, size_t index, mimi_field* field,
                                  mimi_error* error) {
  return Call(error, {{schema, "schema"}, {field, "field"}}, [&]() -> absl::Status {
    if (index >= schema->schema.fields().size()) {
      return mimi::Error(absl::StatusCode::kNotFound, "{}: field {} of {}", schema->schema.name(),
                         index, schema->schema.fields().size());
    }
    const mimi::Field& of = schema->schema.fields()[index];
    const mimi_field out = {sizeof out,
                            of.name.c_str(),
                            of.size,
                            of.offset,
                            static_cast<int32_t>(of.type),
                            of.key ? 1 : 0,
                            of.soft ? 1 : 0,
                            static_cast<int32_t>(of.values.size())};
    return GiveStruct(out, field, "mimi_field");
  });
}

mimi_status mimi_schema_find_field(const mimi_schema* schema, const char* name, size_t* index,
                                   mimi_error* error) {
  return Call(error, {{schema, "schema"}, {name, "name"}, {index, "index"}}, [&]() -> absl::Status {
    const mimi::Field* field = schema->schema.FindField(name);
    if (field == nullptr) {
      return mimi::Error(absl::StatusCode::kNotFound, "{}: no field \"{}\"", schema->schema.name(),
                         name);
    }
    *index = static_cast<std::size_t>(field - schema->schema.fields().data());
    return absl::OkStatus();
  });
}

mimi_status mimi_schema_check_compatible(const mimi_schema* schema, const mimi_schema* other,
                                         mimi_error* error) {
  return Call(error, {{schema, "schema"}, {other, "other"}},
              [&] { return schema->schema.CheckCompatible(other->schema); });
}

mimi_status mimi_schema_serialize(const mimi_schema* schema, void* buffer, size_t capacity,
                                  size_t* length, mimi_error* error) {
  return Call(error, {{schema, "schema"}, {length, "length"}},
              [&] { return GiveBytes(schema->schema.Serialize(), buffer, capacity, length); });
}
