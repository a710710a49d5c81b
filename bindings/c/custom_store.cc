// Stores in C: an ops struct as a mimi::StateStore.

#include <algorithm>
#include <map>

#include "mimi/lease.h"
#include "mimi/store.h"

#include "bindings/c/backends.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace mimi::c {
namespace {

using Wake = std::function<void()>;

class CStore;

class CCursor final : public Cursor {
 public:
  CCursor(CStore& store, void* cursor, Position position, Wake wake)
      : store_(store), cursor_(cursor), position_(position), wake_(std::move(wake)) {}
  ~CCursor() override;

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return done_; }

 private:
  friend class CStore;

  CStore& store_;
  void* cursor_;
  Position position_;
  Wake wake_;
  bool done_ = false;
  bool waits_ = false;  ///< Next() had nothing
  bool due_ = false;    ///< being woken
};

class CStore final : public StateStore {
 public:
  CStore(mimi_store& handle, const mimi_store_ops& ops) : handle_(handle), ops_(ops) {}

  void Open(const StateSchema& schema, StatusCallback done) override {
    Scope scope(handle_);
    const mimi_schema shown{schema};
    ops_->open(ops_->self, &shown,
               Expect(StatusCallback([this, schema, done = std::move(done)](absl::Status status) {
                 if (status.ok()) {
                   Keep(schema);
                 }
                 done(std::move(status));
               })));
  }

  void Claim(const ClaimRequest& request, ClaimCallback done) override {
    Scope scope(handle_);
    mimi_claim_request asked = MIMI_INIT(mimi_claim_request);
    asked.origin = request.origin;
    asked.floor = request.floor;
    asked.expected = request.expected.value_or(0);
    asked.use_expected = request.expected.has_value() ? 1 : 0;
    asked.mode = static_cast<int32_t>(request.mode);
    ops_->claim(ops_->self, &asked, Expect(std::move(done)));
  }

  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    Scope scope(handle_);
    const mimi_batch shown{batch, {}};
    mimi_error error = {};
    Position position = 0;
    MIMI_C_RETURN_IF_ERROR(
        FromC(ops_->apply(ops_->self, &shown, &position, &error), error, "apply failed"));
    return position;
  }
  Position confirmed() const override { return confirmed_; }

  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from, Wake wake) override {
    Scope scope(handle_);
    void* cursor = nullptr;
    mimi_error error = {};
    MIMI_C_RETURN_IF_ERROR(
        FromC(ops_->watch(ops_->self, from.incarnation, from.position, &cursor, &error), error,
              "watch failed"));
    return NewCursor(cursor, from.position, std::move(wake));
  }

  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table, Wake wake) override {
    Scope scope(handle_);
    void* cursor = nullptr;
    Position position = 0;
    mimi_error error = {};
    MIMI_C_RETURN_IF_ERROR(FromC(ops_->snapshot(ops_->self, table, &cursor, &position, &error),
                                 error, "snapshot failed"));
    return NewCursor(cursor, position, std::move(wake));
  }

  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    Scope scope(handle_);
    ops_->lookup(ops_->self, table, key.data(), key.size(), Expect(std::move(done)));
  }

  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override;

  StoreState state() const override { return state_; }
  void set_state(StoreState state) { state_ = std::move(state); }

  std::optional<StateSchema> schema(TableId table) const override {
    auto found = schemas_.find(table);
    return found == schemas_.end() ? std::nullopt : std::optional(found->second);
  }

  absl::Status Confirm(Position position) {
    if (position < confirmed_) {
      return Error(absl::StatusCode::kInvalidArgument, "position {} is behind {}", position,
                   confirmed_);
    }
    confirmed_ = position;
    return absl::OkStatus();
  }

  /// From the loop, each only if it is still there and still waits.
  void WakeCursors() {
    handle_.on->loop->Post([alive = std::weak_ptr(alive_)] {
      const auto cursors = alive.lock();
      if (cursors == nullptr) {
        return;
      }
      // One at a time: a wake may close any cursor, and have others opened.
      for (CCursor* cursor : *cursors) {
        cursor->due_ = cursor->waits_;
      }
      const auto due = [](const CCursor* cursor) {
        return cursor->due_;
      };
      for (auto next = std::ranges::find_if(*cursors, due); next != cursors->end();
           next = std::ranges::find_if(*cursors, due)) {
        (*next)->due_ = false;
        (*next)->waits_ = false;
        const Wake wake = (*next)->wake_;
        wake();
      }
    });
  }

 private:
  friend class CCursor;
  friend class CLease;

  template <class Callback>
  mimi_answer Expect(Callback done) {
    return handle_.on->answers.Expect(handle_, Waiting(std::move(done)));
  }

  void Keep(const StateSchema& schema) {
    auto [found, added] = schemas_.try_emplace(schema.table(), schema);
    if (!added && found->second.row_size() < schema.row_size()) {
      found->second = schema;
    }
  }

  std::unique_ptr<Cursor> NewCursor(void* cursor, Position position, Wake wake) {
    auto made = std::make_unique<CCursor>(*this, cursor, position, std::move(wake));
    alive_->push_back(made.get());
    return made;
  }

  mimi_store& handle_;
  Ops<mimi_store_ops> ops_;
  std::map<TableId, StateSchema> schemas_;
  std::shared_ptr<std::vector<CCursor*>> alive_ = std::make_shared<std::vector<CCursor*>>();
  Position confirmed_ = 0;
  StoreState state_;
};

