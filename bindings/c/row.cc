// Rows: fields by index, as numbers, bytes and text.

#include "bindings/c/row.h"

#include <bit>

#include "bindings/c/handles.h"
#include "src/base/bytes.h"
#include "src/state/row.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace mimi::c {

absl::StatusOr<const Field*> FieldAt(const StateSchema& schema, std::size_t index,
                                     std::size_t row_size) {
  if (index >= schema.fields().size()) {
    return Error(absl::StatusCode::kNotFound, "{}: field {} of {}", schema.name(), index,
                 schema.fields().size());
  }
  const Field& field = schema.fields()[index];
  if (std::size_t{field.offset} + field.size > row_size) {
    return Error(absl::StatusCode::kNotFound, "{}.{}: the row ends before it, with {} bytes",
                 schema.name(), field.name, row_size);
  }
  return &field;
}

absl::Status WrongType(const StateSchema& schema, const Field& field, std::string_view expected) {
  return Error(absl::StatusCode::kInvalidArgument, "{}.{}: is {}, not {}", schema.name(),
               field.name, FieldTypeName(field.type), expected);
}

bool IsUnsigned(const Field& field) {
  switch (field.type) {
    case FieldType::kU8:
    case FieldType::kU16:
    case FieldType::kU32:
    case FieldType::kU64:
    case FieldType::kBool:
    case FieldType::kPort:
    case FieldType::kIpProtocol:
    case FieldType::kEnum:
      return true;
    default:
      return false;
  }
}

bool IsSigned(const Field& field) {
  return field.type == FieldType::kI64 || field.type == FieldType::kTime ||
         field.type == FieldType::kDuration;
}

absl::Status SetNumber(const StateSchema& schema, const Field& field, std::uint64_t value,
                       std::byte* row) {
  const bool listed = field.type != FieldType::kEnum ||
                      std::ranges::any_of(field.values, [&](const EnumValue& known) {
                        return known.value == value;
                      });
  const std::uint64_t most = field.type == FieldType::kBool ? 1
                             : field.size == 8              ? ~std::uint64_t{0}
                                               : (std::uint64_t{1} << (8 * field.size)) - 1;
  if (value > most || !listed) {
    return Error(absl::StatusCode::kInvalidArgument, "{}.{}: {} is no {}", schema.name(),
                 field.name, value, FieldTypeName(field.type));
  }
  for (std::size_t i = 0; i < field.size; ++i) {
    row[field.offset + i] = static_cast<std::byte>(value >> (8 * i));
  }
  return absl::OkStatus();
}

}  // namespace mimi::c

namespace {

using mimi::Field;
using mimi::StateSchema;

/// Finds the field, checks its kind, and lets `body` at it.
template <class Body>
mimi_status WithField(const mimi_schema* schema, const void* row, size_t row_size, size_t index,
                      Needed result, mimi_error* error, Body body) {
  return Call(error, {{schema, "schema"}, {row, "row"}, result}, [&]() -> absl::Status {
    absl::StatusOr<const Field*> field = FieldAt(schema->schema, index, row_size);
    MIMI_C_RETURN_IF_ERROR(field.status());
    return body(schema->schema, **field);
  });
}

std::byte* At(void* row, const Field& field) {
  return static_cast<std::byte*>(row) + field.offset;
}
const std::byte* At(const void* row, const Field& field) {
  return static_cast<const std::byte*>(row) + field.offset;
}
constexpr auto kHere = "";  // for WithField, where there is no result to check

}  // namespace

mimi_status mimi_row_init(const mimi_schema* schema, void* row, size_t row_size,
                          mimi_error* error) {
  return Call(error, {{schema, "schema"}, {row, "row"}}, [&]() -> absl::Status {
    const auto defaults = schema->schema.default_row();
    if (row_size != defaults.size()) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "{}: row has {} bytes, expected {}",
                         schema->schema.name(), row_size, defaults.size());
    }
    std::memcpy(row, defaults.data(), defaults.size());
    return absl::OkStatus();
  });
}

mimi_status mimi_row_set_u64(const mimi_schema* schema, void* row, size_t row_size, size_t field,
                             uint64_t value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {kHere, ""}, error,
                   [&](const StateSchema& of, const Field& at) {
                     return IsUnsigned(at) ? SetNumber(of, at, value, static_cast<std::byte*>(row))
                                           : WrongType(of, at, "an unsigned number");
                   });
}

