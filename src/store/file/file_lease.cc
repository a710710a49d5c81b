#include "src/store/file/file_lease.h"

#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

// nullopt: not now.
std::optional<absl::StatusOr<LeaseGrant>> TryTake(FileStoreCore& core, const std::string& name,
                                                  Origin owner, Duration ttl, bool renew) {
  if (core.broken()) {
    return core.status();
  }
  FileStoreCore::Exclusive exclusive(core);
  if (!exclusive.held()) {
    return std::nullopt;
  }
  const MonotonicTime now = core.loop().now();
  const absl::StatusOr<LeaseEntry> lease = core.pair().ProposeLease(name, owner, ttl, renew, now);
  if (!lease.ok()) {
    return lease.status();
  }
  if (absl::Status status = core.AppendSmall(exclusive, FrameType::kLease, EncodeLease(*lease));
      !status.ok()) {
    return status;
  }
  return LeaseGrant{lease->term, now + ttl};
}

}  // namespace

void FileLease::Ask(Duration ttl, bool renew, GrantCallback done) {
  if (name_.size() > kMaxLeaseName || ttl <= Duration::zero()) {
    core_.Enqueue([done = std::move(done), size = name_.size()] {
      done(Error(
          absl::StatusCode::kInvalidArgument,
          "a lease's name has at most {} bytes (this one has {}), and its time is more than 0",
          kMaxLeaseName, size));
      return true;
    });
    return;
  }
  core_.Enqueue([&core = core_, name = name_, owner = owner_, ttl, renew, done = std::move(done)] {
    const auto grant = TryTake(core, name, owner, ttl, renew);
    if (!grant.has_value()) {
      return false;
    }
    done(*grant);
    return true;
  });
}

void FileLease::Release() {
  core_.Enqueue([&core = core_, name = name_, owner = owner_] {
    if (core.broken()) {
      return true;
    }
    FileStoreCore::Exclusive exclusive(core);
    if (!exclusive.held()) {
      return false;
    }
    if (const auto lease = core.pair().ProposeRelease(name, owner, core.loop().now());
        lease.has_value()) {
      // Best effort: where it fails, the lease runs out.
      (void)core.AppendSmall(exclusive, FrameType::kLease, EncodeLease(*lease)).ok();
    }
    return true;
  });
}

}  // namespace mimi::internal
