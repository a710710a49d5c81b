#ifndef MIMI_CONTROL_H_
#define MIMI_CONTROL_H_

/// \file
/// The control table `mimi.pair`: how the roles of a pair speak to each other.
///
/// Roles in different processes meet only in the store. What a manager wants and what the boxes'
/// agents have reached are ordinary records of an ordinary table, with versions, in the same feed
/// as the state; there is no second protocol. One row says what is wanted; each part of each box
/// (its *source*, which publishes, and its *sink*, which takes state) reports in a row of its own.
/// An older manager's row never replaces a newer one's, since its term is lower.
///
/// Most users never touch this: Engine reads and writes it. It is public so that other programs can
/// follow a pair.
///
/// Threads: values; any.

#include <cstdint>

#include "mimi/failover.h"
#include "mimi/typed.h"
#include "mimi/types.h"

namespace mimi {

enum class PairRowKind : std::uint8_t { kWanted = 0, kSource = 1, kSink = 2 };

template <>
struct EnumNames<PairRowKind> {
  static constexpr EnumName<PairRowKind> kNames[] = {{"wanted", PairRowKind::kWanted},
                                                     {"source", PairRowKind::kSource},
                                                     {"sink", PairRowKind::kSink}};
};
template <>
struct EnumNames<Side> {
  static constexpr EnumName<Side> kNames[] = {{"primary", Side::kPrimary},
                                              {"minion", Side::kMinion}};
};
template <>
struct EnumNames<Phase> {
  static constexpr EnumName<Phase> kNames[] = {{"on_primary", Phase::kOnPrimary},
                                               {"diverting", Phase::kDiverting},
                                               {"on_minion", Phase::kOnMinion},
                                               {"restoring", Phase::kRestoring}};
};
template <>
struct EnumNames<Readiness> {
  static constexpr EnumName<Readiness> kNames[] = {{"ready", Readiness::kReady},
                                                   {"syncing", Readiness::kSyncing},
                                                   {"degraded", Readiness::kDegraded},
                                                   {"blind", Readiness::kBlind}};
};

/// One row of `mimi.pair`. Fields that a kind does not use stay at their defaults.
struct PairRow {
  static constexpr std::string_view kTable = "mimi.pair";

  // Key.
  PairRowKind kind = PairRowKind::kWanted;
  Side side = Side::kPrimary;  ///< of a report; kPrimary for kWanted

  // kWanted, written by the acting manager.
  Phase phase = Phase::kOnPrimary;
  /// Whose source may claim and publish. Changes last in a planned move (DESIGN promise 4).
  Side writer = Side::kPrimary;
  bool planned = false;
  std::uint64_t lease_term = 0;  ///< of the manager that wrote this
  std::uint64_t fence = 0;       ///< the term claimed for the move, 0 while unfenced
  UnixTime since{};              ///< when the phase began
  /// kWanted: the target's sinks are to be active (a move has come to kActivate). A source: it
  /// publishes. A sink: it is between Activate and Retire.
  bool active = false;

  // kSource and kSink, written by the process that runs the part.
  std::uint64_t node = 0;  ///< Origin
  std::uint64_t beat = 0;  ///< grows with every report: silence can be told from quiet
  bool healthy = false;
  bool syncing = false;  ///< a resync or a load is running
  Readiness readiness = Readiness::kBlind;
  Phase reached = Phase::kOnPrimary;  ///< the wanted phase that this part has acted upon
  std::uint64_t term = 0;             ///< a source: the term it writes under
  /// A source: the store's position of what it sent last; a sink: the feed's position that is
  /// confirmed in its data plane.
  std::uint64_t position = 0;
  std::uint64_t waiting = 0;  ///< a source: records not confirmed yet
  std::uint64_t rows = 0;
  std::uint64_t lost = 0;
  std::uint64_t refused = 0;
  std::uint64_t resyncs = 0;  ///< a source: resyncs completed; a sink: loads completed
  Duration staleness_p50{};   ///< a sink
  Duration staleness_p99{};
  Duration staleness_max{};
  std::uint64_t differing = 0;  ///< a sink: rows that differed at the last audit
  UnixTime audited{};           ///< when that audit ended; 0: none since the last load
  /// A sink that cannot show what it holds (Minion::Audit is Unimplemented).
  bool unauditable = false;
  std::uint8_t coverage = 0;  ///< a source: 1 begins, 2 ends, 4 walkable, 8 complete
  Text<96> reason;            ///< why not healthy or ready; for kWanted why the move was made
  /// kWanted, in a moving phase: the traffic has been sent to the target.
  bool redirected = false;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(kind)), Key(CEREAL_NVP(side)), CEREAL_NVP(phase), CEREAL_NVP(writer),
       CEREAL_NVP(planned), CEREAL_NVP(lease_term), CEREAL_NVP(fence), CEREAL_NVP(since),
       CEREAL_NVP(active), CEREAL_NVP(node), CEREAL_NVP(beat), CEREAL_NVP(healthy),
       CEREAL_NVP(syncing), CEREAL_NVP(readiness), CEREAL_NVP(reached), CEREAL_NVP(term),
       CEREAL_NVP(position), CEREAL_NVP(waiting), CEREAL_NVP(rows), CEREAL_NVP(lost),
       CEREAL_NVP(refused), CEREAL_NVP(resyncs), CEREAL_NVP(staleness_p50),
       CEREAL_NVP(staleness_p99), CEREAL_NVP(staleness_max), CEREAL_NVP(differing),
       CEREAL_NVP(audited), CEREAL_NVP(unauditable), CEREAL_NVP(coverage), CEREAL_NVP(reason),
       CEREAL_NVP(redirected));
  }
};

/// The schema of PairRow.
const StateSchema& ControlSchema();

}  // namespace mimi

#endif  // MIMI_CONTROL_H_
