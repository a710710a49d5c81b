#ifndef MIMI_RECORD_H_
#define MIMI_RECORD_H_

/// \file
/// Record and Batch: the one thing that flows.
///
/// A state change is a *record*: put a row or erase a key, with the writing node (*origin*) and a
/// *version*. Records travel in *batches*: one contiguous byte string each (FORMAT.md), sealed once
/// by the writer and passed on byte for byte ever after, from ring to store to replica; nobody
/// re-encodes a row on its way.
///
///     absl::StatusOr<BatchView> batch = BatchView::Parse(bytes);  // says what is wrong
///     for (RecordView record : *batch) {
///       if (record.op == Op::kPut) { Install(record.row); } else { Remove(record.key); }
///     }
///
/// Threads: a BatchView is a view, any thread may read it; a BatchBuilder belongs to one thread at
/// a time.
/// Lifetime: a BatchView (and each RecordView and span taken from it) is valid as long as the bytes
/// are.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/schema.h"
#include "mimi/types.h"

namespace mimi {

/// A place in a stream, 64 bit, only growing. Each stream counts in its own way (sink.h, store.h);
/// two positions compare only when they come from the same one.
using Position = std::uint64_t;

/// The node that wrote a record: the hash of its configured name (OriginOf). 0 is nobody.
using Origin = std::uint64_t;
Origin OriginOf(std::string_view node_name);

/// What orders the writes to one row: the writer's term first, then its own count. A row's older
/// version never replaces a newer one, so applying a record twice, or late, changes nothing.
struct Version {
  std::uint64_t term = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
};

enum class Op : std::uint8_t {
  kPut = 1,
  kErase = 2,
  /// An erase that the source saw, but not by the protocol's own end (a flush, a time-out, a rule
  /// reload). Only between a driver and its pipeline, which holds it for `erase_linger` and then
  /// sends kErase; never sealed.
  kEraseAbrupt = 3,
};

struct RecordView {
  Op op = Op::kPut;
  /// The whole row for kPut (perhaps shorter or longer than one's own schema knows: same line,
  /// schema.h). For an erase only `key` has a meaning.
  std::span<const std::byte> row;
  std::span<const std::byte> key;
  Origin origin = 0;
  Version version;
};

enum BatchFlags : std::uint16_t {
  kBatchResyncBegin =
      1,  ///< a resync of this (table, origin) begins before this batch's first record
  kBatchResyncEnd = 2,  ///< … and is complete after its last record
  kBatchHeartbeat = 4,  ///< nothing to say, but alive; count is 0
  /// Each entry carries its own origin and version: snapshots, compacted files, and the erases that
  /// end a resync (stamped with the version at its begin, so that a newer Put of the key is left
  /// alone).
  kBatchVersioned = 8,
};

/// Limits that every parser enforces before it allocates.
inline constexpr std::size_t kMaxBatchSize = std::size_t{1}
                                             << 20;  ///< bytes, header and checksum included
inline constexpr std::size_t kBatchHeaderSize = 72;
inline constexpr std::size_t kBatchTrailerSize = 4;  ///< CRC-32C over header and payload

/// Why a batch's bytes were refused. Each has a counter where batches are read.
enum class BatchRefusal : std::uint8_t {
  kNone,
  kTruncated,
  kBadMagic,
  kUnknownFormat,
  kBadHeaderSize,
  kUnknownFlags,
  kBadSizes,
  kBadCount,
  kBadChecksum,
  kBadOp,
  kTooLarge,
};
std::string_view BatchRefusalName(BatchRefusal refusal);

/// One sealed batch, checked and readable in place. Layout: FORMAT.md.
class BatchView {
 public:
  /// Checks header, sizes, checksum and every record's op; after this no accessor can leave
  /// `bytes`. `bytes` must be exactly one batch. Errors: DataLoss with the refusal's name, what was
  /// seen and expected.
  static absl::StatusOr<BatchView> Parse(std::span<const std::byte> bytes);
  /// Same, for hot paths that count refusals instead of making text.
  static BatchRefusal TryParse(std::span<const std::byte> bytes, BatchView* out);
  /// For readers of a stream of batches: the size of the batch that starts here, once its header is
  /// there. 0: more bytes are needed. Errors: DataLoss when no batch can start like this.
  static absl::StatusOr<std::size_t> SizeOf(std::span<const std::byte> prefix);

