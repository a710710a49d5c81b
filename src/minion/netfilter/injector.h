#ifndef MIMI_SRC_MINION_NETFILTER_INJECTOR_H_
#define MIMI_SRC_MINION_NETFILTER_INJECTOR_H_

// Injector: records of Flow rows into the kernel's table, a chunk at a time.
//
//   while (injector.Add(record)) { … }        // false: the chunk is full, or has this key already
//   absl::Status status = injector.Flush();   // the kernel has answered for all of them
//
// A chunk takes one exchange with the kernel in the ordinary case: a Put of a flow that is held
// changes its entry, any other makes one, and the end of a TCP flow demotes its entry. What needs a
// look at the entry first (the end of another protocol's flow, another translation, anything that
// ends while traffic may be here, giving up a row for lack of room) is asked for before, and what
// the kernel refused is looked into afterwards:
//
//   create, EEXIST   the original tuple has an entry: change it, or delete and make it anew when
//   its
//                    translation is another; or the translated tuple is taken: by a flow that has
//                    ended on the other box, which is deleted, or by one that has traffic here: the
//                    row is refused
//   update, ENOENT   it is gone: make it
//
// Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include "mimi/record.h"

#include "src/minion/netfilter/held_flows.h"
#include "src/minion/netfilter/kernel_table.h"

namespace mimi::internal {

struct InjectorCounts {
  std::uint64_t created = 0;
  std::uint64_t updated = 0;
  std::uint64_t demoted = 0;
  std::uint64_t deleted = 0;
  std::uint64_t ends_kept = 0;     ///< the entry has seen traffic here
  std::uint64_t given_up = 0;      ///< the oldest, for lack of room
  std::uint64_t table_full = 0;    ///< refused by the kernel: ENOMEM
  std::uint64_t tuple_taken = 0;   ///< refused: the translated tuple is another flow's
  std::uint64_t not_possible = 0;  ///< refused by the kernel for another reason, or no flow at all
  std::uint64_t refused() const { return given_up + table_full + tuple_taken + not_possible; }
};

class Injector {
 public:
  static constexpr std::size_t kMaxRecords = 256;

  struct Limits {
    std::size_t rows = ~std::size_t{0};
    std::uint32_t standby_timeout = 0;  ///< seconds
    std::uint32_t own_timeout = 0;      ///< of rows that the box wrote itself
    std::uint32_t closing_timeout = 0;
    /// An entry with less left has seen traffic here: its time-out is the kernel's own.
    std::uint32_t touched_below = 0;
  };

  /// `own`: the origin of the box itself.
  explicit Injector(KernelTable& table, HeldFlows& held, Origin own = 0)
      : table_(table), held_(held), own_(own) {}

  void set_limits(const Limits& limits) { limits_ = limits; }
  const Limits& limits() const { return limits_; }
  /// Traffic may be here: what has seen some is not ended from elsewhere.
  void set_traffic_here(bool here) { traffic_here_ = here; }

  bool Add(const RecordView& record);
  /// Errors: Unavailable.
  absl::Status Flush();

  const InjectorCounts& counts() const { return counts_; }
  /// The last few flows whose tuple was taken, in words.
  const std::deque<std::string>& taken() const { return taken_; }

  bool Touched(const CtEntry& entry) const {
    return entry.has(kCtTimeout) && entry.timeout < limits_.touched_below;
  }
  /// TCP that only waits for stragglers.
  static bool Closing(const CtEntry& entry);

 private:
  enum class Want : std::uint8_t { kPut, kEnd, kGiveUp };
  enum class Did : std::uint8_t { kNothing, kCreate, kUpdate, kDemote, kDelete, kRefuse };
  struct Job {
    Want want = Want::kPut;
    bool look = false;
    bool own = false;
    bool keep_timeout = false;
    /// What held_ knows of the key; nullptr: nothing, or not any more.
    HeldFlows::Held* held = nullptr;
    Did did = Did::kNothing;
    HeldFlows::Key key = {};
    std::uint64_t translation = 0;
    CtEntry entry;
    std::size_t request = 0;
  };

  void AddJob(Want want, const RecordView& record);
  void PlanRoom();
  absl::Status Look();
  void Act(Job& job, const CtEntry* seen);
  void ActOnEnd(Job& job, const CtEntry* seen);
  void Write(Job& job);
  absl::Status WriteAll();
  void Settle(Job& job, int error);
  void Forget(Job& job);
  absl::Status Resolve();
  absl::Status FreeTuples(std::vector<Job*>& blocked);
  void Refuse(Job& job, std::uint64_t InjectorCounts::*reason);
  std::uint64_t TranslationOf(std::span<const std::byte> row) const;

  KernelTable& table_;
  HeldFlows& held_;
  Origin own_;
  Limits limits_;
  bool traffic_here_ = false;
  std::vector<Job> jobs_;
  std::vector<Job*> failed_;
  absl::flat_hash_set<std::uint64_t> keys_;  // hashes of the chunk's keys
  InjectorCounts counts_;
  std::deque<std::string> taken_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_INJECTOR_H_
