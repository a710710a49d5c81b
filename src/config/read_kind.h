#ifndef MIMI_SRC_CONFIG_READ_KIND_H_
#define MIMI_SRC_CONFIG_READ_KIND_H_

// From the name of a kind to the Part that it makes of a section.
//
// Threads: one at a time.

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "src/base/suggest.h"
#include "src/config/kinds.h"
#include "src/config/values.h"

namespace mimi::config {

template <class T>
std::string KnownKinds(std::span<const Kind<T>> kinds, std::vector<std::string_view>* names) {
  for (const Kind<T>& kind : kinds) {
    names->push_back(kind.name);
  }
  return names->empty() ? "none" : Listed(*names);
}

/// Finds the kind, reads its section. `name` is what the file said, under `key`.
template <class T>
Part<T> ReadKind(Section& section, std::string_view key, const std::string& name,
                 std::span<const Kind<T>> kinds, ReadContext context) {
  Part<T> part;
  part.kind = name;
  part.path = section.path();
  part.place = section.PlaceOf(key);
  const auto kind = std::ranges::find(kinds, name, &Kind<T>::name);
  if (kind == kinds.end() || kind->read == nullptr) {
    std::vector<std::string_view> names;
    const std::string known = KnownKinds(kinds, &names);
    section.Refuse(key, kind != kinds.end()
                            ? fmt::format("\"{}\": {}", name, kind->summary)
                            : fmt::format("unknown {} \"{}\"{}; this program knows {}", key,
                                          Shortened(name), DidYouMean(name, names), known));
    section.Abandon();
    return part;
  }
  context.needs = &part.needs;
  part.build = kind->read(section, context);
  return part;
}

template <class T>
std::optional<Part<T>> ReadPart(Section& section, std::span<const Kind<T>> kinds,
                                const ReadContext& context) {
  std::string name;
  if (!section.Require("kind") || !section.Read("kind", &name)) {
    section.Abandon();
    return std::nullopt;
  }
  return ReadKind(section, "kind", name, kinds, context);
}

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_READ_KIND_H_