  TableId table() const { return header_.table; }
  std::uint64_t fingerprint() const { return header_.fingerprint; }
  Origin origin() const { return header_.origin; }
  std::uint64_t term() const { return header_.term; }
  /// Sequence of the first record. In a batch without records: the one that the next record will
  /// get, so that a reader also notices what was lost at the end of a stream.
  std::uint64_t first_sequence() const { return header_.first_sequence; }
  /// When the oldest record was made (a heartbeat: when it was sealed).
  UnixTime time() const { return UnixTime(Duration(header_.time_ns)); }
  std::uint16_t flags() const { return header_.flags; }
  bool has(BatchFlags flag) const { return (header_.flags & flag) != 0; }
  std::size_t size() const { return header_.count; }  ///< records
  bool empty() const { return header_.count == 0; }
  std::size_t key_size() const { return header_.key_size; }
  std::size_t row_size() const { return header_.row_size; }
  std::span<const std::byte> bytes() const { return bytes_; }
  /// The same batch, read from a copy of its bytes; nothing is checked again. REQUIRES: `copy`
  /// equals bytes().
  BatchView At(std::span<const std::byte> copy) const {
    BatchView view = *this;
    view.bytes_ = copy;
    return view;
  }

  RecordView operator[](std::size_t i) const {
    if (has(kBatchVersioned)) {
      return Versioned(i);
    }
    const std::byte* const entry =
        bytes_.data() + kBatchHeaderSize + i * (std::size_t{1} + header_.row_size);
    return {.op = static_cast<Op>(entry[0]),
            .row = {entry + 1, header_.row_size},
            .key = {entry + 1, header_.key_size},
            .origin = header_.origin,
            .version = {header_.term, header_.first_sequence + i}};
  }

  class Iterator {
   public:
    using value_type = RecordView;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const BatchView* batch, std::size_t index) : batch_(batch), index_(index) {}
    RecordView operator*() const { return (*batch_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++index_;
      return old;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }

   private:
    const BatchView* batch_ = nullptr;
    std::size_t index_ = 0;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  friend class BatchBuilder;
  struct Header {
    std::uint64_t table = 0;
    std::uint64_t fingerprint = 0;
    std::uint64_t origin = 0;
    std::uint64_t term = 0;
    std::uint64_t first_sequence = 0;
    std::int64_t time_ns = 0;
    std::uint32_t count = 0;
    std::uint16_t row_size = 0;
    std::uint16_t key_size = 0;
    std::uint16_t flags = 0;
  };
  RecordView Versioned(std::size_t i) const;

  std::span<const std::byte> bytes_;
  Header header_;
};

/// Builds batches, one after the other, in one buffer that it keeps.
///
///     BatchBuilder builder(schema, origin);
///     builder.Put(row);
///     builder.Erase(key);
///     BatchView draft = builder.Draft();  // what a driver hands to its sink: no term, no checksum
///     BatchView batch = builder.Seal(term, sequence, time);   // what a pump hands to a store
///     builder.Clear();
class BatchBuilder {
 public:
  /// Rows have `schema.row_size()` bytes. `capacity` bounds the batch, in bytes; less than one
  /// entry needs is raised to that, more than kMaxBatchSize lowered. All memory is allocated here.
  BatchBuilder(const StateSchema& schema, Origin origin, std::size_t capacity = 64 * 1024);

  TableId table() const { return table_; }
  std::uint64_t fingerprint() const { return fingerprint_; }
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  bool full() const;

  /// False, and no change, when the batch is full. REQUIRES: the size that the schema says (whole
  /// row; for an erase the key), and no versioned entry so far.
  bool Put(std::span<const std::byte> row);
  bool Erase(std::span<const std::byte> key, Op op = Op::kErase);
  /// An entry whose op and row stand together in memory, as lanes keep them: copied in one piece.
  bool Append(std::span<const std::byte> op_and_row);
  /// An entry with its own origin and version; the batch becomes a kBatchVersioned one.
  /// REQUIRES: no entry without a version so far.
  bool AppendVersioned(const RecordView& record);

  /// BatchFlags of the batch being built; Clear() resets them. kBatchVersioned is AppendVersioned's
  /// to set.
  void set_flags(std::uint16_t flags) {
    flags_ = static_cast<std::uint16_t>((flags & ~kBatchVersioned) | (flags_ & kBatchVersioned));
  }

  /// The batch so far, not sealed: term 0, no checksum, cannot be parsed by others. Valid until the
  /// next call.
  BatchView Draft();
  /// Writes header and checksum. Valid until the next call of a non-const method.
  BatchView Seal(std::uint64_t term, std::uint64_t first_sequence, UnixTime time);
  void Clear();

 private:
  bool Fits(std::size_t entry_size) const;
  std::byte* Extend(std::size_t entry_size);
  void WriteHeader(const BatchView::Header& header);
  BatchView::Header MakeHeader(std::uint64_t term, std::uint64_t first_sequence,
                               std::int64_t time_ns) const;

  std::vector<std::byte> buffer_;
  std::size_t capacity_;
  std::size_t size_ = kBatchHeaderSize;
  std::uint32_t count_ = 0;
  std::uint16_t flags_ = 0;
  std::uint64_t table_;
  std::uint64_t fingerprint_;
  Origin origin_;
  std::uint16_t row_size_;
  std::uint16_t key_size_;
};

}  // namespace mimi

#endif  // MIMI_RECORD_H_
