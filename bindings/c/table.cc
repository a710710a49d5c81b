// Tables: mimi/table.h.

#include "bindings/c/table.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

absl::Status WrongSize(const mimi::StateSchema& schema, size_t key_size, size_t row_size) {
  return mimi::Error(absl::StatusCode::kInvalidArgument,
                     "{}: key and row have {} and {} bytes, expected {} and {}", schema.name(),
                     key_size, row_size, schema.key_size(), schema.row_size());
}

bool Fits(const mimi::StateSchema& schema, size_t key_size, size_t row_size) {
  return key_size == schema.key_size() && row_size == schema.row_size();
}

std::function<absl::Status()> Told(mimi_table* table, const mimi_table_options& options,
                                   int32_t active) {
  if (options.on_active == nullptr) {
    return nullptr;
  }
  return [table, told = options.on_active, context = options.context, active] {
    Scope scope(*table);
    told(context, active);
    return absl::OkStatus();
  };
}

}  // namespace

mimi_status mimi_table_new(mimi_loop* loop, const mimi_schema* schema,
                           const mimi_table_options* options, mimi_table** table,
                           mimi_error* error) {
  return Call(error, {{loop, "loop"}, {schema, "schema"}, {table, "table"}}, [&] {
    mimi_table_options taken;
    MIMI_C_RETURN_IF_ERROR(Take(options, &taken, "mimi_table_options"));
    // An engine's replica has decided about versions before.
    mimi::TableOptions own{.order = mimi::TableOrder::kArrival};
    own.max_rows = taken.max_rows == 0 ? own.max_rows : taken.max_rows;
    auto handle = std::make_unique<mimi_table>(loop);
    handle->table = std::make_unique<mimi::Table>(schema->schema, own);
    handle->minion = mimi::NewTableMinion(*handle->table, *loop->loop,
                                          {.on_warm = nullptr,
                                           .on_activate = Told(handle.get(), taken, 1),
                                           .on_retire = Told(handle.get(), taken, 0)});
    *table = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_table_close(mimi_table* table, mimi_error* error) {
  return Close(table, error);
}

mimi_status mimi_table_lookup(const mimi_table* table, const void* key, size_t key_size, void* row,
                              size_t row_size, mimi_error* error) {
  if (table == nullptr || key == nullptr || row == nullptr) [[unlikely]] {
    return Report(CheckNeeded({{table, "table"}, {key, "key"}, {row, "row"}}), error);
  }
  if (!Fits(table->table->schema(), key_size, row_size)) [[unlikely]] {
    return Report(WrongSize(table->table->schema(), key_size, row_size), error);
  }
  return table->table->Lookup(SpanOf(key, key_size), SpanOf(row, row_size))
             ? MIMI_OK
             : Report(MIMI_NOT_FOUND, "no row has this key", error);
}

mimi_status mimi_table_lookup_many(const mimi_table* table, const void* keys, size_t key_size,
                                   void* rows, size_t row_size, uint8_t* found, size_t count,
                                   mimi_error* error) {
  return Call(error, {{table, "table"}, {keys, "keys"}, {rows, "rows"}, {found, "found"}}, [&] {
    if (!Fits(table->table->schema(), key_size, row_size)) {
      return WrongSize(table->table->schema(), key_size, row_size);
    }
    // The library's slices are of 16: enough for misses to overlap.
    for (size_t at = 0; at < count; at += 16) {
      bool here[16];
      const size_t n = std::min<size_t>(16, count - at);
      table->table->LookupMany(SpanOf(keys, count * key_size).subspan(at * key_size, n * key_size),
                               SpanOf(rows, count * row_size).subspan(at * row_size, n * row_size),
                               {here, n});
      std::copy_n(here, n, found + at);
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_table_size(const mimi_table* table, uint64_t* rows, mimi_error* error) {
  return Call(error, {{table, "table"}, {rows, "rows"}}, [&] {
    *rows = table->table->size();
    return absl::OkStatus();
  });
}
