// Leases for callers: mimi/lease.h. Those of a store that a caller implements are in
// custom_store.cc.

#include "mimi/lease.h"

#include "bindings/c/handles.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_lease : Object {
  explicit mimi_lease(mimi_store* of) : Object("lease", of->on) { Use(of); }
  std::unique_ptr<mimi::Lease> lease;
  /// An answer may come when the handle is gone.
  std::shared_ptr<mimi_lease*> alive = std::make_shared<mimi_lease*>(this);
};

namespace {

mimi::Lease::GrantCallback Granted(mimi_lease* lease, mimi_lease_fn done, void* context) {
  return [alive = std::weak_ptr(lease->alive), done,
          context](const absl::StatusOr<mimi::LeaseGrant>& grant) {
    const auto handle = alive.lock();
    if (handle == nullptr) {
      return;
    }
    Scope scope(**handle);
    const mimi::LeaseGrant got = grant.ok() ? *grant : mimi::LeaseGrant{};
    done(context, CodeOf(grant.status()), std::string(mimi::Message(grant.status())).c_str(),
         got.term, NsOf(got.valid_until));
  };
}

absl::Status CheckTtl(int64_t ttl) {
  return ttl > 0 ? absl::OkStatus()
                 : mimi::Error(absl::StatusCode::kInvalidArgument,
                               "ttl is {} ns, expected more than 0", ttl);
}

}  // namespace

mimi_status mimi_lease_new(mimi_store* store, const char* name, uint64_t owner, mimi_lease** lease,
                           mimi_error* error) {
  return Call(error, {{store, "store"}, {name, "name"}, {lease, "lease"}}, [&] {
    auto handle = std::make_unique<mimi_lease>(store);
    handle->lease = store->store->NewLease(name, owner);
    *lease = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_lease_acquire(mimi_lease* lease, int64_t ttl, mimi_lease_fn done, void* context,
                               mimi_error* error) {
  return Call(error, {{lease, "lease"}, {done, "done"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(CheckTtl(ttl));
    lease->lease->Acquire(mimi::Duration(ttl), Granted(lease, done, context));
    return absl::OkStatus();
  });
}

mimi_status mimi_lease_renew(mimi_lease* lease, int64_t ttl, mimi_lease_fn done, void* context,
                             mimi_error* error) {
  return Call(error, {{lease, "lease"}, {done, "done"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(CheckTtl(ttl));
    lease->lease->Renew(mimi::Duration(ttl), Granted(lease, done, context));
    return absl::OkStatus();
  });
}

mimi_status mimi_lease_release(mimi_lease* lease, mimi_error* error) {
  return Call(error, {{lease, "lease"}}, [&] {
    lease->lease->Release();
    return absl::OkStatus();
  });
}

mimi_status mimi_lease_close(mimi_lease* lease, mimi_error* error) {
  return Close(lease, error);
}
