#ifndef MIMI_SRC_STORE_REDIS_REDIS_WINDOW_H_
#define MIMI_SRC_STORE_REDIS_REDIS_WINDOW_H_

// RedisWindow: the batches that were accepted and are not confirmed.
//
// Each has a ticket, counted over all writers of the handle: what Apply returns. Tickets are
// confirmed in their order, so one that the server refused stops all behind it, until its writer
// was told: the next Apply of that stream (table, origin, term) gets the refusal, whereupon the
// writer counts nothing of it as confirmed any more (sink.h). A writer that never asks again is let
// go after a while.
//
//     ticket = window.Add(batch, incarnation)->ticket;
//     window.Stored(ticket, position); window.Refused(ticket, status, now);   // what the server answered
//     window.Confirm(applied_up_to, now); window.confirmed();
//
// Threads: one at a time. Lifetime: an entry until it is confirmed; its view is of its own copy.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/status.h"

#include "mimi/record.h"
#include "mimi/types.h"

namespace mimi::internal {

class RedisWindow {
 public:
  /// One writer's batches of one table under one term.
  using Stream = std::tuple<TableId, Origin, std::uint64_t>;
  static Stream StreamOf(const BatchView& batch) {
    return {batch.table(), batch.origin(), batch.term()};
  }

  struct Entry {
    std::uint64_t ticket = 0;
    BatchView view;
    std::string incarnation;  ///< of the repository that it was accepted for
    std::uint64_t highest_term = 0;
    enum class State : std::uint8_t { kWaiting, kStored, kRefused } state = State::kWaiting;
    bool told = false;      ///< its writer knows that it may be lost
    Position position = 0;  ///< kStored: confirmed when this handle has read so far
    absl::Status refusal;
    MonotonicTime refused_at;
    std::unique_ptr<std::byte[]> bytes;
  };

  Entry& Add(const BatchView& batch, const std::string& incarnation);
  std::size_t bytes() const { return bytes_; }
  bool empty() const { return entries_.empty(); }
  /// The server has not answered all.
  bool waiting() const { return waiting_ != 0; }
  Position last_ticket() const { return next_ticket_ - 1; }
  Position confirmed() const {
    return entries_.empty() ? last_ticket() : entries_.front().ticket - 1;
  }

  /// nullptr: not here (any more).
  Entry* Find(std::uint64_t ticket);
  void Stored(Entry* entry, Position position);
  void Refused(Entry* entry, absl::Status why, MonotonicTime now);

  /// What the stream's writer has to be told; asking tells it. OK: nothing.
  absl::Status TakeRefusal(const Stream& stream);

  /// Confirms what is stored at or before `position`. Returns whether anything was.
  bool Confirm(Position position, MonotonicTime now);

  /// Visits what the server has not answered, oldest first.
  template <class Visit>
  void ForEachWaiting(Visit visit) {
    for (Entry& entry : entries_) {
      if (entry.state == Entry::State::kWaiting) {
        visit(entry);
      }
    }
  }

 private:
  bool Superseded(const Entry& entry) const;

  std::deque<Entry> entries_;
  std::uint64_t next_ticket_ = 1;
  std::size_t bytes_ = 0;
  std::size_t waiting_ = 0;
  std::size_t refusals_ = 0;  // entries that are refused and not told
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_WINDOW_H_
