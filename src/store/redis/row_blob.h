#ifndef MIMI_SRC_STORE_REDIS_ROW_BLOB_H_
#define MIMI_SRC_STORE_REDIS_ROW_BLOB_H_

// Blobs: some rows, or some tombstones, of one table as one value of the server.
//
//     offset  size  field
//          0     2  "MR"
//          2     1  format, 1
//          3     1  1: rows; 2: tombstones (what follows are keys)
//          4     8  fingerprint of the rows
//         12     2  size of a row, or of a key
//         14     2  count of entries, at most 256
//         16     1  count of writers minus 1
//         17        writers: origin u64, term u64
//                   entries: writer u8, sequence u48, row or key
//                4  CRC-32C of all that
//
// Little-endian. A row's version is {its writer's term, sequence}: 7 bytes beside the row, where an
// entry of a batch needs 25. Put together by the table's keeper, never changed, replaced as a
// whole.
//
//     RowBlobWriter blob(RowBlobKind::kRows);
//     blob.Begin(schema);
//     blob.Add(row, origin, version);
//     std::string_view value = blob.Finish();       // "" when there was nothing
//     absl::StatusOr<RowBlobView> view = RowBlobView::Parse(value, RowBlobKind::kRows);
//
// Threads: one at a time. Lifetime: a view is as valid as its bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/record.h"
#include "mimi/schema.h"

namespace mimi::internal {

enum class RowBlobKind : std::uint8_t { kRows = 1, kTombstones = 2 };

inline constexpr std::size_t kMaxBlobEntries = 256;

class RowBlobWriter {
 public:
  explicit RowBlobWriter(RowBlobKind kind) : kind_(kind) {}

  /// Empty again, for this table.
  void Begin(const StateSchema& schema);
  /// REQUIRES: the size that the schema says, fewer than kMaxBlobEntries so far, a sequence below
  /// 2^48.
  void Add(std::span<const std::byte> row_or_key, Origin origin, Version version);
  /// Valid until Begin(). Empty when nothing was added.
  std::string_view Finish();

 private:
  using Writer = std::pair<Origin, std::uint64_t>;

  RowBlobKind kind_;
  std::uint64_t fingerprint_ = 0;
  std::uint16_t entry_size_ = 0;
  std::uint16_t count_ = 0;
  std::vector<Writer> writers_;
  std::string entries_;
  std::string blob_;
};

/// A checked blob, readable in place.
class RowBlobView {
 public:
  /// Errors: DataLoss that says what is wrong. `bytes` are hostile.
  static absl::StatusOr<RowBlobView> Parse(std::string_view bytes, RowBlobKind kind);

  std::uint64_t fingerprint() const { return fingerprint_; }
  std::size_t entry_size() const { return entry_size_; }  ///< of a row, or a key
  std::size_t size() const { return count_; }
  struct Entry {
    std::span<const std::byte> bytes;
    Origin origin = 0;
    Version version;
  };
  Entry operator[](std::size_t i) const;

 private:
  std::uint64_t fingerprint_ = 0;
  std::size_t entry_size_ = 0;
  std::size_t count_ = 0;
  const std::byte* writers_ = nullptr;
  const std::byte* entries_ = nullptr;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_ROW_BLOB_H_
