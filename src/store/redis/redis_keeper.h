#ifndef MIMI_SRC_STORE_REDIS_REDIS_KEEPER_H_
#define MIMI_SRC_STORE_REDIS_REDIS_KEEPER_H_

// RedisKeeper: keeps the tables in the server up with the feed, and cuts the feed behind them.
//
// One handle that writes is the pair's keeper, by a lease in the pair's hash that each step renews;
// the others look now and then whether it is gone. In a cycle it puts every bucket that changed
// since the last, 32 at a time, and then commits: the tables are up to date with the position at
// which the cycle began. A new keeper puts everything, into a generation of its own; the commit
// makes that the one to read, and removes the old one.
//
// A cycle begins a second after the last one, or later when cycles are long (they take an eighth of
// the time at most, and are five seconds apart at most), or at once when the feed is twice as long
// as it should be.
//
// Threads: the loop thread only. Lifetime: the core outlives it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "mimi/loop.h"
#include "mimi/record.h"

#include "src/store/redis/redis_tables.h"

namespace mimi::internal {

class RedisCore;

class RedisKeeper {
 public:
  explicit RedisKeeper(RedisCore& core);
  ~RedisKeeper();

  /// This handle writes, so it may be the keeper.
  void Wrote() { writes_ = true; }
  /// Something was read, or time has passed.
  void Consider();
  /// The link went down, or the tables are others: what was put is not known.
  void Reset();

 private:
  enum class Phase : std::uint8_t { kIdle, kAsking, kPutting, kCommitting };

  void Keep();
  void BeginCycle(std::uint64_t generation);
  void PutMore();
  bool PutSome();
  void Commit();
  void Lost(Duration wait);
  void WaitUntil(MonotonicTime at);

  RedisCore& core_;
  std::string token_;
  bool writes_ = false;
  Phase phase_ = Phase::kIdle;
  std::uint64_t generation_ = 0;  // 0: not the keeper
  MonotonicTime next_cycle_{};    // unless it is urgent
  MonotonicTime not_before_{};    // another is the keeper
  TimerId timer_ = 0;
  // The cycle that runs.
  MonotonicTime begun_{};
  Position position_ = 0;
  std::size_t in_flight_ = 0;
  bool all_put_ = false;
  bool has_piece_ = false;  // taken, but of the next table
  RedisTables::Piece piece_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_KEEPER_H_
