#include "src/base/document.h"

#include <algorithm>

#include <fmt/core.h>

#include "src/base/status.h"

namespace mimi::internal {

const Member* Node::Find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &Member::name);
  return found == members.end() ? nullptr : &*found;
}

std::string_view KindName(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kBool:
      return "true or false";
    case Node::Kind::kInteger:
      return "an integer";
    case Node::Kind::kReal:
      return "a number";
    case Node::Kind::kText:
      return "text";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kTable:
      return "a table";
    case Node::Kind::kOther:
      return "a date or time";
  }
  return "something else";
}

void Problems::Add(Place place, std::string_view path, std::string_view what) {
  if (++count_ > kShown) {
    return;
  }
  text_ += fmt::format("{}{}:{}:{}: {}{}{}", text_.empty() ? "" : "\n", file_, place.line,
                       place.column, path, path.empty() ? "" : ": ", what);
}

absl::Status Problems::status() const {
  if (count_ == 0) {
    return absl::OkStatus();
  }
  if (count_ > kShown) {
    return Error(absl::StatusCode::kInvalidArgument, "{}\nand {} more", text_, count_ - kShown);
  }
  return Error(absl::StatusCode::kInvalidArgument, "{}", text_);
}

}  // namespace mimi::internal
