// What stands for the Redis store in a library without it: a clear answer.
#include "mimi/builtin/redis_store.h"

#include "src/base/status.h"

namespace mimi {

absl::StatusOr<std::unique_ptr<StateStore>> NewRedisStore(const RedisStoreOptions&, Loop&) {
  return Error(absl::StatusCode::kUnimplemented,
               "this libmimi was built without the Redis store (MIMI_WITH_REDIS)");
}

}  // namespace mimi
