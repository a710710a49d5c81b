#ifndef MIMI_BINDINGS_C_ROW_H_
#define MIMI_BINDINGS_C_ROW_H_

// One field of a row: found, read and written. Shared by row.cc and row_text.cc.
//
// Threads: any.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/schema.h"

namespace mimi::c {

/// Errors: NotFound (no such field, or the row ends before it).
absl::StatusOr<const Field*> FieldAt(const StateSchema& schema, std::size_t index,
                                     std::size_t row_size);
absl::Status WrongType(const StateSchema& schema, const Field& field, std::string_view expected);
bool IsUnsigned(const Field& field);
bool IsSigned(const Field& field);
/// Errors: InvalidArgument (out of range).
absl::Status SetNumber(const StateSchema& schema, const Field& field, std::uint64_t value,
                       std::byte* row);

/// The value as people write it, and back. `value` is the field's bytes, `row` the whole row.
std::string GetText(const Field& field, std::span<const std::byte> value);
absl::Status SetText(const StateSchema& schema, const Field& field, std::string_view text,
                     std::byte* row);

}  // namespace mimi::c

#endif  // MIMI_BINDINGS_C_ROW_H_
