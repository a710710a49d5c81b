#ifndef MIMI_SRC_RULES_ROW_WRITER_H_
#define MIMI_SRC_RULES_ROW_WRITER_H_

// From a value to the bytes of a field.
//
// Threads: any.

#include <cstddef>
#include <span>
#include <string_view>

#include "mimi/schema.h"

#include "src/rules/value.h"

namespace mimi::rules {

/// Writes `value` into the field's place in `row`. What does not fit is refused, nothing is bent:
/// but text is cut at the field's size.
Refusal WriteField(const Field& field, const Value& value, std::span<std::byte> row);

/// What stands in the field's place; texts are views into `row`.
Value ReadField(const Field& field, std::span<const std::byte> row);

/// The value that a constant's text stands for in a field of this type. False: none.
bool ConstantFor(const Field& field, std::string_view text, Value* value);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_ROW_WRITER_H_
