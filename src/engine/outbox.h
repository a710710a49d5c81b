#ifndef MIMI_SRC_ENGINE_OUTBOX_H_
#define MIMI_SRC_ENGINE_OUTBOX_H_

// Outbox: which keys a sink has yet to be told, at most one entry per key.
//
// A row that lives is one bit, by its number in the RowMap: marking it again costs nothing, and
// what is sent is what the row says then. A key that is gone is an entry of its own, first in first
// out, at most `max_erased` of them. Marking every row of a table is setting bits, so a cold sink
// needs no queue.
//
// It is drained in *rounds*: the erases first (a row that takes over what an erased one held, an
// address for instance, then finds it free), then the marked rows from the lowest number to the
// highest. When a round has ended, everything that was marked when it began has been offered: that
// is what tells how far the sink has got, although rows are not sent in the order of their changes.
//
// Threads: one at a time. Lifetime: spans are valid until the next call of a non-const method.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "mimi/record.h"

namespace mimi::internal {

class Outbox {
 public:
  explicit Outbox(std::size_t max_erased) : max_erased_(max_erased) {}

  bool empty() const { return marked_ == 0 && erased_.empty(); }
  std::size_t size() const { return marked_ + erased_.size(); }
  std::size_t erased() const { return erased_.size(); }

  void MarkRow(std::uint32_t number);
  void UnmarkRow(std::uint32_t number);
  bool IsMarked(std::uint32_t number) const;
  /// Marks the rows [0, end).
  void MarkAll(std::uint32_t end);

  /// False: there are max_erased already, and this key is not one of them.
  bool MarkErased(std::span<const std::byte> key, Version version);
  bool IsErased(std::span<const std::byte> key) const;
  /// It is not to be erased after all; its entry stays behind, without a key.
  void UnmarkErased(std::span<const std::byte> key);
  struct Erased {
    std::string key;
    Version version;
  };
  /// The i-th that waits. REQUIRES: i < erased().
  const Erased& erase(std::size_t i) const { return erased_[i]; }
  void PopErased(std::size_t count);

  /// The first marked row at or after `from`; kNone when there is none.
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  std::uint32_t NextMarked(std::uint32_t from) const;

  /// Forgets everything.
  void Clear();
  void set_max_erased(std::size_t max_erased) { max_erased_ = max_erased; }
  std::size_t memory_bytes() const;

 private:
  std::vector<std::uint64_t> marks_;    // a bit per row
  std::vector<std::uint64_t> summary_;  // a bit per word of marks_ that is not 0
  std::size_t marked_ = 0;
  std::deque<Erased> erased_;
  // Place in erased_, and in what was popped before, by the strings there, which never move.
  absl::flat_hash_map<std::string_view, std::uint64_t> erased_keys_;
  std::uint64_t popped_ = 0;
  std::size_t max_erased_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_ENGINE_OUTBOX_H_
