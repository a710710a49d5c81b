#ifndef MIMI_SRC_STORE_REDIS_REDIS_FOLLOWER_H_
#define MIMI_SRC_STORE_REDIS_REDIS_FOLLOWER_H_

// RedisFollower: every batch of the feed behind the handle's position, in order, on a connection of
// its own that waits for it (XREAD BLOCK); and, four times a second at least, the pair's facts.
// While the handle writes it does not read what it wrote, until another's batch stands between.
//
// Threads: the loop thread only. Lifetime: the core outlives it.

#include <cstddef>
#include <memory>

#include "mimi/loop.h"
#include "mimi/record.h"

#include "src/io/redis_reply.h"

namespace mimi::internal {

class RedisCore;

class RedisFollower {
 public:
  explicit RedisFollower(RedisCore& core) : core_(core) {}
  ~RedisFollower();

  /// REQUIRES: the link is up.
  void Start();
  void Stop();
  /// There is something to read for sure.
  void Hurry();

 private:
  enum class Taken : bool { kGoOn, kStop };

  void Ask();
  void OnFacts(RedisValue values);
  void OnStreams(RedisValue streams);
  Taken TakeEntry(RedisValue entry);
  void AskSchemas(Position position);

  RedisCore& core_;
  TimerId pause_ = 0;
  std::size_t most_ = 8;      // batches of the next read
  Position schemas_for_ = 0;  // the batch for which the schemas were read last
};

/// One entry of the feed, as XREAD and XRANGE answer it. False: not one of ours.
bool ReadFeedEntry(RedisValue entry, Position* after, BatchView* batch);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_FOLLOWER_H_
