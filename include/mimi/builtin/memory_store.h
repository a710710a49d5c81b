#ifndef MIMI_BUILTIN_MEMORY_STORE_H_
#define MIMI_BUILTIN_MEMORY_STORE_H_

/// \file
/// The state repository in this process's memory: the default, and the reference of what store.h
/// asks.
///
/// For a pair whose roles live in one process, for tests, and for simulations, where each node has
/// a handle of its own on one repository:
///
///     absl::StatusOr<std::unique_ptr<StateStore>> store = NewMemoryStore({}, *loop);
///
///     auto shared = NewMemoryRepository({.max_rows = 1'000'000}, clock);
///     auto primary = NewMemoryStore({.repository = shared}, primary_loop);
///     auto minion = NewMemoryStore({.repository = shared}, minion_loop);
///
/// What it promises: everything in store.h, at once; what Apply accepts is confirmed. Nothing
/// outlives the process.
///
/// What it costs (bench store.memory): a row takes its own size, 19 bytes and 11 to 21 bytes of
/// index; so a table of `max_rows` rows of 29 bytes never exceeds 69 bytes times max_rows, and as
/// much again of tombstones if as many keys are erased within `tombstone_age`. The feed takes
/// `feed_bytes` and one chunk (1/8 of it, at most 2 MiB) for each reader that lags behind. Nothing
/// pauses for more than a millisecond: tables grow in slices.
///
/// Threads: all handles of one repository live on one thread; each calls back through its own loop.
/// Lifetime: a repository lives as long as a handle or a shared_ptr to it; the clock outlives it.

#include <chrono>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/store.h"

namespace mimi {

class MemoryRepository;

struct MemoryStoreOptions {
  /// The repository to join; the other fields are then those it was made with. Null: one of its
  /// own.
  std::shared_ptr<MemoryRepository> repository = nullptr;
  /// Of each table. Beyond it new keys are left out and counted (table_full).
  std::size_t max_rows = std::size_t{1} << 24;
  /// Of each table; 0: as many as max_rows. Beyond it the oldest is forgotten before its time.
  std::size_t max_tombstones = 0;
  /// How long an erased row's version is remembered, at least.
  Duration tombstone_age = std::chrono::seconds(120);
  /// What the feed keeps for readers that lag, bytes of batches. Less than 4 KiB is taken as 4 KiB.
  /// A reader that is further behind loads a snapshot.
  std::size_t feed_bytes = std::size_t{64} << 20;
};

/// `clock` is the repository's own: tombstones and leases age by it. `options.repository` is
/// ignored.
std::shared_ptr<MemoryRepository> NewMemoryRepository(const MemoryStoreOptions& options,
                                                      const Clock& clock);

/// Errors: InvalidArgument (max_rows is 0, or a negative age).
absl::StatusOr<std::unique_ptr<StateStore>> NewMemoryStore(const MemoryStoreOptions& options,
                                                           Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_MEMORY_STORE_H_
