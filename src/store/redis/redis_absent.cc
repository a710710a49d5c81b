// What stands for the Redis store in a build with MIMI_WITH_REDIS=OFF.
#include <utility>

#include "mimi/builtin/redis_store.h"

#include "src/base/status.h"

namespace mimi {
namespace {

absl::Status Absent() {
  return Error(absl::StatusCode::kUnimplemented,
               "this libmimi was built without Redis (MIMI_WITH_REDIS=OFF)");
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
