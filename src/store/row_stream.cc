#include "src/store/row_stream.h"

#include <algorithm>

namespace mimi::internal {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;

}  // namespace

RowStream::RowStream(const RowMaps& tables, TableId table) : maps_(tables) {
  for (const auto& [id, rows] : tables) {
    if (table == 0 || id == table) {
      tables_.push_back(id);
    }
  }
}

bool RowStream::Append(const RecordView& record) {
  return builder_->AppendVersioned(record);
}

void RowStream::TakeRows(RowMap& rows, std::uint32_t steps) {
  const std::size_t key_size = rows.schema().key_size();
  const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows.end(), next_ + steps));
  auto at = static_cast<std::uint32_t>(next_);
  bool full = false;
  while (at < end && !full) {
    at = rows.Walk(at, 1, [&](const RowMap::Row& row) {
      full = !Append({Op::kPut, row.row, row.row.first(key_size), row.origin, row.version});
    });
    at -= full ? 1U : 0U;
  }
  next_ = at;
  if (!full && at >= rows.end()) {
    phase_ = Phase::kTombstones;
    next_ = 0;
  }
}

void RowStream::TakeTombstones(const RowMap& rows, std::uint32_t steps) {
  bool full = false;
  for (std::uint32_t i = 0; i < steps && next_ < rows.tombstones_end() && !full; ++i) {
    const std::uint64_t after = rows.WalkTombstones(next_, 1, [&](const RowMap::Tombstone& stone) {
      full = !Append({Op::kErase, {}, stone.key, stone.origin, stone.version});
    });
    next_ = full ? next_ : after;
  }
  if (!full && next_ >= rows.tombstones_end()) {
    ++at_;
    phase_ = Phase::kRows;
    next_ = 0;
  }
}

std::optional<BatchView> RowStream::Next(std::uint32_t steps, std::uint64_t term, UnixTime time) {
  if (done()) {
    return std::nullopt;
  }
  const auto found = maps_.find(tables_[at_]);
  if (found == maps_.end()) {
    ++at_;
    return std::nullopt;
  }
  RowMap* const rows = found->second.get();
  const bool first_of_table = phase_ == Phase::kRows && next_ == 0;
  if (first_of_table || rows->schema().row_size() != builder_row_size_) {
    extended_ = extended_ || !first_of_table;
    builder_ = std::make_unique<BatchBuilder>(rows->schema(), 0, kBatchBytes);
    builder_row_size_ = rows->schema().row_size();
  }
  builder_->Clear();
  if (phase_ == Phase::kRows) {
    TakeRows(*rows, steps);
  } else {
    TakeTombstones(*rows, steps);
  }
  if (builder_->empty()) {
    return std::nullopt;
  }
  return builder_->Seal(term, 0, time);
}

}  // namespace mimi::internal
