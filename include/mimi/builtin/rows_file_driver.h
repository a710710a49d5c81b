#ifndef MIMI_BUILTIN_ROWS_FILE_DRIVER_H_
#define MIMI_BUILTIN_ROWS_FILE_DRIVER_H_

/// \file
/// A driver whose source is a file of rows: for state that people or other tools write down.
///
/// Static translations, pinned flows, an inventory that a script exports: what does not change by
/// itself needs no protocol. The file holds one row per line as JSON (json.h); empty lines and
/// lines that begin with `#` mean nothing.
///
///     {"client_ip":"198.51.100.7","client_port":40000,"backend_ip":"10.0.0.5"}
///
///     auto driver = NewRowsFileDriver({.path = "/etc/mimi/pinned.jsonl", .schema = schema}, loop);
///     …                                   // somebody edits the file
///     (*driver)->Reload();                // what is new or changed is put, what is gone is erased
///
/// The file is read whole, by Start() and Reload(), in one go: a million lines take seconds, during
/// which the loop stands still. Replace it by rename, so that no half of it is ever read.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives the driver.

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/loop.h"
#include "mimi/schema.h"

namespace mimi {

struct RowsFileDriverOptions {
  std::string path;
  StateSchema schema;
  /// A longer file is refused.
  std::size_t max_size = std::size_t{64} << 20;
};

class RowsFileDriver : public Driver {
 public:
  /// Reads the file again. Errors: as Start(); then nothing has changed.
  virtual absl::Status Reload() = 0;
};

/// Start() and Reload() answer InvalidArgument for a line that is no row (file, line, column and
/// what was expected), Unavailable for a file that cannot be read.
/// Errors: InvalidArgument (no path).
absl::StatusOr<std::unique_ptr<RowsFileDriver>> NewRowsFileDriver(RowsFileDriverOptions options,
                                                                  Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_ROWS_FILE_DRIVER_H_
