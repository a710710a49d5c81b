#ifndef MIMI_STORE_H_
#define MIMI_STORE_H_

/// \file
/// StateStore: the state repository of one *pair* (a box and its minion), shared by all roles that
/// serve it.
///
/// Driver, minion and manager meet only here. A store keeps the pair's tables, the *feed* (every
/// sealed batch in one order, each at a Position), and the *term*, the number that says who may
/// write. It serves three readings: one key (Lookup), everything (Snapshot), and changes since a
/// position (Watch).
///
///     std::unique_ptr<StateStore> store = NewMemoryStore({}, loop);
///     store->Open(schema, [](absl::Status opened) { … });
///     store->Claim({.origin = OriginOf("edge1")},
///                  [&](absl::StatusOr<Claimed> claim) { term = claim->term; });
///     store->Apply(batch);                                   // sealed with that term
///     auto cursor = store->Watch({}, wake);                  // from the beginning
///
/// Threads: the loop thread only (the Loop given to the factory). Stores of several processes, or
/// several handles, may share one repository (file, Redis); they see each other's writes.
/// Lifetime: a cursor or lease must not outlive its store; a callback is dropped, not called, when
/// the store goes.
///
/// Implementing (the contract suite in mimi/contract/store_contract.h checks all of it):
/// - Callbacks run on the loop thread and never inside the call that they answer (Loop::Post).
/// - **Terms.** The repository holds one counter per pair. Claim adds one to the greatest of: the
///   counter, `floor`, and every term in any stored row, and returns it with the head position. A
///   batch's term must have been handed out. State tables: after an *exclusive* claim only its own
///   term may write: an older one is Aborted, in the same atomic step in which the batch would have
///   been stored. After a *shared* claim, all terms handed out may write and row versions decide.
///   Once a writer (origin) has written a table under a term, its own older terms are Aborted
///   there. The control table (name "mimi.pair", control.h) is open to every term handed out, at
///   any time.
/// - **Versions.** A record whose version is not newer than the row's (or its tombstone's) changes
///   nothing, but a batch is kept in the feed whole. Batches of one (table, origin, term) continue
///   each other: one that was stored already (its last sequence is not newer) is accepted and not
///   stored again; one that leaves a gap is FailedPrecondition. The first batch of a term may start
///   at any sequence.
/// - **Lines.** Open refuses a schema of another line (FailedPrecondition, naming the fields), and
///   keeps the longest of the line. A batch is accepted when its fingerprint is a prefix of that
///   schema (else InvalidArgument). A Put with a shorter row keeps the stored tail; of a new row,
///   the defaults.
/// - **Tombstones.** An erase leaves its version for `tombstone_age`, and until the feed behind it
///   is trimmed.
/// - **Positions** hold within one *incarnation*, a random number made with the repository. Each
///   batch moves the head by its count of records, or by 1 when it has none, so that a difference
///   of positions reads as records.
/// - **The feed is bounded.** Watch from a position that is trimmed, or of another incarnation, is
///   DataLoss: the caller loads a snapshot and watches from its position.
/// - **max_rows** bounds each table: a Put of a new key beyond it is left out of the table, counted
///   (`table_full`), and the rest of the batch is stored; the batch's Apply is still OK. The same
///   records are skipped by every reader of the feed, since each of them holds the same bound: the
///   pair shows `degraded` while rows are missing (`rows_missing`). When there is room again the
///   writer resyncs; a whole resync that leaves nothing out makes it 0.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/lease.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/sink.h"

namespace mimi {

enum class ClaimMode : std::uint8_t {
  kExclusive,  ///< managed take-over: fences every older term
  kShared,   ///< `steering = passive`: both boxes may speak, the newest claimant holds the traffic
  kControl,  ///< a term for the control table only; fences nobody
};

struct ClaimRequest {
  Origin origin = 0;
  ClaimMode mode = ClaimMode::kExclusive;
  /// The highest term that the caller ever saw; the new one is above it.
  std::uint64_t floor = 0;
  /// Claim only if the newest exclusive or shared claim still has this term (0: none yet); else
  /// Aborted, and nothing changes.
  std::optional<std::uint64_t> expected = {};
};

struct Claimed {
  std::uint64_t term = 0;
  /// The feed's head at the claim: nothing of an older exclusive term comes after it. This is the
  /// fence.
  Position head = 0;
};

/// Where a cursor starts. The default is the beginning of the feed.
struct WatchFrom {
  std::uint64_t incarnation = 0;  ///< 0: whichever the store has
  Position position = 0;          ///< deliver what comes after it
};

/// A stream of batches, pulled by its reader, so that a slow reader slows nobody else.
class Cursor {
 public:
  virtual ~Cursor() = default;

