#include "src/config/section.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "src/base/duration.h"
#include "src/base/suggest.h"
#include "src/config/values.h"

namespace mimi::config {

using internal::KindName;
using internal::Member;
using internal::Node;
using internal::Place;
using internal::Problems;

Section::Section(const Node& node, Place place, std::string path, Problems& problems)
    : node_(node), place_(place), path_(std::move(path)), problems_(problems) {
}

void Section::Know(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) {
    known_.emplace_back(key);
  }
}

const Node* Section::Find(std::string_view key) {
  Know(key);
  const Member* const member = node_.Find(key);
  return member == nullptr ? nullptr : &member->value;
}

bool Section::Has(std::string_view key) {
  return Find(key) != nullptr;
}

const Node* Section::Raw(std::string_view key) {
  return Find(key);
}

Place Section::PlaceOf(std::string_view key) const {
  const Member* const member = node_.Find(key);
  return member == nullptr ? place_ : member->value.place;
}

void Section::Refuse(std::string_view key, std::string_view what) {
  const std::string path =
      key.empty() ? path_ : fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key);
  problems_.Add(PlaceOf(key), path, what);
}

bool Section::Expected(std::string_view key, const Node& node, std::string_view what) {
  Refuse(key, node.kind == Node::Kind::kText
                  ? fmt::format("expected {}, got \"{}\"", what, Shortened(node.text))
                  : fmt::format("expected {}, got {}", what, KindName(node.kind)));
  return false;
}

bool Section::Require(std::string_view key, std::string_view for_what) {
  if (Has(key)) {
    return true;
  }
  problems_.Add(place_, path_,
                fmt::format("needs \"{}\"{}{}", key, for_what.empty() ? "" : ": ", for_what));
  return false;
}

bool Section::Read(std::string_view key, std::string* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  if (node->kind != Node::Kind::kText) {
    return Expected(key, *node, "text");
  }
  *value = node->text;
  return true;
}

bool Section::Read(std::string_view key, bool* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  if (node->kind != Node::Kind::kBool) {
    return Expected(key, *node, "true or false");
  }
  *value = node->boolean;
  return true;
}

bool Section::ReadInteger(std::string_view key, std::int64_t least, std::int64_t most,
                          std::int64_t* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  const std::string expected = most == std::numeric_limits<std::int64_t>::max()
                                   ? fmt::format("an integer of at least {}", least)
                                   : fmt::format("an integer from {} to {}", least, most);
  if (node->kind != Node::Kind::kInteger) {
    return Expected(key, *node, expected);
  }
  // TOML's integers are signed and of 64 bits, so this cannot wrap.
  const std::int64_t number = node->negative ? static_cast<std::int64_t>(0 - node->magnitude)
                                             : static_cast<std::int64_t>(node->magnitude);
  if (number < least || number > most) {
    Refuse(key, fmt::format("expected {}, got {}", expected, number));
    return false;
  }
  *value = number;
  return true;
}

bool Section::Read(std::string_view key, double* value, double least, double most) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  const bool whole = node->kind == Node::Kind::kInteger;
  if (!whole && node->kind != Node::Kind::kReal) {
    return Expected(key, *node, "a number");
  }
  const double number =
      whole ? static_cast<double>(node->magnitude) * (node->negative ? -1 : 1) : node->real;
  if (!(number >= least && number <= most)) {
    Refuse(key, fmt::format("expected a number from {} to {}, got {}", least, most, number));
    return false;
  }
  *value = number;
  return true;
}

bool Section::Read(std::string_view key, Duration* value, Duration least, Duration most) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  const std::optional<Duration> duration =
      node->kind == Node::Kind::kText ? ParseDuration(node->text) : std::nullopt;
  if (!duration) {
    return Expected(key, *node, "a time with its unit such as \"250ms\", \"3s\" or \"5m\"");
  }
  if (*duration < least || *duration > most) {
    Refuse(key, fmt::format("expected {} to {}, got {}", FormatDuration(least),
                            FormatDuration(most), FormatDuration(*duration)));
    return false;
  }
  *value = *duration;
  return true;
}

bool Section::Read(std::string_view key, Ip* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  const std::optional<Ip> address =
      node->kind == Node::Kind::kText ? Ip::Parse(node->text) : std::nullopt;
  if (!address) {
    return Expected(key, *node, "an IP address");
  }
  *value = *address;
  return true;
}

