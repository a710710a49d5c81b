#include "src/base/json_text.h"

#include <fmt/core.h>

#include "src/base/utf8.h"

namespace mimi::internal {

void AppendQuoted(std::string_view text, std::string* json) {
  const bool clean = IsUtf8(text);
  *json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *json += '\\';
      *json += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      *json += fmt::format("\\u{:04x}", byte);
    } else if (byte >= 0x80 && !clean) {
      *json += "\\ufffd";
    } else {
      *json += c;
    }
  }
  *json += '"';
}

}  // namespace mimi::internal
