#ifndef MIMI_SRC_STORE_REDIS_REDIS_CURSORS_H_
#define MIMI_SRC_STORE_REDIS_REDIS_CURSORS_H_

// The cursors of a Redis store. A snapshot walks the handle's own copy of the tables; a watch reads
// the newest part of the feed from memory, and what is older from the server.
//
// Threads: the loop thread only. Lifetime: the core outlives them.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mimi/store.h"

#include "src/store/redis/redis_core.h"
#include "src/store/row_stream.h"

namespace mimi::internal {

class RedisWatch final : public Cursor {
 public:
  RedisWatch(RedisCore& core, const WatchFrom& from, std::function<void()> wake);

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return false; }

 private:
  /// Some entries that the server still has, read and not delivered.
  struct Fetched {
    std::string bytes;
    Position after = 0;
  };

  absl::Status Check();
  std::optional<BatchView> Wait();
  absl::StatusOr<std::optional<BatchView>> FromServer();
  void OnEntries(const absl::Status& status, RedisValue entries);
  absl::Status Gone(std::string_view why) const;

  RedisCore& core_;
  Position position_;
  std::uint64_t incarnation_;  // 0: whichever is there
  std::uint64_t epoch_ = 0;    // of the core, for which reader_ is good
  std::optional<MemoryFeed::Reader> reader_;
  std::deque<Fetched> fetched_;
  bool fetching_ = false;
  bool gap_ = false;
  std::optional<BatchView> delivered_;
  std::string delivered_bytes_;
  bool syncing_ = false;
  bool synced_ = false;
  std::shared_ptr<RedisCore::Waiter> waiter_;
};

class RedisSnapshot final : public Cursor {
 public:
  RedisSnapshot(RedisCore& core, TableId table, std::function<void()> wake);

  absl::StatusOr<std::optional<BatchView>> Next() override;
  Position position() const override { return position_; }
  bool done() const override { return stream_.has_value() && stream_->done(); }

 private:
  RedisCore& core_;
  TableId table_;
  std::uint64_t epoch_ = 0;
  Position position_ = 0;
  absl::Status failed_;
  bool synced_ = false;
  std::optional<RowStream> stream_;
  std::shared_ptr<RedisCore::Waiter> waiter_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_CURSORS_H_
