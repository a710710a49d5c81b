// [primary.driver] kind = "rows_file".

#include "mimi/builtin/rows_file_driver.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

config::Build<Driver> ReadRowsFileDriver(config::Section& section, config::ReadContext& context) {
  RowsFileDriverOptions options{.path = {}, .schema = context.ReadTable(section)};
  section.Require("path", "the file of rows");
  section.Read("path", &options.path);
  section.ReadSize("max_size", &options.max_size);
  options.path = context.Path(options.path);
  return [options](config::BuildContext& build) -> absl::StatusOr<config::Made<Driver>> {
    absl::StatusOr<std::unique_ptr<RowsFileDriver>> driver = NewRowsFileDriver(options, build.loop);
    if (!driver.ok()) {
      return driver.status();
    }
    RowsFileDriver& made = **driver;
    config::Made<Driver> answer(*std::move(driver));
    answer.reload = [&made] {
      return made.Reload();
    };
    return answer;
  };
}

}  // namespace mimi::cli
