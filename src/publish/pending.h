#ifndef MIMI_SRC_PUBLISH_PENDING_H_
#define MIMI_SRC_PUBLISH_PENDING_H_

// Pending: what waits to be sealed, in order, one entry per key.
//
// A list in order of arrival with an index by key, and the two marks of a resync as entries of the
// list. A newer record of a key takes the older one's place when that stands after the newest begin
// mark; else the older one goes and the newer is added at the end, for its version must come out
// newer than the resync's begin. So there are never more entries than live keys and two marks.
//
// Each entry has its place in the *stream* (tickets.h), which only grows; records that bypass
// Pending take theirs by Skip().
//
// The index is in kShards small hash sets, so that growing one is short work (a slice of a
// millisecond holds dozens), however many entries there are.
//
// Threads: one at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "mimi/record.h"

#include "src/base/hash.h"

namespace mimi {

class Pending {
 public:
  // Ops of marks: those of the slots of lanes.
  Pending(std::size_t key_size, std::size_t row_size, std::size_t max, std::uint64_t seed);

  struct Entry {
    Op op;  // kPut, kErase, or a mark
    std::span<const std::byte> op_and_row;
    std::int64_t time_ns;  // of the oldest record that this one replaced, or its own
  };

  // What Add did. kMoved: an entry went from place `moved_from` to the end.
  enum class Added { kNew, kReplaced, kMoved, kFull };

  // REQUIRES: op kPut or kErase, 1 + row_size bytes.
  Added Add(std::span<const std::byte> op_and_row, std::int64_t time_ns);
  std::uint64_t moved_from() const { return moved_from_; }
  // For what was sealed and has to be sealed again: before all others, at stream place `stream`,
  // unless the key has an entry. Returns whether it was added. `max` does not count here.
  bool AddFront(std::span<const std::byte> op_and_row, std::int64_t time_ns, std::uint64_t stream);
  // Removes the entry of a key. False: there is none, or it is an erase.
  bool RemovePut(std::span<const std::byte> key);

  bool Holds(std::span<const std::byte> key);

  void AddMark(Op mark, std::int64_t time_ns);
  // Both marks go, if they are here.
  void RemoveMarks();
  bool HasMark(Op mark) const;

  bool empty() const { return first_ == kNone; }
  std::size_t size() const { return rows_; }  // marks apart
  std::optional<Entry> Front() const;
  void PopFront();

  // Everything before this place has been popped.
  std::uint64_t front_stream() const { return empty() ? end_stream_ : At(first_)->stream; }
  std::uint64_t end_stream() const { return end_stream_; }
  // REQUIRES: empty().
  void Skip(std::uint64_t records) { end_stream_ += records; }
  // A record that was refused has a place too, so that tickets can wait for what repairs it.
  std::uint64_t SkipRefused() { return end_stream_++; }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};
  static constexpr std::size_t kShards = 256;
  static constexpr std::size_t kChunk = 256;      // entries
  static constexpr std::size_t kKeepChunks = 16;  // kept when everything is sent

  struct Node {
    std::uint64_t stream;
    std::int64_t time_ns;
    std::uint64_t hash;
    Index previous;
    Index next;  // of the list, or of the free ones
  };
  // A key to look for, with its hash.
  struct Probe {
    std::uint64_t hash;
    std::span<const std::byte> key;
  };
  struct Hash {
    using is_transparent = void;
    const Pending* pending;
    std::size_t operator()(Index index) const { return pending->At(index)->hash; }
    std::size_t operator()(const Probe& probe) const { return probe.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const Pending* pending;
    bool operator()(Index a, Index b) const { return a == b; }
    bool operator()(Index a, const Probe& b) const { return pending->HasKey(a, b); }
    bool operator()(const Probe& a, Index b) const { return pending->HasKey(b, a); }
  };
  using Shard = absl::flat_hash_set<Index, Hash, Equal>;

  Node* At(Index index) const {
    return reinterpret_cast<Node*>(chunks_[index / kChunk].get() + index % kChunk * stride_);
  }
  std::byte* OpAndRowAt(Index index) const {
    return reinterpret_cast<std::byte*>(At(index)) + sizeof(Node);
  }
  bool HasKey(Index index, const Probe& probe) const;
  Probe ProbeOf(std::span<const std::byte> op_and_row) const;
  // The top bits choose the shard: the set uses the low ones.
  Shard& ShardOf(std::uint64_t hash) { return shards_[hash >> 56]; }

  Index NewNode(std::span<const std::byte> op_and_row, std::uint64_t hash, std::int64_t time_ns);
  void AddChunk();
  void LinkLast(Index index);
  void LinkFirst(Index index);
  void Unlink(Index index);
  void Free(Index index);
  void Remove(Index index);
  void ReleaseMemory();

  std::size_t key_size_;
  std::size_t entry_size_;  // op and row
  std::size_t stride_;
  std::size_t max_;
  RowHash hash_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<Shard> shards_;
  Index free_ = kNone;
  Index first_ = kNone;
  Index last_ = kNone;
  Index begin_mark_ = kNone;
  Index end_mark_ = kNone;
  std::size_t rows_ = 0;
  std::uint64_t end_stream_ = 0;
  std::uint64_t begin_stream_ = 0;  // of the newest begin mark, also when it has been popped
  std::uint64_t moved_from_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_PENDING_H_