CCursor::~CCursor() {
  std::erase(*store_.alive_, this);
  Scope scope(store_.handle_);
  store_.ops_->cursor_close(store_.ops_->self, cursor_);
}

absl::StatusOr<std::optional<BatchView>> CCursor::Next() {
  Scope scope(store_.handle_);
  mimi_cursor_item item = MIMI_INIT(mimi_cursor_item);
  item.position = position_;
  mimi_error error = {};
  waits_ = true;  // before the call: what comes during it wakes as well
  MIMI_C_RETURN_IF_ERROR(FromC(store_.ops_->cursor_next(store_.ops_->self, cursor_, &item, &error),
                               error, "cursor_next failed"));
  position_ = item.position;
  done_ = item.done != 0;
  if (item.bytes == nullptr) {
    return std::nullopt;
  }
  waits_ = false;
  absl::StatusOr<BatchView> batch = BatchView::Parse(SpanOf(item.bytes, item.byte_count));
  MIMI_C_RETURN_IF_ERROR(batch.status());
  return *batch;
}

class CLease final : public Lease {
 public:
  CLease(CStore& store, std::string_view name, Origin owner)
      : store_(store), name_(name), owner_(owner) {}

  void Acquire(Duration ttl, GrantCallback done) override {
    Ask(store_.ops_->lease_acquire, ttl, std::move(done));
  }
  void Renew(Duration ttl, GrantCallback done) override {
    Ask(store_.ops_->lease_renew, ttl, std::move(done));
  }
  void Release() override {
    if (store_.ops_->lease_release != nullptr) {
      Scope scope(store_.handle_);
      store_.ops_->lease_release(store_.ops_->self, name_.c_str(), owner_);
    }
  }

 private:
  using Function = void (*)(void*, const char*, uint64_t, int64_t, mimi_answer);

  void Ask(Function what, Duration ttl, GrantCallback done) {
    const mimi_answer answer = store_.Expect(std::move(done));
    if (what == nullptr) {
      store_.handle_.on->answers
          .GiveStatus(answer, Error(absl::StatusCode::kUnimplemented, "this store has no leases"))
          .IgnoreError();
      return;
    }
    Scope scope(store_.handle_);
    what(store_.ops_->self, name_.c_str(), owner_, ttl.count(), answer);
  }

  CStore& store_;
  std::string name_;
  Origin owner_;
};

std::unique_ptr<Lease> CStore::NewLease(std::string_view name, Origin owner) {
  return std::make_unique<CLease>(*this, name, owner);
}

