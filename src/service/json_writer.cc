#include "src/service/json_writer.h"

#include <cmath>

#include <fmt/core.h>

#include "src/base/json_text.h"

namespace mimi::service {

JsonWriter& JsonWriter::Key(std::string_view name) {
  Separate();
  internal::AppendQuoted(name, &text_);
  text_.push_back(':');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::Text(std::string_view text) {
  Separate();
  internal::AppendQuoted(text, &text_);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  if (!std::isfinite(value)) {
    return Null();
  }
  std::string text = fmt::format("{:.3f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return Raw(text);
}

}  // namespace mimi::service
