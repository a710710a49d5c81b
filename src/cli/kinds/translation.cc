// [minion.flow]: how a row of the operator's own table is a flow.

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "mimi/builtin/translating_minion.h"
#include "mimi/flow.h"

#include "src/base/status.h"
#include "src/cli/kinds.h"

namespace mimi::cli {

std::optional<FlowTranslation> ReadFlowTranslation(config::Section& section,
                                                   const StateSchema& table) {
  config::Section* const flow = section.Child("flow");
  if (flow == nullptr) {
    if (table.table() != FlowSchema().table()) {
      section.Refuse("table", fmt::format("rows of {} are no flows: say in [….flow] how they are",
                                          table.name()));
    }
    return std::nullopt;
  }
  FlowTranslation translation;
  for (const Field& field : FlowSchema().fields()) {
    const internal::Node* const node = flow->Raw(field.name);
    if (node == nullptr) {
      continue;
    }
    if (node->kind == internal::Node::Kind::kInteger && !node->negative) {
      translation.fields.emplace_back(field.name, fmt::format("{}", node->magnitude));
    } else if (node->kind == internal::Node::Kind::kText) {
      translation.fields.emplace_back(field.name, node->text);
    } else {
      flow->Refuse(field.name, "expected a constant, or \"{field}\" of the row");
    }
  }
  std::vector<std::string> assume;
  flow->Read("assume", &assume);
  for (const std::string& assumption : assume) {
    if (assumption == "source_kept") {
      translation.source_kept = true;
    } else if (assumption == "port_kept") {
      translation.port_kept = true;
    } else {
      flow->Refuse("assume", "expected source_kept or port_kept, got \"" + assumption + "\"");
    }
  }
  const absl::Status right = CheckFlowTranslation(table, translation);
  for (std::string_view rest = Message(right); !right.ok() && !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t colon = std::min(line.find(": "), line.size());
    flow->Refuse(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
  }
  return translation;
}

}  // namespace mimi::cli
