#include "src/engine/control_board.h"

#include <algorithm>
#include <cstddef>

#include "mimi/typed.h"

namespace mimi {

const StateSchema& ControlSchema() {
  return StateSchema::Of<PairRow>();
}

namespace internal {
namespace {

constexpr std::size_t kWantedIndex = 4;

std::size_t IndexOf(PairRowKind kind, Side side) {
  if (kind == PairRowKind::kWanted) {
    return kWantedIndex;
  }
  return (side == Side::kMinion ? 2U : 0U) + (kind == PairRowKind::kSink ? 1U : 0U);
}

}  // namespace

const PairRow* ControlBoard::wanted() const {
  return forced_.has_value() ? &*forced_ : stored_wanted();
}

const ControlBoard::Part& ControlBoard::part(PairRowKind kind, Side side) const {
  return parts_[IndexOf(kind, side)];
}

// The new repository's terms are above the old one's only if somebody told it; nothing can be
// compared.
void ControlBoard::OnOtherIncarnation() {
  if (const PairRow* const row = wanted(); row != nullptr) {
    before_ = *row;
  }
  loaded_ = false;
  wanted_ = Part();
  parts_.fill(Part());
}

void ControlBoard::OnLoadBegin(Position /*position*/) {
  loading_ = true;
  mentioned_.fill(false);
}

void ControlBoard::OnBatch(const BatchView& batch, Position /*after*/, bool snapshot) {
  for (const RecordView record : batch) {
    if (record.op == Op::kPut) {
      Take(record, snapshot);
    }
  }
}

// What the repository does not know any more (it was replaced by an empty one) must not be believed
// for ever.
void ControlBoard::OnLoadEnd() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!mentioned_[i]) {
      parts_[i] = Part();
    }
  }
  if (!mentioned_[kWantedIndex]) {
    wanted_ = Part();
  }
  loading_ = false;
  ++changes_;
  loaded_ = true;
}

void ControlBoard::Take(const RecordView& record, bool snapshot) {
  PairRow row;
  if (!DecodeRow(record.row, &row)) {
    return;  // not a row of ours; the store has checked the schema, so this is damage that the checksum did not see
  }
  const std::size_t index = IndexOf(row.kind, row.side);
  Part& part = index == kWantedIndex ? wanted_ : parts_[index];
  highest_term_ = std::max(highest_term_, record.version.term);
  if (loading_) {
    mentioned_[index] = true;
  }
  if (record.version <= part.version) {
    return;
  }
  const bool moved = part.known() && (part.row.beat != row.beat || part.row.node != row.node);
  part.version = record.version;
  part.row = row;
  ++changes_;
  // A later manager's row ends what ours has set; our own coming back ends the difference.
  if (index == kWantedIndex && forced_.has_value() &&
      (row.lease_term > forced_->lease_term ||
       (row.lease_term == forced_->lease_term && row.since == forced_->since &&
        row.phase == forced_->phase && row.writer == forced_->writer &&
        row.fence == forced_->fence && row.active == forced_->active &&
        row.redirected == forced_->redirected))) {
    forced_.reset();
  }
  if (!snapshot || moved) {
    part.heard = clock_.now();
  }
}

}  // namespace internal
}  // namespace mimi
