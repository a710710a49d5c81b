#ifndef MIMI_SRC_STATE_VALUE_TEXT_H_
#define MIMI_SRC_STATE_VALUE_TEXT_H_

// One value of a row as JSON, and back from a document. FORMAT.md, "JSON", lists the forms.
//
// Threads: any.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mimi/schema.h"

#include "src/base/document.h"

namespace mimi::internal {

/// Appends the value as JSON. Never fails: what CheckRow would refuse appears in the nearest form
/// there is (an unlisted enum value as its number, bytes that are no UTF-8 as U+FFFD).
void AppendValue(const Field& field, std::span<const std::byte> value, std::string* json);

/// Writes `node` as the field's value: field.size bytes. Else what is wrong with it.
std::optional<std::string> ReadValue(const Field& field, const Node& node,
                                     std::span<std::byte> value);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STATE_VALUE_TEXT_H_