mimi_status mimi_row_get_u64(const mimi_schema* schema, const void* row, size_t row_size,
                             size_t field, uint64_t* value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {value, "value"}, error,
                   [&](const StateSchema& of, const Field& at) {
                     if (!IsUnsigned(at)) {
                       return WrongType(of, at, "an unsigned number");
                     }
                     *value = mimi::FieldNumber(at, SpanOf(row, row_size));
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_set_i64(const mimi_schema* schema, void* row, size_t row_size, size_t field,
                             int64_t value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {kHere, ""}, error,
                   [&](const StateSchema& of, const Field& at) {
                     if (!IsSigned(at)) {
                       return WrongType(of, at, "a signed number");
                     }
                     mimi::StoreLe(At(row, at), static_cast<std::uint64_t>(value));
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_get_i64(const mimi_schema* schema, const void* row, size_t row_size,
                             size_t field, int64_t* value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {value, "value"}, error,
                   [&](const StateSchema& of, const Field& at) {
                     if (!IsSigned(at)) {
                       return WrongType(of, at, "a signed number");
                     }
                     *value = static_cast<int64_t>(mimi::LoadLe<std::uint64_t>(At(row, at)));
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_set_f64(const mimi_schema* schema, void* row, size_t row_size, size_t field,
                             double value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {kHere, ""}, error,
                   [&](const StateSchema& of, const Field& at) {
                     if (at.type != mimi::FieldType::kF64) {
                       return WrongType(of, at, "f64");
                     }
                     mimi::StoreLe(At(row, at), std::bit_cast<std::uint64_t>(value));
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_get_f64(const mimi_schema* schema, const void* row, size_t row_size,
                             size_t field, double* value, mimi_error* error) {
  return WithField(schema, row, row_size, field, {value, "value"}, error,
                   [&](const StateSchema& of, const Field& at) {
                     if (at.type != mimi::FieldType::kF64) {
                       return WrongType(of, at, "f64");
                     }
                     *value = std::bit_cast<double>(mimi::LoadLe<std::uint64_t>(At(row, at)));
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_set_bytes(const mimi_schema* schema, void* row, size_t row_size, size_t field,
                               const void* bytes, size_t size, mimi_error* error) {
  return WithField(schema, row, row_size, field, {bytes, "bytes"}, error,
                   [&](const StateSchema& of, const Field& at) -> absl::Status {
                     const bool text = at.type == mimi::FieldType::kText;
                     if (text ? size > at.size : size != at.size) {
                       return mimi::Error(absl::StatusCode::kInvalidArgument,
                                          "{}.{}: {} bytes, expected {}", of.name(), at.name, size,
                                          at.size);
                     }
                     std::memcpy(At(row, at), bytes, size);
                     std::memset(At(row, at) + size, 0, at.size - size);
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_get_bytes(const mimi_schema* schema, const void* row, size_t row_size,
                               size_t field, const void** bytes, size_t* size, mimi_error* error) {
  return WithField(schema, row, row_size, field, {bytes, "bytes"}, error,
                   [&](const StateSchema&, const Field& at) {
                     MIMI_C_RETURN_IF_ERROR(CheckNeeded({{size, "size"}}));
                     *bytes = At(row, at);
                     *size = at.size;
                     return absl::OkStatus();
                   });
}

mimi_status mimi_row_set_text(const mimi_schema* schema, void* row, size_t row_size, size_t field,
                              const char* text, mimi_error* error) {
  return WithField(schema, row, row_size, field, {text, "text"}, error,
                   [&](const StateSchema& of, const Field& at) {
                     return SetText(of, at, text, static_cast<std::byte*>(row));
                   });
}

mimi_status mimi_row_get_text(const mimi_schema* schema, const void* row, size_t row_size,
                              size_t field, char* buffer, size_t capacity, size_t* length,
                              mimi_error* error) {
  return WithField(schema, row, row_size, field, {length, "length"}, error,
                   [&](const StateSchema&, const Field& at) {
                     return GiveText(GetText(at, {At(row, at), at.size}), buffer, capacity, length);
                   });
}

mimi_status mimi_row_check(const mimi_schema* schema, const void* row, size_t row_size,
                           mimi_error* error) {
  return Call(error, {{schema, "schema"}, {row, "row"}},
              [&] { return schema->schema.CheckRow(SpanOf(row, row_size)); });
}
