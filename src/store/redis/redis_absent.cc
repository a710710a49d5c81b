// What stands for the Redis store in a library without it: a clear answer.
#include <utility>

#include "mimi/builtin/redis_store.h"

#include "src/base/status.h"

namespace mimi {
namespace {

absl::Status Absent() {
  return Error(absl::StatusCode::kUnimplemented, "this libmimi has no Redis store");
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> NewRedisStore(const RedisStoreOptions&, Loop&) {
  return Absent();
}

void ReadRedisStoreInfo(const RedisStoreOptions&, Loop& loop,
                        std::function<void(absl::StatusOr<StoreInfo>)> done) {
  loop.Post([done = std::move(done)] { done(Absent()); });
}

}  // namespace mimi
