#include "src/store/redis/redis_lease.h"

#include <chrono>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

absl::StatusOr<LeaseGrant> ReadGrant(const std::string& name, RedisValue answer,
                                     MonotonicTime until) {
  const std::string_view word = answer[0].text();
  if (word == "granted") {
    return LeaseGrant{answer[1].number(), until};
  }
  if (word == "over") {
    return Error(absl::StatusCode::kAborted, "lease {}: has run out, acquire it again", name);
  }
  return Error(absl::StatusCode::kAborted, "lease {}: held by {} for {} ms yet", name,
               answer[1].text(), answer[2].text());
}

}  // namespace

void RedisLease::Ask(std::string_view verb, Duration ttl, GrantCallback done) {
  core_.WhenReady([this, weak = std::weak_ptr(token_), verb, ttl,
                   done = std::move(done)](const absl::Status& ready) {
    if (weak.expired()) {
      return;
    }
    if (!ready.ok()) {
      done(ready);
      return;
    }
    // From before the question; the server counts in milliseconds, so it may keep the lease longer.
    const MonotonicTime until = core_.loop().now() + ttl;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(ttl).count();
    core_.Ask(Script::kLease, {core_.keys().lease(name_)},
              {std::string(verb), HexId(owner_), std::to_string(ms)},
              [weak, name = name_, until, done](const absl::Status& status, RedisValue answer) {
                if (!weak.expired()) {
                  done(status.ok() ? ReadGrant(name, answer, until) : status);
                }
              });
  });
}

void RedisLease::Release() {
  core_.WhenReady([&core = core_, key = core_.keys().lease(name_),
                   owner = HexId(owner_)](const absl::Status& ready) {
    if (ready.ok()) {
      core.Ask(Script::kLease, {key}, {"release", owner, "0"},
               [](const absl::Status&, RedisValue) {});
    }
  });
}

}  // namespace mimi::internal
