#ifndef MIMI_BUILTIN_FILE_STORE_H_
#define MIMI_BUILTIN_FILE_STORE_H_

/// \file
/// The state repository in files: durable on one host, shared by its processes.
///
/// For a box and a minion (or a firmware and a VNF process) on one host, and wherever state has to
/// outlive the process that holds it. Any number of processes open the same directory; each may
/// claim, write and follow. Followers are woken by the kernel, not polling.
///
///     absl::StatusOr<std::unique_ptr<StateStore>> store =
///         NewFileStore({.path = "/var/lib/mimi/edge1"}, loop);
///     if (!store.ok()) { … the message names the file and what is wrong … }
///
/// What survives what:
///
/// | | `kNever` | `kInterval` | `kEveryBatch` |
/// |---|---|---|---|
/// | a process dies, at any instruction (kill -9) | all that Apply accepted | the same | the same |
/// | the machine loses power, or its kernel dies | perhaps nothing: what the kernel had not written yet, up to some 30 s; what is left may be refused as damaged | all that was confirmed; what was accepted in the last `fsync_interval` may be lost | all that was confirmed |
/// | confirmed() follows Apply | at once | within `fsync_interval` and one fdatasync | after one fdatasync; batches that come meanwhile share the next |
/// | threads of ours | none | one, for fdatasync | one, for fdatasync |
///
/// Where the writers can resync, as most can, `kNever` is enough: after a power failure all
/// connections of the box have to be made anew anyhow. A disc that lies about what it has written
/// voids the rest.
///
/// After the machine was started anew a store has a new incarnation and its leases are free; rows,
/// terms and the feed go on. A torn end is cut off. Damage before that is refused with DataLoss,
/// file and offset.
///
/// Own log rather than an embedded engine: LMDB (0.9.24, no fsync, no feed beside the table,
/// batches of 64 to 4096) took 0.4-0.5 M records/s where this took 1.6-1.8 M on the same busy
/// machine (bench_file_store, 1M rows, 13 B key, 16 B value), and the feed, which is what replicas
/// follow, would have to be built on top of it all the same.
///
/// Bounds: each handle keeps the tables in memory (as NewMemoryStore). On disc there are the live
/// rows once (the base file), what was written since, and at least `feed_bytes` of feed behind: at
/// most about `feed_bytes` + 3 times the tables. A store whose disc is full answers Unavailable,
/// applies nothing by half, and goes on when there is space.
///
/// Only one user: directory and files belong to the user that all its processes run as (0700,
/// 0600). What others could write to or replace, and symbolic links, are refused.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives the store. Two handles for one path in one process are two
/// processes' worth.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/store.h"
#include "mimi/types.h"

namespace mimi {

struct FileStoreOptions {
  /// The directory. Its parent must exist. Local file systems only: the lock and the wake-up do not
  /// cross hosts.
  std::string path;
  /// Makes the directory and the store where there is none; else that is NotFound.
  bool create = true;

  enum class Fsync : std::uint8_t { kNever, kInterval, kEveryBatch };
  /// The table above. All handles of one store should say the same.
  Fsync fsync = Fsync::kNever;
  /// For kInterval: how much time may be lost with the machine.
  Duration fsync_interval = std::chrono::milliseconds(10);

  /// Bounds each table (store.h).
  std::size_t max_rows = std::size_t{1} << 24;
  /// How long a reader may be away and go on by delta, in bytes of feed. More costs disc only.
  std::size_t feed_bytes = std::size_t{64} << 20;
  /// How long an erased key's version is kept (store.h).
  Duration tombstone_age = std::chrono::seconds(120);
};

/// Opens the store at `options.path`. Loading goes on in slices on the loop: Open, Claim and Lookup
/// wait for it, Apply answers ResourceExhausted meanwhile. What is found damaged then shows in
/// StoreState::reason and in every answer.
/// Errors: InvalidArgument (options), NotFound, FailedPrecondition (permissions, read-only file
/// system, another format version), DataLoss (damaged; file and offset), ResourceExhausted
/// (descriptors, inotify instances), Unavailable (disc full).
absl::StatusOr<std::unique_ptr<StateStore>> NewFileStore(const FileStoreOptions& options,
                                                         Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_FILE_STORE_H_