bool Section::Read(std::string_view key, Endpoint* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  const std::optional<Endpoint> endpoint =
      node->kind == Node::Kind::kText ? ParseEndpoint(node->text) : std::nullopt;
  if (!endpoint) {
    return Expected(key, *node,
                    "an address and port such as \"192.0.2.1:514\", \"[2001:db8::1]:514\" or "
                    "\"*:514\"");
  }
  *value = *endpoint;
  return true;
}

bool Section::Read(std::string_view key, std::vector<std::string>* value) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  if (node->kind == Node::Kind::kText) {
    *value = {node->text};
    return true;
  }
  if (node->kind != Node::Kind::kList) {
    return Expected(key, *node, "a list of texts");
  }
  std::vector<std::string> texts;
  for (const Node& item : node->items) {
    if (item.kind != Node::Kind::kText) {
      problems_.Add(item.place, fmt::format("{}.{}", path_, key),
                    fmt::format("expected text, got {}", KindName(item.kind)));
      return false;
    }
    texts.push_back(item.text);
  }
  *value = std::move(texts);
  return true;
}

bool Section::ReadSize(std::string_view key, std::size_t* value, std::size_t least) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return false;
  }
  std::optional<std::uint64_t> size;
  if (node->kind == Node::Kind::kInteger && !node->negative) {
    size = node->magnitude;
  } else if (node->kind == Node::Kind::kText) {
    size = ParseSize(node->text);
  }
  if (!size) {
    return Expected(key, *node, "a size in bytes such as 65536 or \"64 MiB\"");
  }
  if (*size < least) {
    Refuse(key, fmt::format("expected at least {} bytes, got {}", least, *size));
    return false;
  }
  *value = *size;
  return true;
}

std::optional<std::size_t> Section::ReadWord(std::string_view key,
                                             std::span<const std::string_view> words) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  const std::string all = Listed(words);
  if (node->kind != Node::Kind::kText) {
    Expected(key, *node, all);
    return std::nullopt;
  }
  const auto found = std::ranges::find(words, node->text);
  if (found == words.end()) {
    Refuse(key, fmt::format("expected {}, got \"{}\"{}", all, Shortened(node->text),
                            DidYouMean(node->text, words)));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - words.begin());
}

Section* Section::Add(const Node& node, Place place, std::string path) {
  return &children_.emplace_back(node, place, std::move(path), problems_);
}

Section* Section::Child(std::string_view key) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return nullptr;
  }
  if (node->kind != Node::Kind::kTable) {
    Expected(key, *node, "a table");
    return nullptr;
  }
  return Add(*node, node->place, fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key));
}

std::vector<Section*> Section::Children(std::string_view key) {
  const Node* const node = Find(key);
  if (node == nullptr) {
    return {};
  }
  const std::string path = fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key);
  if (node->kind == Node::Kind::kTable) {
    return {Add(*node, node->place, path)};
  }
  if (node->kind != Node::Kind::kList) {
    Expected(key, *node, "a table or a list of tables");
    return {};
  }
  std::vector<Section*> sections;
  for (const Node& item : node->items) {
    if (item.kind != Node::Kind::kTable) {
      problems_.Add(item.place, path, fmt::format("expected a table, got {}", KindName(item.kind)));
      continue;
    }
    sections.push_back(Add(item, item.place, fmt::format("{}[{}]", path, sections.size())));
  }
  return sections;
}

std::vector<Section::Named> Section::NamedChildren(std::string_view key) {
  Section* const parent = Child(key);
  std::vector<Named> named;
  if (parent == nullptr) {
    return named;
  }
  for (const Member& member : parent->node_.members) {
    if (Section* const child = parent->Child(member.name); child != nullptr) {
      named.push_back({member.name, child});
    }
  }
  return named;
}

void Section::Finish() {
  if (abandoned_) {
    return;
  }
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const Member& member : node_.members) {
    if (std::ranges::find(known, member.name) == known.end()) {
      problems_.Add(member.place, path_,
                    fmt::format("unknown key \"{}\"{}", Shortened(member.name),
                                DidYouMean(member.name, known)));
    }
  }
  for (Section& child : children_) {
    child.Finish();
  }
}

}  // namespace mimi::config
