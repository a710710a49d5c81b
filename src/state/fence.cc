#include "src/state/fence.h"

#include <algorithm>

#include "src/base/status.h"

namespace mimi {
namespace {

bool IsControl(TableId table) {
  static const TableId kControlTable = TableIdOf(kControlTableName);
  return table == kControlTable;
}

}  // namespace

absl::StatusOr<Fence::Claim> Fence::Propose(const ClaimRequest& request,
                                            std::uint64_t highest_stored) const {
  if (request.expected.has_value() && *request.expected != newest_.term) {
    return Error(absl::StatusCode::kAborted, "claim: the newest claim has term {}, expected {}",
                 newest_.term, *request.expected);
  }
  const std::uint64_t highest = std::max({counter_, request.floor, highest_stored});
  if (highest + 1 == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "claim: no term is above {}", highest);
  }
  return Claim{highest + 1, request.origin, request.mode};
}

void Fence::Note(const Claim& claim) {
  counter_ = std::max(counter_, claim.term);
  if (claim.mode != ClaimMode::kControl) {
    newest_ = claim;
  }
  if (claims_.size() >= kMaxClaims) {
    claims_.erase(claims_.begin(), claims_.begin() + kMaxClaims / 2);
  }
  claims_.push_back(claim);
}

const Fence::Claim* Fence::Find(std::uint64_t term) const {
  const auto found =
      std::lower_bound(claims_.begin(), claims_.end(), term,
                       [](const Claim& claim, std::uint64_t t) { return claim.term < t; });
  return found != claims_.end() && found->term == term ? &*found : nullptr;
}

absl::Status Fence::Check(TableId table, std::uint64_t term) const {
  const bool exclusive = newest_.term != 0 && newest_.mode == ClaimMode::kExclusive;
  if (exclusive && term == newest_.term) {  // nearly always
    return absl::OkStatus();
  }
  const bool control = IsControl(table);
  if (!control && exclusive && term < newest_.term) {
    return Error(absl::StatusCode::kAborted, "term {} is fenced: term {} was claimed", term,
                 newest_.term);
  }
  const Claim* claim = Find(term);
  if (claim == nullptr) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "term {} was never handed out; the highest is {}", term, counter_);
  }
  if (!control && claim->mode == ClaimMode::kControl) {
    return Error(absl::StatusCode::kFailedPrecondition, "term {} is for the control table only",
                 term);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Continuity::Check(const BatchView& batch) const {
  const Key key(batch.table(), batch.origin(), batch.term());
  const auto newer = next_.upper_bound(key);
  if (newer != next_.end() && std::get<0>(newer->first) == batch.table() &&
      std::get<1>(newer->first) == batch.origin() && !IsControl(batch.table())) {
    return Error(absl::StatusCode::kAborted, "term {} is fenced: its writer has written under {}",
                 batch.term(), std::get<2>(newer->first));
  }
  const auto found = next_.find(key);
  const std::uint64_t first = batch.first_sequence();
  if (found == next_.end() || first == found->second) {
    return true;
  }
  const std::uint64_t next = found->second;
  if (first < next && first + batch.size() <= next) {
    return false;
  }
  return Error(absl::StatusCode::kFailedPrecondition,
               "batch of term {} has sequences {} to {}, but {} is the next expected", batch.term(),
               first, first + batch.size(), next);
}

void Continuity::Note(const BatchView& batch) {
  Restore({batch.table(), batch.origin(), batch.term(), batch.first_sequence() + batch.size()});
}

void Continuity::Restore(const Entry& entry) {
  const auto [at, is_new] =
      next_.insert_or_assign({entry.table, entry.origin, entry.term}, entry.next);
  if (!is_new) {
    return;
  }
  const auto first = next_.lower_bound({entry.table, entry.origin, 0});
  const auto last = next_.upper_bound({entry.table, entry.origin, ~std::uint64_t{0}});
  if (static_cast<std::size_t>(std::distance(first, last)) > kTermsKept) {
    next_.erase(first);
  }
}

absl::StatusOr<bool> Admit(const Fence& fence, const Continuity& continuity,
                           const BatchView& batch) {
  if (absl::Status may_write = fence.Check(batch); !may_write.ok()) {
    return may_write;
  }
  return continuity.Check(batch);
}

std::vector<Continuity::Entry> Continuity::Entries() const {
  std::vector<Entry> entries;
  entries.reserve(next_.size());
  for (const auto& [key, next] : next_) {
    entries.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), next});
  }
  return entries;
}

}  // namespace mimi
