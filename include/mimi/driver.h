#ifndef MIMI_DRIVER_H_
#define MIMI_DRIVER_H_

/// \file
/// Driver: how a box's state is learnt.
///
/// A driver sits wherever it can see the box's state (inside it, at its syslog, at the kernel's
/// events, at a copy of its traffic, at its configuration) and turns what it sees into records of
/// one table. Code inside the box that has a packet loop of its own needs no driver: it writes to a
/// Lane (publisher.h).
///
///     class MyDriver : public Driver {
///       absl::Status Start(StateSink& sink) override {
///         sink_ = &sink;
///         return loop_.WatchFd(fd_, kReadable, [this](std::uint32_t) { ReadEvents(); });
///       }
///       void OnEvent(const Event& e) {
///         builder_.Put(RowOf(e));                       // BatchBuilder, record.h
///         if (sink_->Apply(builder_.Draft()).ok()) { builder_.Clear(); }
///       }
///
/// Threads: the loop thread only.
/// Lifetime: a driver outlives the engine that it is given to; the sink is valid from Start() to
/// Stop().
///
/// Implementing:
/// - *Start* opens the source and begins to Apply. The engine has a resync wanted from the
///   beginning: Resync() follows.
/// - *Apply* takes unsealed drafts (BatchBuilder::Draft): term, sequence and checksum are the
///   pipeline's. Drafts hold rows of schema(), and come as soon as there is something, at the
///   latest at the end of the callback that learnt it. ResourceExhausted comes only while walking:
///   keep the draft, and offer it again when Resync() is called again.
/// - *An erase* is kErase when the protocol ended the flow (FIN, RST, a log's "teardown"),
///   kEraseAbrupt when it just vanished (time-out, flush, reload): the pipeline holds those back
///   for a moment, because a dying box emits them for every flow. So it does with a burst of
///   kErase, unless coverage() says that each was seen in a packet.
/// - *Resync* asks for a walk: a draft with kBatchResyncBegin, a Put for every live row, a draft
///   with kBatchResyncEnd, in slices of at most 1 ms. What happens during the walk is applied after
///   it, or in between if the source's order is certain. It is called again for a walk that is
///   under way when there is room after ResourceExhausted. A source that cannot be walked returns
///   Unimplemented, and says so in coverage().
/// - *Loss* (a full buffer, a gap in numbers, a line dropped by the kernel) is told at once through
///   DriverState::lost, which only grows; the engine answers with one Resync(). Never repair
///   silently.
/// - *A bad input* is data, not an error: count its reason, and go on.

#include <cstdint>
#include <string>

#include "absl/status/status.h"

#include "mimi/metrics.h"
#include "mimi/schema.h"
#include "mimi/sink.h"
#include "mimi/types.h"

namespace mimi {

/// What a source can know. It decides what the pair may promise, and is shown to the operator.
struct Coverage {
  /// A new flow is seen when it begins. false: only at its end, so live flows are unknown.
  bool begins = true;
  bool ends = true;  ///< the end of every flow is seen. false: rows age out by their duration field
  bool walkable = true;  ///< the live rows can be walked, so that a loss can be repaired
  bool complete = true;  ///< every flow is seen. false: a sample, or known kinds are left out
  /// Each kErase was seen in a packet of its flow (FIN, RST), not told by the box: however many
  /// come at once, they are no sign of its death, and none is held back. Needs `ends`.
  bool ends_in_packets = false;
  /// For people: what this source cannot know. Empty when there is nothing.
  std::string limits;
};

struct DriverState {
  bool healthy = true;
  std::string reason;         ///< why not
  std::uint64_t rows = 0;     ///< live rows known to the source, 0 if it does not count them
  std::uint64_t events = 0;   ///< events that meant something
  std::uint64_t refused = 0;  ///< inputs that meant nothing, all reasons together
  std::uint64_t lost = 0;     ///< known to be lost: each growth leads to a resync
  bool walking = false;
};

class Driver {
 public:
  virtual ~Driver() = default;

  /// The table that this driver fills.
  virtual const StateSchema& schema() const = 0;

  /// Errors: Unavailable (the source is not there), FailedPrecondition (rights, kernel features:
  /// said by name).
  virtual absl::Status Start(StateSink& sink) = 0;
  virtual absl::Status Resync() = 0;
  /// After this the driver does not call the sink any more. Idempotent.
  virtual void Stop() = 0;

  virtual Coverage coverage() const = 0;
  virtual DriverState state() const = 0;
  /// Counters of its own, refusals by reason among them.
  virtual void Collect(MetricList& metrics) const { (void)metrics; }
};

}  // namespace mimi

#endif  // MIMI_DRIVER_H_
