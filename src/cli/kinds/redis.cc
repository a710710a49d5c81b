// [store] url = "redis://…", "rediss://…", "unix://…", "redis-sentinel://…", "redis-cluster://…".

#include "mimi/builtin/redis_store.h"

#include "src/base/status.h"
#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

Build<StateStore> ReadRedisStore(Section& section, ReadContext& context) {
  std::string url;
  section.Read("url", &url);
  absl::StatusOr<RedisStoreOptions> read = RedisStoreOptionsFromUrl(url);
  if (!read.ok()) {
    section.Refuse("url", Message(read.status()));
  }
  RedisStoreOptions options = read.ok() ? *std::move(read) : RedisStoreOptions();
  // Unless the URL names one.
  if (options.pair == RedisStoreOptions().pair && !context.pair.empty()) {
    options.pair = context.pair;
  }
  section.Read("create", &options.create);
  section.Read("max_rows", &options.max_rows, std::size_t{1});
  section.ReadSize("feed_size", &options.feed_bytes);
  section.Read("tombstone_age", &options.tombstone_age);
  section.Read("connect_timeout", &options.connect_timeout);
  section.Read("reply_timeout", &options.reply_timeout);
  return [options](BuildContext& build) {
    return MadeFrom(NewRedisStore(options, build.loop));
  };
}

}  // namespace mimi::cli
