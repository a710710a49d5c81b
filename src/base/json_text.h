#ifndef MIMI_SRC_BASE_JSON_TEXT_H_
#define MIMI_SRC_BASE_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace mimi::internal {

/// Appends text in quotes, escaped as JSON wants it; bytes that are no UTF-8 as U+FFFD.
void AppendQuoted(std::string_view text, std::string* json);

}  // namespace mimi::internal

#endif  // MIMI_SRC_BASE_JSON_TEXT_H_
