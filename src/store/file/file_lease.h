#ifndef MIMI_SRC_STORE_FILE_FILE_LEASE_H_
#define MIMI_SRC_STORE_FILE_FILE_LEASE_H_

// FileLease: a lease as frames in the feed. Its time is CLOCK_MONOTONIC, which all processes of a
// host share; a boot frames it (pair_state.h).
//
// Threads: the loop thread only. Lifetime: the core outlives it.

#include <memory>
#include <string>

#include "mimi/lease.h"

#include "src/store/file/file_store_core.h"

namespace mimi::internal {

class FileLease final : public Lease {
 public:
  FileLease(FileStoreCore& core, std::string_view name, Origin owner)
      : core_(core), name_(name), owner_(owner) {}

  void Acquire(Duration ttl, GrantCallback done) override { Ask(ttl, false, std::move(done)); }
  void Renew(Duration ttl, GrantCallback done) override { Ask(ttl, true, std::move(done)); }
  void Release() override;

 private:
  void Ask(Duration ttl, bool renew, GrantCallback done);

  FileStoreCore& core_;
  std::string name_;
  Origin owner_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FILE_LEASE_H_
