#ifndef MIMI_SRC_STATE_FENCE_H_
#define MIMI_SRC_STATE_FENCE_H_

// The rules of store.h that need no storage: who may write (Fence), and which batch follows which
// (Continuity).
//
// Every store of ours applies them in the step in which it stores a batch, under whatever makes
// that step atomic:
//
//     absl::StatusOr<bool> is_new = Admit(fence, continuity, batch);
//     … false: stored already; true: store it, and …
//     continuity.Note(batch);
//
// Threads: one at a time. Lifetime: values.

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/record.h"
#include "mimi/store.h"

namespace mimi {

/// The table that is open to every term (control.h).
inline constexpr std::string_view kControlTableName = "mimi.pair";

class Fence {
 public:
  /// A term that was handed out, with what it was asked for.
  struct Claim {
    std::uint64_t term = 0;
    Origin origin = 0;
    ClaimMode mode = ClaimMode::kExclusive;
  };

  /// Terms remembered. Whoever writes with one that 65,536 later claims have
  /// pushed out has to claim anew.
  static constexpr std::size_t kMaxClaims = 65536;

  /// What would be handed out; nothing changes until Note(). `highest_stored`:
  /// the greatest term in any stored row. Errors: Aborted (`expected` does not
  /// hold).
  absl::StatusOr<Claim> Propose(const ClaimRequest& request, std::uint64_t highest_stored) const;
  /// Takes a claim as handed out: one that Propose() made, or one read back
  /// from where it was kept, in their order.
  void Note(const Claim& claim);

  /// Whether the batch's term may write its table now. Errors: Aborted (a newer
  /// exclusive claim), FailedPrecondition (never handed out, or for the control
  /// table only).
  absl::Status Check(const BatchView& batch) const { return Check(batch.table(), batch.term()); }
  absl::Status Check(TableId table, std::uint64_t term) const;

  /// The newest exclusive or shared claim; term 0 when there was none.
  const Claim& newest() const { return newest_; }
  /// The highest term handed out, of any mode.
  std::uint64_t counter() const { return counter_; }
  /// Those remembered, by term.
  const std::vector<Claim>& claims() const { return claims_; }

 private:
  const Claim* Find(std::uint64_t term) const;

  std::uint64_t counter_ = 0;
  Claim newest_;
  std::vector<Claim> claims_;
};

class Continuity {
 public:
  /// true: the batch is the next one of its (table, origin, term), or the
  /// first. false: it was stored before. Errors: Aborted (its writer has written the table under a
  /// newer term: what is still on its way comes too late; not of the control table),
  /// FailedPrecondition (records between are missing, or it overlaps what is stored: sealed batches
  /// never change).
  absl::StatusOr<bool> Check(const BatchView& batch) const;
  void Note(const BatchView& batch);

  struct Entry {
    TableId table = 0;
    Origin origin = 0;
    std::uint64_t term = 0;
    std::uint64_t next = 0;  ///< the sequence that the next record must have
  };
  /// For stores that keep it, and back.
  std::vector<Entry> Entries() const;
  void Restore(const Entry& entry);

 private:
  /// Of each (table, origin) the newest terms are enough: every start of a writer claims a new one.
  static constexpr std::size_t kTermsKept = 16;

  using Key = std::tuple<TableId, Origin, std::uint64_t>;
  std::map<Key, std::uint64_t> next_;
};

/// Continuity's answer, if the fence lets the batch pass; its errors are those of both.
absl::StatusOr<bool> Admit(const Fence& fence, const Continuity& continuity,
                           const BatchView& batch);

}  // namespace mimi

#endif  // MIMI_SRC_STATE_FENCE_H_
