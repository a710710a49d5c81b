#include "src/store/memory_cursors.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kSnapshotBatch = 32 * 1024;
// Entries that one Next() looks at: with the copying about 0.2 ms, and a table with more holes than
// rows does not stall.
constexpr std::size_t kEntriesPerCall = 8192;

}  // namespace

MemoryWatch::MemoryWatch(std::shared_ptr<MemoryRepository> repository,
                         const MemoryFeed::Reader& reader, Loop& loop, std::function<void()> wake)
    : repository_(std::move(repository)),
      reader_(reader),
      waiter_(std::make_shared<MemoryRepository::Waiter>()) {
  waiter_->loop = &loop;
  waiter_->wake = std::move(wake);
}

absl::StatusOr<std::optional<BatchView>> MemoryWatch::Next() {
  BatchView batch;
  switch (repository_->feed().Next(&reader_, &batch)) {
    case MemoryFeed::Step::kBatch:
      return batch;
    case MemoryFeed::Step::kNothing:
      repository_->WakeAtNext(waiter_);
      return std::nullopt;
    case MemoryFeed::Step::kGone:
      break;
  }
  return Error(absl::StatusCode::kDataLoss, "watch: position {} is gone, the feed starts after {}",
               reader_.position(), repository_->feed().trimmed());
}

MemorySnapshot::MemorySnapshot(std::shared_ptr<MemoryRepository> repository,
                               std::vector<TableId> tables, Loop& loop, std::function<void()> wake)
    : repository_(std::move(repository)),
      tables_(std::move(tables)),
      position_(repository_->feed().head()),
      clock_(loop),
      waiter_(std::make_shared<MemoryRepository::Waiter>()) {
  waiter_->loop = &loop;
  waiter_->wake = std::move(wake);
  BeginTable();
}

void MemorySnapshot::BeginTable() {
  if (done()) {
    return;
  }
  RowMap& rows = *repository_->table(tables_[table_]);
  row_ = 0;
  rows_end_ = rows.end();  // what comes behind it is newer than position_
  tombstone_ = 0;
  tombstones_end_ = ~std::uint64_t{0};
}

void MemorySnapshot::FillFrom(RowMap& rows) {
  if (!builder_.has_value() || builder_->table() != rows.schema().table() ||
      builder_->fingerprint() != rows.schema().fingerprint()) {
    builder_.emplace(rows.schema(), Origin{0}, kSnapshotBatch);
  }
  builder_->Clear();
  // Never more than fits: an entry carries origin, term and sequence.
  const std::size_t entry = 1 + 24 + rows.schema().row_size();
  const std::size_t fits =
      std::max<std::size_t>(1, (kSnapshotBatch - kBatchHeaderSize - kBatchTrailerSize) / entry);
  std::size_t budget = kEntriesPerCall;
  while (budget > 0 && row_ < rows_end_ && builder_->size() < fits) {
    const std::size_t steps =
        std::min({budget, fits - builder_->size(), std::size_t{rows_end_ - row_}});
    row_ =
        rows.Walk(row_, static_cast<std::uint32_t>(steps), [this, &rows](const RowMap::Row& row) {
          builder_->AppendVersioned({.op = Op::kPut,
                                     .row = row.row,
                                     .key = row.row.first(rows.schema().key_size()),
                                     .origin = row.origin,
                                     .version = row.version});
        });
    budget -= steps;
  }
  if (row_ < rows_end_) {
    return;
  }
  if (tombstones_end_ ==
      ~std::uint64_t{0}) {  // those until now: also the rows erased behind the walk
    tombstones_end_ = rows.tombstones_end();
  }
  while (budget > 0 && tombstone_ < tombstones_end_ && builder_->size() < fits) {
    const std::uint64_t steps =
        std::min<std::uint64_t>({budget, fits - builder_->size(), tombstones_end_ - tombstone_});
    tombstone_ = rows.WalkTombstones(tombstone_, steps, [this](const RowMap::Tombstone& tombstone) {
      builder_->AppendVersioned({.op = Op::kErase,
                                 .row = {},
                                 .key = tombstone.key,
                                 .origin = tombstone.origin,
                                 .version = tombstone.version});
    });
    budget -= steps;
  }
}

absl::StatusOr<std::optional<BatchView>> MemorySnapshot::Next() {
  while (!done()) {
    FillFrom(*repository_->table(tables_[table_]));
    if (row_ >= rows_end_ && tombstone_ >= tombstones_end_) {
      ++table_;
      BeginTable();
    } else if (builder_->empty()) {  // nothing but holes so far: go on at the next turn
      std::weak_ptr<MemoryRepository::Waiter> waiter = waiter_;
      waiter_->loop->Post([waiter] {
        if (const auto still = waiter.lock()) {
          still->wake();
        }
      });
      return std::nullopt;
    }
    if (!builder_->empty()) {
      return builder_->Seal(0, 0, clock_.unix_now());
    }
  }
  return std::nullopt;
}

}  // namespace mimi::internal
