#ifndef MIMI_SRC_STORE_REDIS_REDIS_LEASE_H_
#define MIMI_SRC_STORE_REDIS_REDIS_LEASE_H_

// The lease of a Redis store: a hash with owner, term and end, by the server's clock.
//
// Threads: the loop thread only. Lifetime: the core outlives it.

#include <memory>
#include <string>
#include <string_view>

#include "mimi/lease.h"

#include "src/store/redis/redis_core.h"

namespace mimi::internal {

class RedisLease final : public Lease {
 public:
  RedisLease(RedisCore& core, std::string_view name, Origin owner)
      : core_(core), name_(name), owner_(owner) {}

  void Acquire(Duration ttl, GrantCallback done) override { Ask("acquire", ttl, std::move(done)); }
  void Renew(Duration ttl, GrantCallback done) override { Ask("renew", ttl, std::move(done)); }
  void Release() override;

 private:
  void Ask(std::string_view verb, Duration ttl, GrantCallback done);

  RedisCore& core_;
  std::string name_;
  Origin owner_;
  std::shared_ptr<bool> token_ = std::make_shared<bool>();
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_LEASE_H_
