// TOML by toml++. Distributions compile it into a library that reports mistakes by exceptions;
// Parse() below is the wall behind which they stay.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/core.h>
#include <toml++/toml.h>

#include "src/base/document.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

// The root table has no place of its own: 0, 0.
Place PlaceOf(const toml::source_region& source) {
  return {std::max<std::size_t>(1, source.begin.line),
          std::max<std::size_t>(1, source.begin.column)};
}

class Converter {
 public:
  explicit Converter(const DocumentLimits& limits) : limits_(limits) {}

  /// False when a limit is reached; then wrong() says which, where.
  bool Convert(const toml::node& from, std::size_t depth, Node* to) {
    to->place = PlaceOf(from.source());
    if (depth > limits_.depth) {
      return Stop(to->place, fmt::format("nested more than {} deep", limits_.depth));
    }
    if (++nodes_ > limits_.nodes) {
      return Stop(to->place, fmt::format("more than {} values", limits_.nodes));
    }
    if (const toml::table* const table = from.as_table()) {
      return ConvertTable(*table, depth, to);
    }
    if (const toml::array* const list = from.as_array()) {
      to->kind = Node::Kind::kList;
      return std::all_of(list->begin(), list->end(), [&](const toml::node& item) {
        return Convert(item, depth + 1, &to->items.emplace_back());
      });
    }
    ConvertScalar(from, to);
    return true;
  }
  Place wrong_place() const { return wrong_place_; }
  const std::string& wrong() const { return wrong_; }

 private:
  bool ConvertTable(const toml::table& table, std::size_t depth, Node* to) {
    to->kind = Node::Kind::kTable;
    for (const auto& [key, value] : table) {
      Member& member = to->members.emplace_back();
      member.name = key.str();
      member.place = PlaceOf(key.source());
      if (!Convert(value, depth + 1, &member.value)) {
        return false;
      }
    }
    // toml++ sorts by name; fields are in the order in which they were written.
    std::stable_sort(to->members.begin(), to->members.end(), [](const Member& a, const Member& b) {
      return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
    });
    return true;
  }
  static void ConvertScalar(const toml::node& from, Node* to) {
    if (const auto* const text = from.as_string()) {
      to->kind = Node::Kind::kText;
      to->text = text->get();
    } else if (const auto* const integer = from.as_integer()) {
      const std::int64_t value = integer->get();
      const auto bits = static_cast<std::uint64_t>(value);
      to->kind = Node::Kind::kInteger;
      to->negative = value < 0;
      to->magnitude = value < 0 ? 0 - bits : bits;
    } else if (const auto* const real = from.as_floating_point()) {
      to->kind = Node::Kind::kReal;
      to->real = real->get();
    } else if (const auto* const boolean = from.as_boolean()) {
      to->kind = Node::Kind::kBool;
      to->boolean = boolean->get();
    } else {
      to->kind = Node::Kind::kOther;
    }
  }
  bool Stop(Place place, std::string what) {
    wrong_place_ = place;
    wrong_ = std::move(what);
    return false;
  }

  DocumentLimits limits_;
  std::size_t nodes_ = 0;
  Place wrong_place_;
  std::string wrong_;
};

absl::StatusOr<toml::table> Parse(std::string_view text, std::string_view file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    Problems problems(file);
    problems.Add(PlaceOf(error.source()), "", error.description());
    return problems.status();
  }
}

}  // namespace

absl::StatusOr<Node> ParseToml(std::string_view text, std::string_view file,
                               const DocumentLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: {} bytes, at most {} are read", file,
                 text.size(), limits.bytes);
  }
  const absl::StatusOr<toml::table> parsed = Parse(text, file);
  if (!parsed.ok()) {
    return parsed.status();
  }
  Node root;
  Converter converter(limits);
  if (!converter.Convert(*parsed, 0, &root)) {
    Problems problems(file);
    problems.Add(converter.wrong_place(), "", converter.wrong());
    return problems.status();
  }
  return root;
}

}  // namespace mimi::internal
