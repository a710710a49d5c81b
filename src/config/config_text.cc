// Names in configurations: tables, URLs.

#include <algorithm>

#include <fmt/core.h>

#include "mimi/flow.h"

#include "src/base/suggest.h"
#include "src/config/config.h"
#include "src/config/values.h"

namespace mimi::config {

std::string WithoutPassword(std::string_view url) {
  constexpr std::string_view kParameter = "password=";
  if (const std::size_t name = url.find(kParameter); name != std::string_view::npos) {
    const std::size_t value = name + kParameter.size();
    const std::size_t end = std::min(url.find('&', value), url.size());
    return WithoutPassword(fmt::format("{}…", url.substr(0, name))) + std::string(url.substr(end));
  }
  const std::size_t slashes = url.find("://");
  if (slashes == std::string_view::npos) {
    return std::string(url);
  }
  const std::size_t host = slashes + 3;
  const std::size_t path = url.find('/', host);
  const std::size_t at = url.substr(0, path).rfind('@');
  if (at == std::string_view::npos || at < host) {
    return std::string(url);
  }
  return fmt::format("{}…{}", url.substr(0, host), url.substr(at));
}

StateSchema ReadContext::ReadTable(Section& section, std::string_view key) const {
  constexpr std::string_view kFlowTable = "mimi.flow";
  std::string name(kFlowTable);
  section.Read(key, &name);
  if (name == kFlowTable) {
    return FlowSchema();
  }
  std::vector<std::string_view> names = {kFlowTable};
  if (schemas != nullptr) {
    for (const StateSchema& schema : *schemas) {
      if (schema.name() == name) {
        return schema;
      }
      names.push_back(schema.name());
    }
  }
  section.Refuse(key, fmt::format("no schema \"{}\" in this file{}; there is {}", Shortened(name),
                                  DidYouMean(name, names), Listed(names)));
  return FlowSchema();
}

}  // namespace mimi::config
