#ifndef MIMI_SRC_STORE_REDIS_REDIS_LOADER_H_
#define MIMI_SRC_STORE_REDIS_REDIS_LOADER_H_

// RedisLoader: the tables out of the server, bucket by bucket, while their keeper may go on
// writing.
//
// What is read is at least as new as the position that the pair's hash had at the beginning; the
// feed from there brings the rest. If meanwhile another keeper replaced the generation, or the feed
// was trimmed past that position, the load begins anew.
//
// Threads: the loop thread only. Lifetime: link, keys, loop outlive it; it ends when the link goes
// down.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mimi/loop.h"

#include "src/store/redis/redis_layout.h"
#include "src/store/redis/redis_link.h"
#include "src/store/redis/redis_tables.h"

namespace mimi::internal {

class RedisLoader {
 public:
  using Done = std::function<void(std::unique_ptr<RedisTables>, const RedisFacts&)>;

  /// `empty` makes tables to fill. `done`: the tables, and the facts whose position they have;
  /// `head` is the newest known.
  RedisLoader(RedisLink& link, const RedisKeys& keys, Loop& loop, const RedisFacts& facts,
              std::function<std::unique_ptr<RedisTables>()> empty, Done done);

  void Start();

 private:
  struct Part {
    std::string table;
    TableId id = 0;
    RowBlobKind kind = RowBlobKind::kRows;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
  };

  void OnSchemas(RedisValue schemas);
  void OnTables(RedisValue tables);
  void ReadMore();
  void OnBlobs(const Part& part, RedisValue blobs);
  void Finish(RedisValue values);

  RedisLink& link_;
  const RedisKeys& keys_;
  Loop& loop_;
  RedisFacts facts_;
  std::function<std::unique_ptr<RedisTables>()> empty_;
  std::unique_ptr<RedisTables> tables_;
  Done done_;
  std::vector<Part> parts_;
  std::size_t part_ = 0;
  std::size_t in_flight_ = 0;
};

/// Opens what HGETALL of the schemas says. Errors: as StateSchema::Parse.
absl::Status OpenSchemas(RedisValue schemas, RedisTables* tables);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_LOADER_H_
