// [minion] kind = "table".

#include "mimi/table.h"

#include "mimi/builtin/table_minion.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

config::Build<Minion> ReadTableMinion(config::Section& section, config::ReadContext& context) {
  const StateSchema schema = context.ReadTable(section);
  TableOptions options{.order = TableOrder::kArrival};
  section.Read("max_rows", &options.max_rows, std::size_t{1});
  return [schema, options](config::BuildContext& build) -> absl::StatusOr<config::Made<Minion>> {
    const auto table = std::make_shared<Table>(schema, options);
    config::Made<Minion> made(NewTableMinion(*table, build.loop));
    made.base = table;
    return made;
  };
}

}  // namespace mimi::cli
