#ifndef MIMI_BINDINGS_C_TABLE_H_
#define MIMI_BINDINGS_C_TABLE_H_

// What a table's handle holds: the table, and the minion through which an engine fills it.

#include <memory>

#include "mimi/builtin/table_minion.h"
#include "mimi/table.h"

#include "bindings/c/handles.h"

struct mimi_table : mimi::c::Object {
  explicit mimi_table(mimi_loop* its_loop) : Object("table", its_loop) { Use(its_loop); }
  std::unique_ptr<mimi::Table> table;
  std::unique_ptr<mimi::Minion> minion;
};

#endif  // MIMI_BINDINGS_C_TABLE_H_
