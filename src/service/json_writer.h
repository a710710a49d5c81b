#ifndef MIMI_SRC_SERVICE_JSON_WRITER_H_
#define MIMI_SRC_SERVICE_JSON_WRITER_H_

// JsonWriter: one JSON value written into a string, members in the order in which they come.
//
//   JsonWriter json;
//   json.BeginObject().Key("pair").Text("edge1").Key("rows").Number(7U).EndObject();
//   std::string line = json.Take();      // {"pair":"edge1","rows":7}
//
// Threads: one at a time. REQUIRES: calls that make a well-formed value; nothing checks them.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace mimi::service {

class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginList() { return Open('['); }
  JsonWriter& EndList() { return Close(']'); }

  JsonWriter& Key(std::string_view name);
  JsonWriter& Text(std::string_view text);
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Null() { return Raw("null"); }
  template <std::integral T>
  JsonWriter& Number(T value) {
    return Raw(std::to_string(value));
  }
  /// Milliseconds and their like: up to three digits behind the point. null when it is no number.
  JsonWriter& Number(double value);
  /// What is JSON already.
  JsonWriter& Raw(std::string_view json) {
    Separate();
    text_.append(json);
    return *this;
  }

  std::string Take() { return std::move(text_); }

 private:
  JsonWriter& Open(char c) {
    Separate();
    text_.push_back(c);
    first_ = true;
    return *this;
  }
  JsonWriter& Close(char c) {
    text_.push_back(c);
    first_ = false;
    return *this;
  }
  void Separate() {
    if (!first_) {
      text_.push_back(',');
    }
    first_ = false;
  }

  std::string text_;
  bool first_ = true;  ///< nothing stands before in this list or object, or its key does
};

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_JSON_WRITER_H_
