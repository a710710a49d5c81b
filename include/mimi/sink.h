#ifndef MIMI_SINK_H_
#define MIMI_SINK_H_

/// \file
/// StateSink: everything that takes state, with one verb.
///
/// A lane's pump, a store, a minion and a fake in a test are all sinks. State moves downstream
/// only, by Apply; upstream moves nothing but a Position.
///
/// Threads: the loop thread only.
/// Lifetime: a sink outlives whoever applies to it.
///
/// Implementing:
/// - Apply *accepts*: on OK the sink has copied what it needs, and the batch's bytes may go away.
///   It returns the sink's own count of the place where this batch will be confirmed: never less
///   than the last one returned.
/// - Confirmation comes later: confirmed() >= that position. For a store this means readable by
///   Watch (and durable as its options say); for a minion, in the data plane. It never goes back,
///   and never grows inside Apply of a sink that can still lose the batch.
/// - An error that shows after OK was given is the answer to the next Apply of the same table,
///   origin and term, once. A writer that has begun a newer term is not told of an older one's.
/// - Nothing is half-applied: a batch that is refused has changed nothing.
/// - Applying a batch again, or an older one, is harmless: versions decide (record.h). Whoever gets
///   no confirmation sends the same bytes again.
///
/// Errors of Apply, and what the caller does:
///   ResourceExhausted   nothing was taken: back-pressure; offer it again at the next tick
///   Unavailable         nothing was taken, and what was accepted but not confirmed may be lost:
///   offer it all again,
///                       from the oldest unconfirmed batch on, with back-off
///   Aborted             fenced: a newer term exists; stop writing and follow DataLoss
///   the bytes are damaged; never retried InvalidArgument, FailedPrecondition   wrong table, schema
///   or term: a mistake; never retried

#include "absl/status/statusor.h"

#include "mimi/record.h"

namespace mimi {

class StateSink {
 public:
  virtual ~StateSink() = default;

  virtual absl::StatusOr<Position> Apply(const BatchView& batch) = 0;

  /// Everything accepted up to here has arrived. Cheap: it is read once per tick.
  virtual Position confirmed() const = 0;
};

}  // namespace mimi

#endif  // MIMI_SINK_H_
