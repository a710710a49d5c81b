#include "src/engine/ager.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

// Copies of keys that no longer count are swept out when they outnumber the rows by this factor.
constexpr std::size_t kMaxCopiesPerRow = 2;
constexpr std::size_t kMinCopies = 4096;

}  // namespace

std::optional<Ager> Ager::For(const StateSchema& schema, std::string_view age_field) {
  const Field* field = schema.FindField(age_field);
  if (field == nullptr || field->type != FieldType::kDuration || field->key) {
    return std::nullopt;
  }
  return Ager(schema.key_size(), field->offset);
}

std::int64_t Ager::BucketOf(MonotonicTime at) {
  return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
}

void Ager::Put(std::span<const std::byte> row, MonotonicTime now) {
  const std::string_view key = AsText(row.first(key_size_));
  const absl::string_view lookup = ToAbsl(key);
  Duration life{};
  if (row.size() >= offset_ + sizeof(std::int64_t)) {
    life = Duration(static_cast<std::int64_t>(LoadLe<std::uint64_t>(row.data() + offset_)));
  }
  if (life <= Duration::zero()) {
    deadlines_.erase(lookup);
    return;
  }
  // A year is for ever, and keeps the sum inside the clock's range.
  const MonotonicTime deadline = now + std::min<Duration>(life, std::chrono::hours(24 * 365));
  const std::int64_t bucket = BucketOf(deadline);
  const auto [it, added] = deadlines_.try_emplace(lookup, Entry{deadline, bucket});
  if (!added) {
    it->second.deadline = deadline;
    if (it->second.bucket <= bucket) {
      return;  // found again when the bucket that holds it comes up
    }
    it->second.bucket = bucket;  // the later bucket's copy will see that it is not the one
  }
  PushToBucket(bucket, key);
}

void Ager::PushToBucket(std::int64_t bucket, std::string_view key) {
  buckets_[bucket].emplace_back(key);
  if (++copies_ > kMinCopies && copies_ > kMaxCopiesPerRow * deadlines_.size()) {
    Rebuild();
  }
}

// Amortised: as many keys were pushed since the last time as are walked now.
void Ager::Rebuild() {
  buckets_.clear();
  for (const auto& [key, entry] : deadlines_) {
    buckets_[entry.bucket].push_back(key);
  }
  copies_ = deadlines_.size();
}

void Ager::Erase(std::span<const std::byte> key) {
  deadlines_.erase(ToAbsl(AsText(key)));
}

std::size_t Ager::Expire(MonotonicTime now, std::size_t budget,
                         const std::function<void(std::span<const std::byte> key)>& expired) {
  std::size_t done = 0;
  std::size_t looked_at = 0;
  std::vector<std::string> young;  // pushed only at the end: a push may rebuild the buckets
  while (looked_at < budget && !buckets_.empty() && buckets_.begin()->first < BucketOf(now)) {
    const std::int64_t bucket = buckets_.begin()->first;
    std::vector<std::string>& keys = buckets_.begin()->second;
    while (looked_at < budget && !keys.empty()) {
      ++looked_at;
      const std::string key = std::move(keys.back());
      keys.pop_back();
      --copies_;
      const auto it = deadlines_.find(key);
      if (it == deadlines_.end() || it->second.bucket != bucket) {
        continue;
      }
      if (it->second.deadline > now) {
        it->second.bucket = BucketOf(it->second.deadline);
        young.push_back(key);
        continue;
      }
      deadlines_.erase(it);
      expired(std::as_bytes(std::span(key)));
      ++done;
    }
    if (keys.empty()) {
      buckets_.erase(bucket);
    }
  }
  for (const std::string& key : young) {
    const auto it = deadlines_.find(key);
    if (it != deadlines_.end()) {
      PushToBucket(it->second.bucket, key);
    }
  }
  return done;
}

std::optional<MonotonicTime> Ager::NextDeadline() const {
  if (buckets_.empty()) {
    return std::nullopt;
  }
  // A bucket is due when its whole second has passed.
  return MonotonicTime(std::chrono::seconds(buckets_.begin()->first + 1));
}

void Ager::Clear() {
  deadlines_.clear();
  buckets_.clear();
  copies_ = 0;
}

}  // namespace mimi::internal
