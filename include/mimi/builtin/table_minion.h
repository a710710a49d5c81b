#ifndef MIMI_BUILTIN_TABLE_MINION_H_
#define MIMI_BUILTIN_TABLE_MINION_H_

/// \file
/// A Table as a Minion: for VNFs that *are* the minion.
///
/// A software network function that does the box's job itself keeps no state in a kernel or switch:
/// its packet threads read a Table (table.h), and this makes the table the sink that an Engine
/// fills.
///
///     Table table(StateSchema::Of<LbFlow>(), {.order = TableOrder::kArrival});
///     auto minion = NewTableMinion(table, *loop, {.on_activate = [&] { … return absl::OkStatus(); }});
///     options.minion.minions = {minion.get()};
///     …                                   // packet threads: TypedTable<LbFlow>(table).Lookup(…)
///
/// The table has to be one of kArrival: the replica has weighed versions already, and puts back
/// what an audit found missing under the version that it had.
///
/// Rows are in the data plane as soon as Apply returns, so confirmed() follows at once. An audit
/// compares the table's own rows.
///
/// Threads: the loop thread only; the table's readers as table.h says.
/// Lifetime: the table and the loop outlive the minion. Nothing else may write to the table.

#include <functional>
#include <memory>

#include "mimi/loop.h"
#include "mimi/minion.h"
#include "mimi/table.h"

namespace mimi {

/// What the VNF wants to be told, each on the loop thread, before the answer to the engine. Empty:
/// nothing to do.
struct TableMinionOptions {
  /// State will come: be able to hold it without forwarding. An error is tried again later.
  std::function<absl::Status()> on_warm{};
  /// Traffic comes / has gone.
  std::function<absl::Status()> on_activate{};
  std::function<absl::Status()> on_retire{};
};

std::unique_ptr<Minion> NewTableMinion(Table& table, Loop& loop, TableMinionOptions options = {});

}  // namespace mimi

#endif  // MIMI_BUILTIN_TABLE_MINION_H_
