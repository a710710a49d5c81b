// Stores and cursors: mimi/store.h. The ones that a caller implements are in custom_store.cc.

#include "mimi/store.h"

#include "mimi/builtin/file_store.h"
#include "mimi/builtin/memory_store.h"

#include "bindings/c/handles.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_cursor : Object {
  explicit mimi_cursor(mimi_store* of) : Object("cursor", of->on) { Use(of); }
  std::unique_ptr<mimi::Cursor> cursor;
  mimi_batch current;
};

namespace {

/// An option left at zero keeps its default.
template <class To>
void SetIf(std::uint64_t from, To* to) {
  if (from != 0) {
    *to = static_cast<To>(from);
  }
}
void SetIf(std::int64_t ns, mimi::Duration* to) {
  if (ns != 0) {
    *to = mimi::Duration(ns);
  }
}

/// Hands a new store out, or the reason why there is none.
absl::Status GiveStore(mimi_loop* loop, absl::StatusOr<std::unique_ptr<mimi::StateStore>> made,
                       mimi_store** store) {
  MIMI_C_RETURN_IF_ERROR(made.status());
  auto handle = std::make_unique<mimi_store>(loop);
  handle->store = *std::move(made);
  *store = handle.release();
  return absl::OkStatus();
}

using OpenCursor = absl::StatusOr<std::unique_ptr<mimi::Cursor>>;

template <class Open>
absl::Status GiveCursor(mimi_store* store, void (*wake)(void*), void* context, mimi_cursor** cursor,
                        Open open) {
  auto handle = std::make_unique<mimi_cursor>(store);
  mimi_cursor* raw = handle.get();
  OpenCursor made = open([=] {
    if (wake != nullptr) {
      Scope scope(*raw);
      wake(context);
    }
  });
  MIMI_C_RETURN_IF_ERROR(made.status());
  handle->cursor = *std::move(made);
  *cursor = handle.release();
  return absl::OkStatus();
}

}  // namespace

mimi_status mimi_store_new_memory(mimi_loop* loop, const mimi_memory_store_options* options,
                                  mimi_store** store, mimi_error* error) {
  return Call(error, {{loop, "loop"}, {store, "store"}}, [&] {
    mimi_memory_store_options taken;
    mimi::MemoryStoreOptions memory;
    MIMI_C_RETURN_IF_ERROR(Take(options, &taken, "mimi_memory_store_options"));
    SetIf(taken.max_rows, &memory.max_rows);
    SetIf(taken.feed_bytes, &memory.feed_bytes);
    SetIf(taken.tombstone_age, &memory.tombstone_age);
    return GiveStore(loop, mimi::NewMemoryStore(memory, *loop->loop), store);
  });
}

mimi_status mimi_store_new_file(mimi_loop* loop, const char* path,
                                const mimi_file_store_options* options, mimi_store** store,
                                mimi_error* error) {
  return Call(error, {{loop, "loop"}, {path, "path"}, {store, "store"}}, [&] {
    mimi_file_store_options taken;
    mimi::FileStoreOptions file;
    MIMI_C_RETURN_IF_ERROR(Take(options, &taken, "mimi_file_store_options"));
    MIMI_C_RETURN_IF_ERROR(TakeEnum(taken.fsync, 3, "mimi_file_store_options.fsync", &file.fsync));
    file.path = path;
    file.create = taken.must_exist == 0;
    SetIf(taken.max_rows, &file.max_rows);
    SetIf(taken.feed_bytes, &file.feed_bytes);
    SetIf(taken.tombstone_age, &file.tombstone_age);
    SetIf(taken.fsync_interval, &file.fsync_interval);
    return GiveStore(loop, mimi::NewFileStore(file, *loop->loop), store);
  });
}

mimi_status mimi_store_close(mimi_store* store, mimi_error* error) {
  return Close(store, error);
}

mimi_status mimi_store_open(mimi_store* store, const mimi_schema* schema, mimi_done_fn done,
                            void* context, mimi_error* error) {
  return Call(error, {{store, "store"}, {schema, "schema"}, {done, "done"}}, [&] {
    store->store->Open(schema->schema, Done(*store, done, context));
    return absl::OkStatus();
  });
}

mimi_status mimi_store_get_schema(mimi_store* store, uint64_t table, mimi_schema** schema,
                                  mimi_error* error) {
  return Call(error, {{store, "store"}, {schema, "schema"}}, [&]() -> absl::Status {
    std::optional<mimi::StateSchema> known = store->store->schema(table);
    if (!known.has_value()) {
      return mimi::Error(absl::StatusCode::kNotFound, "table {:#x} is not open", table);
    }
    *schema = new mimi_schema{*std::move(known)};
    return absl::OkStatus();
  });
}

