#ifndef MIMI_BINDINGS_C_JSON_H_
#define MIMI_BINDINGS_C_JSON_H_

// A small writer of JSON, since mimi::core has none: objects and arrays of numbers, texts,
// booleans.
//
//   JsonWriter json;
//   json.Open('{');
//   json.Name("rows").Number(3);
//   json.Close('}');
//
// Threads: a value; one at a time.

#include <concepts>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace mimi::c {

class JsonWriter {
 public:
  JsonWriter& Open(char bracket) {
    Separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& Close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  JsonWriter& Name(std::string_view name) {
    Quote(name);
    text_ += ": ";
    first_ = true;  // no comma before its value
    return *this;
  }
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>) JsonWriter& Number(T value) {
    Separate();
    fmt::format_to(std::back_inserter(text_), "{}", value);
    return *this;
  }
  JsonWriter& Bool(bool value) {
    Separate();
    text_ += value ? "true" : "false";
    return *this;
  }
  JsonWriter& Null() {
    Separate();
    text_ += "null";
    return *this;
  }
  JsonWriter& Text(std::string_view value) {
    Quote(value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void Separate() {
    if (!first_) {
      text_ += ", ";
    }
    first_ = false;
  }
  void Quote(std::string_view value) {
    Separate();
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(text_), "\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
  bool first_ = true;
};

}  // namespace mimi::c

#endif  // MIMI_BINDINGS_C_JSON_H_
