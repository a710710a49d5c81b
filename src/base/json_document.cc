// JSON by nlohmann-json's event interface: it takes no more memory than the tree that we build,
// throws nothing, and stops as soon as a limit is reached.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "src/base/document.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

// Follows the parser's events through the text and so knows where each token starts, which the
// parser does not tell. Relies on the text being valid up to the event.
class TokenPlaces {
 public:
  explicit TokenPlaces(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      at_ = 3;
    }
  }

  /// The place of the next token; moves behind it.
  Place Next() {
    while (at_ < text_.size() && IsBetween(text_[at_])) {
      Step();
    }
    const Place place = place_;
    if (at_ == text_.size()) {
      return place;
    }
    switch (text_[at_]) {
      case '"':
        SkipString();
        break;
      case '{':
      case '}':
      case '[':
      case ']':
        Step();
        break;
      default:
        while (at_ < text_.size() && IsWord(text_[at_])) {
          Step();
        }
    }
    return place;
  }

  /// The place of a byte further on.
  Place Of(std::size_t offset) {
    while (at_ < offset && at_ < text_.size()) {
      Step();
    }
    return place_;
  }

 private:
  static bool IsBetween(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':';
  }
  static bool IsWord(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '+' || c == '-' || c == '.' ||
           c == 'E';
  }
  void SkipString() {
    Step();
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        Step();
      }
      Step();
    }
    Step();
  }
  void Step() {
    if (at_ == text_.size()) {
      return;
    }
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((text_[at_] & 0xC0) != 0x80) {  // a character counts once, at its first byte
      ++place_.column;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Place place_;
};

class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(std::string_view text, const DocumentLimits& limits)
      : places_(text), limits_(limits) {}

  bool null() override { return Add({}) != nullptr; }
  bool boolean(bool value) override {
    Node node;
    node.kind = Node::Kind::kBool;
    node.boolean = value;
    return Add(std::move(node)) != nullptr;
  }
  bool number_integer(number_integer_t value) override {
    const auto bits = static_cast<std::uint64_t>(value);
    return AddInteger(value < 0 ? 0 - bits : bits, value < 0);
  }
  bool number_unsigned(number_unsigned_t value) override { return AddInteger(value, false); }
  bool number_float(number_float_t value, const string_t&) override {
    Node node;
    node.kind = Node::Kind::kReal;
    node.real = value;
    return Add(std::move(node)) != nullptr;
  }
  bool string(string_t& value) override {
    Node node;
    node.kind = Node::Kind::kText;
    node.text = std::move(value);
    return Add(std::move(node)) != nullptr;
  }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool start_object(std::size_t) override { return Open(Node::Kind::kTable); }
  bool start_array(std::size_t) override { return Open(Node::Kind::kList); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    Node& table = *open_.back();
    if (table.Find(value) != nullptr) {
      return Stop(places_.Next(), fmt::format("a second \"{}\"", value));
    }
    if (table.members.size() == limits_.members) {
      return Stop(places_.Next(), fmt::format("a table of more than {} members", limits_.members));
    }
    table.members.push_back({std::move(value), places_.Next(), {}});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what"; the place is ours
    // to tell.
    std::string_view what = error.what();
    const std::size_t from = what.find(": ");
    what.remove_prefix(from == std::string_view::npos ? 0 : from + 2);
    return Stop(places_.Of(position == 0 ? 0 : position - 1), what);
  }

  Node TakeRoot() { return std::move(root_); }
  Place wrong_place() const { return wrong_place_; }
  const std::string& wrong() const { return wrong_; }

 private:
  bool AddInteger(std::uint64_t magnitude, bool negative) {
    Node node;
    node.kind = Node::Kind::kInteger;
    node.magnitude = magnitude;
    node.negative = negative;
    return Add(std::move(node)) != nullptr;
  }

  // A pointer to the node stays valid while it is open: its siblings come only after it was closed.
  Node* Add(Node node) {
    node.place = places_.Next();
    if (++nodes_ > limits_.nodes) {
      Stop(node.place, fmt::format("more than {} values", limits_.nodes));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return &root_;
    }
    Node& parent = *open_.back();
    if (parent.kind == Node::Kind::kTable) {
      parent.members.back().value = std::move(node);
      return &parent.members.back().value;
    }
    return &parent.items.emplace_back(std::move(node));
  }
  bool Open(Node::Kind kind) {
    Node node;
    node.kind = kind;
    Node* const added = Add(std::move(node));
    if (added == nullptr) {
      return false;
    }
    open_.push_back(added);
    return open_.size() <= limits_.depth ||
           Stop(added->place, fmt::format("nested more than {} deep", limits_.depth));
  }
  bool Close() {
    places_.Next();
    open_.pop_back();
    return true;
  }
  bool Stop(Place place, std::string_view what) {
    wrong_place_ = place;
    wrong_ = what;
    return false;
  }

  TokenPlaces places_;
  DocumentLimits limits_;
  Node root_;
  std::vector<Node*> open_;
  std::size_t nodes_ = 0;
  Place wrong_place_;
  std::string wrong_;
};

}  // namespace

absl::StatusOr<Node> ParseJson(std::string_view text, std::string_view file,
                               const DocumentLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: {} bytes, at most {} are read", file,
                 text.size(), limits.bytes);
  }
  TreeBuilder builder(text, limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    Problems problems(file);
    problems.Add(builder.wrong_place(), "", builder.wrong());
    return problems.status();
  }
  return builder.TakeRoot();
}

}  // namespace mimi::internal
