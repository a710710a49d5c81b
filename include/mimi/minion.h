#ifndef MIMI_MINION_H_
#define MIMI_MINION_H_

/// \file
/// Minion: the software network function that stands beside the box and holds its state ready.
///
/// It is a StateSink: the replica applies every change as it arrives, so that a take-over moves
/// traffic and nothing else. The same interface puts state back into a primary that can be written
/// to.
///
/// Threads: the loop thread only. Callbacks (`done`) run there, never inside the call that they
/// answer.
/// Lifetime: a minion outlives the engine that it is given to.
///
/// Implementing (the contract suite in mimi/contract/minion_contract.h checks it):
/// - *Warm* makes the data plane ready to hold state without forwarding anything of its own accord:
///   what it does not know, it does not touch. Called before the first Apply, and again after the
///   minion was Unavailable. Idempotent.
/// - *Apply* takes sealed or versioned batches, already filtered: every record in it is to be done,
///   in this order. A Put replaces what the key had. confirmed() moves when the data plane has
///   answered. A row that the data plane cannot hold is counted in MinionState::refused by reason,
///   and the rest of the batch goes on.
/// - *Activate* and *Retire* say that traffic is coming, or has gone. State stays; a minion whose
///   state is hot has little to do.
/// - *Audit* shows what the data plane really holds, in slices, from wherever the last slice ended.
/// - Destroying the object leaves the data plane as it is: a crash or an upgrade of this process
///   must not cut a flow.
///
/// Errors of Apply: as in sink.h; Unavailable means that the data plane may have lost state: it
/// will be warmed and loaded again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/metrics.h"
#include "mimi/schema.h"
#include "mimi/sink.h"

namespace mimi {

struct MinionState {
  bool healthy = true;
  std::string reason;          ///< why not, or what is short (a table near its limit)
  bool active = false;         ///< between Activate and Retire
  std::uint64_t rows = 0;      ///< held in the data plane
  std::uint64_t capacity = 0;  ///< rows that it can hold; 0: not known
  std::uint64_t refused = 0;   ///< rows that it could not hold
};

/// Receives what an audit finds in the data plane.
class AuditVisitor {
 public:
  virtual ~AuditVisitor() = default;
  /// One row that is held. Its soft fields (schema.h) are not compared.
  virtual void Row(std::span<const std::byte> row) = 0;
  /// Something that is there but cannot be a row of ours ("foreign", "tuple_taken", …), for the
  /// report.
  virtual void Finding(std::string_view kind, std::string_view detail) = 0;
};

class Minion : public StateSink {
 public:
  using StatusCallback = std::function<void(absl::Status)>;

  /// The table that it holds.
  virtual const StateSchema& schema() const = 0;

  virtual void Warm(StatusCallback done) = 0;
  virtual void Activate(StatusCallback done) = 0;
  virtual void Retire(StatusCallback done) = 0;

  /// Shows up to `budget` rows (a slice of at most 1 ms). True when this slice ended the pass; the
  /// next call begins a new one.
  /// Errors: Unimplemented (nothing can be compared: the pair says so), Unavailable.
  virtual absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) = 0;

  virtual MinionState state() const = 0;
  virtual void Collect(MetricList& metrics) const { (void)metrics; }
};

}  // namespace mimi

#endif  // MIMI_MINION_H_
