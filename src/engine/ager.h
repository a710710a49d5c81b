#ifndef MIMI_SRC_ENGINE_AGER_H_
#define MIMI_SRC_ENGINE_AGER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "mimi/schema.h"
#include "mimi/types.h"

namespace mimi::internal {

/// Ages the rows of a source that does not see every end: a row whose duration field has passed
/// since its last Put is erased, by an ordinary Erase that the writer publishes (no row disappears
/// without one).
///
/// Rows wait in buckets of one second; a row that was put again is found to be young when its
/// bucket comes up, and moves on, so that a Put costs one hash upsert and no reordering. Durations
/// count by the monotonic clock. A row whose duration is not positive never ages.
///
/// Threads: the loop thread only.
class Ager {
 public:
  /// nullopt when `schema` has no duration field of that name: then nothing can age.
  static std::optional<Ager> For(const StateSchema& schema, std::string_view age_field);

  void Put(std::span<const std::byte> row, MonotonicTime now);
  void Erase(std::span<const std::byte> key);

  /// Calls `expired` for at most `budget` keys whose time has come, and forgets them. Returns how
  /// many.
  std::size_t Expire(MonotonicTime now, std::size_t budget,
                     const std::function<void(std::span<const std::byte> key)>& expired);

  std::optional<MonotonicTime> NextDeadline() const;
  std::size_t rows() const { return deadlines_.size(); }
  /// Keys in buckets, also those that no longer count: at most a constant factor above rows().
  std::size_t copies() const { return copies_; }
  void Clear();

 private:
  Ager(std::size_t key_size, std::size_t offset) : key_size_(key_size), offset_(offset) {}
  static std::int64_t BucketOf(MonotonicTime at);
  void PushToBucket(std::int64_t bucket, std::string_view key);
  void Rebuild();

  struct Entry {
    MonotonicTime deadline;
    std::int64_t bucket;  ///< the one bucket that holds the key
  };
  std::size_t key_size_;
  std::size_t offset_;
  absl::flat_hash_map<std::string, Entry> deadlines_;
  std::size_t copies_ = 0;  ///< keys in all buckets, those whose row is gone or elsewhere included
  std::map<std::int64_t, std::vector<std::string>> buckets_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_AGER_H_