absl::Status CheckOps(const mimi_store_ops& ops) {
  MIMI_C_RETURN_IF_ERROR(CheckNeeded({{ops.open, "mimi_store_ops.open"},
                                      {ops.claim, "mimi_store_ops.claim"},
                                      {ops.apply, "mimi_store_ops.apply"},
                                      {ops.lookup, "mimi_store_ops.lookup"},
                                      {ops.snapshot, "mimi_store_ops.snapshot"},
                                      {ops.watch, "mimi_store_ops.watch"},
                                      {ops.cursor_next, "mimi_store_ops.cursor_next"},
                                      {ops.cursor_close, "mimi_store_ops.cursor_close"}}));
  if (ops.lease_acquire == nullptr && ops.lease_renew == nullptr && ops.lease_release == nullptr) {
    return absl::OkStatus();
  }
  return CheckNeeded({{ops.lease_acquire, "mimi_store_ops.lease_acquire"},
                      {ops.lease_renew, "mimi_store_ops.lease_renew"},
                      {ops.lease_release, "mimi_store_ops.lease_release"}});
}

absl::StatusOr<CStore*> Custom(mimi_store* store) {
  if (!store->custom) {
    return Error(absl::StatusCode::kFailedPrecondition, "this store is not one of the caller's");
  }
  return static_cast<CStore*>(store->store.get());
}

}  // namespace
}  // namespace mimi::c

mimi_store::~mimi_store() {
  on->answers.Drop(*this);
}

mimi_status mimi_store_new(mimi_loop* loop, const mimi_store_ops* ops, mimi_store** store,
                           mimi_error* error) {
  return Call(error, {{loop, "loop"}, {ops, "ops"}, {store, "store"}}, [&] {
    mimi_store_ops taken;
    MIMI_C_RETURN_IF_ERROR(Take(ops, &taken, "mimi_store_ops"));
    MIMI_C_RETURN_IF_ERROR(CheckOps(taken));
    auto handle = std::make_unique<mimi_store>(loop);
    handle->store = std::make_unique<CStore>(*handle, taken);
    handle->custom = true;
    *store = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_store_confirm(mimi_store* store, uint64_t position, mimi_error* error) {
  return Call(error, {{store, "store"}}, [&] {
    auto custom = Custom(store);
    MIMI_C_RETURN_IF_ERROR(custom.status());
    return (*custom)->Confirm(position);
  });
}

mimi_status mimi_store_wake(mimi_store* store, mimi_error* error) {
  return Call(error, {{store, "store"}}, [&] {
    auto custom = Custom(store);
    MIMI_C_RETURN_IF_ERROR(custom.status());
    (*custom)->WakeCursors();
    return absl::OkStatus();
  });
}

mimi_status mimi_store_set_state(mimi_store* store, const mimi_store_state* state,
                                 mimi_error* error) {
  return Call(error, {{store, "store"}, {state, "state"}}, [&] {
    auto custom = Custom(store);
    MIMI_C_RETURN_IF_ERROR(custom.status());
    mimi_store_state told;
    mimi::StoreState out;
    MIMI_C_RETURN_IF_ERROR(Take(state, &told, "mimi_store_state"));
    MIMI_C_RETURN_IF_ERROR(TakeEnum(told.mode, 3, "mimi_store_state.mode", &out.mode));
    out.available = told.available != 0;
    out.reason = TextOf(told.reason);
    out.incarnation = told.incarnation;
    out.head = told.head;
    out.trimmed = told.trimmed;
    out.term = told.term;
    out.claimant = told.claimant;
    out.rows = told.rows;
    out.tombstones = told.tombstones;
    out.feed_bytes = told.feed_bytes;
    out.memory_bytes = told.memory_bytes;
    out.table_full = told.table_full;
    out.fenced = told.fenced;
    out.stale = told.stale;
    out.rows_missing = told.rows_missing;
    out.missing_fit = told.missing_fit;
    (*custom)->set_state(std::move(out));
    return absl::OkStatus();
  });
}