  /// The next batch, valid until the next call. nullopt: nothing now; `wake` will be called, once,
  /// when there is (a snapshot: unless done()). Errors: DataLoss (the feed was trimmed past this
  /// reader, or the repository was replaced: load a snapshot), Unavailable (try again after
  /// `wake`).
  virtual absl::StatusOr<std::optional<BatchView>> Next() = 0;

  /// Watch: after the batch returned last. Snapshot: the position P that it was taken at: rows may
  /// be newer than P, never older.
  virtual Position position() const = 0;

  /// Snapshot: every row was delivered. Watch: never.
  virtual bool done() const = 0;
};

/// What a store says of itself, for status and metrics. Counters only grow while the handle lives.
struct StoreState {
  bool available = true;
  std::string reason;             ///< why not, or what it waits for
  std::uint64_t incarnation = 0;  ///< 0 while unknown
  Position head = 0;
  Position trimmed = 0;    ///< the feed starts after this position
  std::uint64_t term = 0;  ///< the newest exclusive or shared claim
  Origin claimant = 0;
  ClaimMode mode = ClaimMode::kExclusive;
  std::uint64_t rows = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t feed_bytes = 0;
  std::uint64_t memory_bytes = 0;  ///< rows and index, the feed apart
  std::uint64_t table_full = 0;    ///< Puts left out because of max_rows
  std::uint64_t fenced = 0;        ///< batches refused with Aborted
  std::uint64_t stale = 0;         ///< records that a newer version outranked
  /// Tombstones forgotten before `tombstone_age` because there were too many: older Puts of these
  /// keys could come back.
  std::uint64_t tombstones_dropped = 0;
  std::uint64_t rows_missing = 0;  ///< left out, as far as this handle saw, and not brought since
  std::uint64_t missing_fit = 0;   ///< of these, how many there is room for now
};

class StateStore : public StateSink {
 public:
  using StatusCallback = std::function<void(absl::Status)>;
  using ClaimCallback = std::function<void(absl::StatusOr<Claimed>)>;
  /// The row (valid until return) and its version, or NotFound.
  struct Found {
    std::span<const std::byte> row;
    Origin origin = 0;
    Version version;
  };
  using LookupCallback = std::function<void(absl::StatusOr<Found>)>;

  /// Makes the table known, or joins it. Idempotent. Errors: FailedPrecondition (another line),
  /// Unavailable.
  virtual void Open(const StateSchema& schema, StatusCallback done) = 0;

  /// Asks for a new term. Errors: Aborted (`expected` does not hold), Unavailable.
  virtual void Claim(const ClaimRequest& request, ClaimCallback done) = 0;

  /// Every batch of every table after `from`. `wake` runs on the loop thread.
  virtual absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                        std::function<void()> wake) = 0;

  /// Every live row of one table (0: of all), in kBatchVersioned batches, and every tombstone as an
  /// erase, so that a Put that an erase outranks does not come back in the reader alone. Writers go
  /// on meanwhile.
  virtual absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                           std::function<void()> wake) = 0;

  /// One row by its key. Errors: NotFound, Unavailable, InvalidArgument (key size, table not open).
  virtual void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) = 0;

  /// A lease kept beside the pair, for managers. `name` tells leases apart; `owner` is this
  /// process's node.
  virtual std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) = 0;

  virtual StoreState state() const = 0;

  /// The longest schema of the table's line, as far as this handle knows. nullopt: not open.
  virtual std::optional<StateSchema> schema(TableId table) const = 0;
};

}  // namespace mimi

#endif  // MIMI_STORE_H_
