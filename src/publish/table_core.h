#ifndef MIMI_SRC_PUBLISH_TABLE_CORE_H_
#define MIMI_SRC_PUBLISH_TABLE_CORE_H_

// TableCore: what stands behind Table (mimi/table.h).
//
// Threads and lifetime: as there.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "mimi/table.h"

#include "src/base/hash.h"
#include "src/publish/shared_index.h"
#include "src/publish/shared_rows.h"
#include "src/state/tombstones.h"

namespace mimi::internal {

class TableCore {
 public:
  TableCore(const StateSchema& schema, const TableOptions& options, const Clock& clock);

  absl::StatusOr<Position> Apply(const BatchView& batch);
  Position applied() const { return applied_; }
  TableState state() const;
  std::uint32_t Walk(std::uint32_t from, std::uint32_t steps,
                     const std::function<void(std::span<const std::byte> row)>& visit);
  const StateSchema& schema() const { return schema_; }
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  bool Lookup(const std::byte* key, std::byte* row) const {
    return LookupTag(TagOf(key), key, row);
  }
  std::size_t LookupMany(const std::byte* keys, std::byte* rows, std::span<bool> found) const;

 private:
  static constexpr std::size_t kGroup = 16;
  using Slot = SharedIndex::Slot;

  struct Pending {
    RecordView record;
    std::uint32_t tag = 0;
  };

  std::uint32_t TagOf(const std::byte* key) const {
    return static_cast<std::uint32_t>(hash_({key, key_size_}) >> 32);
  }
  static bool IsRow(std::uint32_t reference) {
    return reference != 0 && reference < SharedIndex::kDeleted;
  }
  bool LookupTag(std::uint32_t tag, const std::byte* key, std::byte* row) const;

  absl::Status CheckShape(const BatchView& batch) const;
  void PrefetchGroup(std::size_t count);
  Slot* FindSlot(std::uint32_t tag, const std::byte* key);
  void ApplyOne(const RecordView& record, std::uint32_t tag, MonotonicTime now);
  void Put(const RecordView& record, std::uint32_t tag, Slot* slot);
  void Erase(const RecordView& record, std::uint32_t tag, Slot* slot, MonotonicTime now);
  void PopTombstone();
  void Expire(MonotonicTime now);

  StateSchema schema_;
  TableOptions options_;
  const Clock& clock_;
  std::size_t key_size_;
  std::size_t row_size_;
  RowHash hash_;
  SharedIndex index_;
  SharedRows rows_;
  Tombstones tombstones_;
  std::unique_ptr<std::byte[]> scratch_;  // a row
  Pending group_[kGroup];
  std::atomic<std::size_t> size_{0};
  Position applied_ = 0;
  std::uint64_t table_full_ = 0;
  std::uint64_t stale_ = 0;
  std::uint64_t tombstones_dropped_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_PUBLISH_TABLE_CORE_H_
