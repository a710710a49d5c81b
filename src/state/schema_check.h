#ifndef MIMI_SRC_STATE_SCHEMA_CHECK_H_
#define MIMI_SRC_STATE_SCHEMA_CHECK_H_

// What makes a list of fields a schema: shared by the Builder and by the readers of definitions,
// which know at which place of their text each field stands.
//
// Threads: any.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mimi/schema.h"

namespace mimi::internal {

struct SchemaMistake {
  std::optional<std::size_t> field;  ///< its index; nullopt: of the schema as a whole
  std::string what;
};

/// Every mistake. Sets each field's size, offset and default; after a mistake the fields are of no
/// use.
std::vector<SchemaMistake> CheckSchema(std::string_view name, std::vector<Field>* fields);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STATE_SCHEMA_CHECK_H_
