#ifndef MIMI_TABLE_H_
#define MIMI_TABLE_H_

/// \file
/// Table: the rows of one schema, kept by one thread, read by packet threads without a lock.
///
/// A VNF's packet threads need the state that the replica follows, per packet, at any moment, also
/// while a million changes a second arrive. A Lookup takes no lock, makes no system call, allocates
/// nothing, and never waits for the writer, even if that is suspended in the middle of a change.
/// What it returns is one row that was in the table at some moment between call and return, whole:
/// never half an old and half a new one.
///
///     Table table(StateSchema::Of<LbFlow>(), {.max_rows = 1'000'000});
///     … give it to whoever applies: it is a StateSink …
///
///     TypedTable<LbFlow> flows(table);                     // on each packet thread
///     LbFlow flow;
///     if (flows.Lookup({.client_ip = ip, .client_port = port}, &flow)) { Forward(flow.backend_ip); }
///
/// What it costs (bench table): a lookup one cache line of index and one or two of the row; a row
/// its size and 8 bytes (versions: 16 more), rounded up to 8, and 13 to 26 bytes of index (twice
/// that while the index grows). Memory is bounded by max_rows; a table does not shrink, but what it
/// has outgrown goes back to the kernel.
///
/// Threads: Apply, confirmed and state on one thread (the loop's); Lookup, LookupMany and size on
/// any.
/// Lifetime: outlives its readers' calls. Nothing is registered; a reader just stops.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/sink.h"
#include "mimi/typed.h"
#include "mimi/types.h"

namespace mimi {

namespace internal {
class TableCore;
}  // namespace internal

/// Which of two changes to a row counts.
enum class TableOrder : std::uint8_t {
  /// The newer version (record.h): for a table that is fed from a store's Watch or Snapshot as they
  /// come. Remembers the versions of erased rows for a while.
  kVersion,
  /// The later Apply: for a table behind something that has decided already (an engine's replica),
  /// and whose batches may be unsealed, or of a new incarnation in which versions begin anew. Costs
  /// no versions and no tombstones.
  kArrival,
};

struct TableOptions {
  TableOrder order = TableOrder::kVersion;
  /// Beyond it new rows are left out and counted (table_full).
  std::size_t max_rows = std::size_t{1} << 24;
  /// kVersion: erased rows that are remembered at most, 0: as many as max_rows, and for how long.
  std::size_t max_tombstones = 0;
  Duration tombstone_age = std::chrono::seconds(120);
};

/// Counters only grow.
struct TableState {
  std::uint64_t rows = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t table_full = 0;          ///< Puts left out because of max_rows (or of memory)
  std::uint64_t stale = 0;               ///< records that a newer version outranked
  std::uint64_t tombstones_dropped = 0;  ///< forgotten before their age, because of max_tombstones
  std::uint64_t rebuilds = 0;            ///< times that the index was built anew: grown, or cleaned
  std::uint64_t memory_bytes = 0;
};

class Table final : public StateSink {
 public:
  explicit Table(const StateSchema& schema, const TableOptions& options = {},
                 const Clock& clock = SystemClock());
  ~Table() override;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// Takes sealed batches and drafts. A shorter row keeps the stored tail, or gets the defaults; a
  /// longer one is cut. All of it is visible to readers, and confirmed, on return; in the order of
  /// the records, one by one.
  /// Errors: InvalidArgument (another table, or rows that are not of this schema's line).
  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override;
  TableState state() const;

  const StateSchema& schema() const;

  /// Any thread. Copies the row with this key to `row`. False: there is none, and `row` may have
  /// been overwritten. REQUIRES: key_size() and row_size() bytes, of the schema; else false.
  bool Lookup(std::span<const std::byte> key, std::span<std::byte> row) const;

  /// The same for `found.size()` keys at once, one behind the other, and rows likewise: their cache
  /// misses overlap, so that 16 cost little more than two. Returns how many were found. REQUIRES:
  /// as many keys and rows as `found`; else 0.
  std::size_t LookupMany(std::span<const std::byte> keys, std::span<std::byte> rows,
                         std::span<bool> found) const;

  /// The writer's thread. Shows the rows among the next `steps` places from `from` (0 at first),
  /// and returns where to go on, 0 at the end. A row that is neither changed nor erased meanwhile
  /// is shown exactly once; one that is changed moves, and may be shown twice or not at all.
  /// `visit` must not call Apply; the row is valid until it returns.
  std::uint32_t Walk(std::uint32_t from, std::uint32_t steps,
                     const std::function<void(std::span<const std::byte> row)>& visit);

  /// Any thread: rows, a moment ago.
  std::size_t size() const;

 private:
  std::unique_ptr<internal::TableCore> core_;
};

/// A Table read as structs. REQUIRES: the table was made with StateSchema::Of<T>().
template <class T>
class TypedTable {
 public:
  explicit TypedTable(const Table& table) : table_(table) {}

  /// `key`: only the key's fields count. False: no such row, and `*row` is as it was.
  bool Lookup(const T& key, T* row) const {
    std::byte key_bytes[kMaxRowSize];
    std::byte row_bytes[kMaxRowSize];
    TypedRow<T>::EncodeKey(key, key_bytes);
    const std::size_t row_size = TypedRow<T>::size();
    if (!table_.Lookup({key_bytes, TypedRow<T>::key_size()}, {row_bytes, row_size})) {
      return false;
    }
    TypedRow<T>::Decode(row_bytes, row);
    return true;
  }

 private:
  const Table& table_;
};

}  // namespace mimi

#endif  // MIMI_TABLE_H_