mimi_status mimi_store_claim(mimi_store* store, const mimi_claim_request* request,
                             mimi_claim_fn done, void* context, mimi_error* error) {
  return Call(error, {{store, "store"}, {request, "request"}, {done, "done"}}, [&] {
    mimi_claim_request asked;
    mimi::ClaimRequest claim;
    MIMI_C_RETURN_IF_ERROR(Take(request, &asked, "mimi_claim_request"));
    MIMI_C_RETURN_IF_ERROR(TakeEnum(asked.mode, 3, "mimi_claim_request.mode", &claim.mode));
    claim.origin = asked.origin;
    claim.floor = asked.floor;
    if (asked.use_expected != 0) {
      claim.expected = asked.expected;
    }
    store->store->Claim(claim, [=](const absl::StatusOr<mimi::Claimed>& claimed) {
      Scope scope(*store);
      const mimi::Claimed got = claimed.ok() ? *claimed : mimi::Claimed{};
      done(context, CodeOf(claimed.status()), std::string(mimi::Message(claimed.status())).c_str(),
           got.term, got.head);
    });
    return absl::OkStatus();
  });
}

mimi_status mimi_store_apply(mimi_store* store, const mimi_batch* batch, uint64_t* position,
                             mimi_error* error) {
  return Call(error, {{store, "store"}, {batch, "batch"}, {position, "position"}},
              [&] { return Give(store->store->Apply(batch->view), position); });
}

mimi_status mimi_store_confirmed(mimi_store* store, uint64_t* position, mimi_error* error) {
  return Call(error, {{store, "store"}, {position, "position"}}, [&] {
    *position = store->store->confirmed();
    return absl::OkStatus();
  });
}

mimi_status mimi_store_lookup(mimi_store* store, uint64_t table, const void* key, size_t key_size,
                              mimi_lookup_fn done, void* context, mimi_error* error) {
  return Call(error, {{store, "store"}, {key, "key"}, {done, "done"}}, [&] {
    store->store->Lookup(
        table, SpanOf(key, key_size), [=](const absl::StatusOr<mimi::StateStore::Found>& found) {
          Scope scope(*store);
          mimi_record record = {};
          if (found.ok()) {
            record = RecordOf({mimi::Op::kPut, found->row, found->row.first(key_size),
                               found->origin, found->version});
          }
          done(context, CodeOf(found.status()), std::string(mimi::Message(found.status())).c_str(),
               found.ok() ? &record : nullptr);
        });
    return absl::OkStatus();
  });
}

mimi_status mimi_store_snapshot(mimi_store* store, uint64_t table, void (*wake)(void*),
                                void* context, mimi_cursor** cursor, mimi_error* error) {
  return Call(error, {{store, "store"}, {cursor, "cursor"}}, [&] {
    return GiveCursor(store, wake, context, cursor, [&](std::function<void()> woken) {
      return store->store->Snapshot(table, std::move(woken));
    });
  });
}

mimi_status mimi_store_watch(mimi_store* store, uint64_t incarnation, uint64_t position,
                             void (*wake)(void*), void* context, mimi_cursor** cursor,
                             mimi_error* error) {
  return Call(error, {{store, "store"}, {cursor, "cursor"}}, [&] {
    return GiveCursor(store, wake, context, cursor, [&](std::function<void()> woken) {
      return store->store->Watch({incarnation, position}, std::move(woken));
    });
  });
}

mimi_status mimi_cursor_next(mimi_cursor* cursor, const mimi_batch** batch, mimi_error* error) {
  return Call(error, {{cursor, "cursor"}, {batch, "batch"}}, [&] {
    absl::StatusOr<std::optional<mimi::BatchView>> next = cursor->cursor->Next();
    MIMI_C_RETURN_IF_ERROR(next.status());
    *batch = nullptr;
    if (next->has_value()) {
      cursor->current.view = **next;
      *batch = &cursor->current;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_cursor_position(mimi_cursor* cursor, uint64_t* position, int32_t* done,
                                 mimi_error* error) {
  return Call(error, {{cursor, "cursor"}, {position, "position"}}, [&] {
    *position = cursor->cursor->position();
    if (done != nullptr) {
      *done = cursor->cursor->done() ? 1 : 0;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_cursor_close(mimi_cursor* cursor, mimi_error* error) {
  return Close(cursor, error);
}

mimi_status mimi_store_get_state(mimi_store* store, mimi_store_state* state, mimi_error* error) {
  return Call(error, {{store, "store"}, {state, "state"}}, [&] {
    return GiveStruct(StateOf(store->store->state()), state, "mimi_store_state");
  });
}
