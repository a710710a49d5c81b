#ifndef MIMI_SRC_STATE_SCHEMA_TEXT_H_
#define MIMI_SRC_STATE_SCHEMA_TEXT_H_

// Definitions of schemas in texts that hold more than one, such as a configuration.
//
//   [schema.lb_flow]                      # another name for the table: name = "lb.flow"
//   version = 1                           # 1 unless given
//   [schema.lb_flow.key]                  # a field for each member, in this order
//   client_ip = "ipv4"
//   client_port = "port"
//   [schema.lb_flow.value]
//   backend_ip = "ipv4"
//   state = { type = "enum", values = ["new", "open"], default = "new", soft = true }
//   label = "text[16]"
//
// key and value may also be lists of tables with a `name` each, which survives tools that sort
// members. An enum's values are a list (numbered from 0) or a table of names and numbers.
//
// Threads: any.

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/schema.h"

#include "src/base/document.h"

namespace mimi {

/// Every schema below `schema` in a text; other top-level members are not looked at.
/// Errors: InvalidArgument, "file:line:column: path: what" for each mistake on a line of its own.
absl::StatusOr<std::vector<StateSchema>> SchemasFromToml(std::string_view text,
                                                         std::string_view file);
absl::StatusOr<std::vector<StateSchema>> SchemasFromJson(std::string_view text,
                                                         std::string_view file);

}  // namespace mimi

#endif  // MIMI_SRC_STATE_SCHEMA_TEXT_H_
