// [store] url = "memory:" and "file:/path".

#include "mimi/builtin/file_store.h"
#include "mimi/builtin/memory_store.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::Choice;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

Build<StateStore> ReadMemoryStore(Section& section, ReadContext& /*context*/) {
  MemoryStoreOptions options;
  std::string url;
  section.Read("url", &url);
  if (url != "memory:") {
    section.Refuse("url", "expected \"memory:\" and nothing more: this store has no place");
  }
  section.Read("max_rows", &options.max_rows, std::size_t{1});
  section.Read("max_tombstones", &options.max_tombstones);
  section.Read("tombstone_age", &options.tombstone_age);
  section.ReadSize("feed_size", &options.feed_bytes);
  return [options](BuildContext& build) {
    return MadeFrom(NewMemoryStore(options, build.loop));
  };
}

Build<StateStore> ReadFileStore(Section& section, ReadContext& context) {
  FileStoreOptions options;
  std::string url;
  section.Read("url", &url);
  options.path = context.Path(url.substr(std::string_view("file:").size()));
  if (options.path.starts_with("//")) {  // file:///path, as browsers write it
    options.path.erase(0, 2);
  }
  if (options.path.empty()) {
    section.Refuse("url", "expected a path: \"file:/var/lib/mimi/edge1\"");
  }
  using Fsync = FileStoreOptions::Fsync;
  constexpr Choice<Fsync> kFsync[] = {{"never", Fsync::kNever},
                                      {"interval", Fsync::kInterval},
                                      {"every_batch", Fsync::kEveryBatch}};
  section.Read("create", &options.create);
  section.Read("fsync", &options.fsync, std::span<const Choice<Fsync>>(kFsync));
  section.Read("fsync_interval", &options.fsync_interval);
  section.Read("max_rows", &options.max_rows, std::size_t{1});
  section.ReadSize("feed_size", &options.feed_bytes);
  section.Read("tombstone_age", &options.tombstone_age);
  return [options](BuildContext& build) {
    return MadeFrom(NewFileStore(options, build.loop));
  };
}

}  // namespace mimi::cli
