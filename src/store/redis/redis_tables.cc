#include "src/store/redis/redis_tables.h"

#include <algorithm>
#include <array>
#include <bit>

#include "mimi/json.h"

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kExpireBudget = 4096;
constexpr std::size_t kWorkBudget = 4096;

// The place of the oldest tombstone.
std::uint64_t First(const RowMap& rows) {
  return rows.WalkTombstones(0, 0, [](const RowMap::Tombstone&) {});
}

}  // namespace

void RedisTables::Open(const StateSchema& schema) {
  std::unique_ptr<RowMap>& rows = maps_[schema.table()];
  if (rows == nullptr) {
    rows = std::make_unique<RowMap>(schema, limits_);
    if (tracking_) {
      rows->NoteChanges(&dirt_[schema.table()].buckets);
    }
  } else {
    rows->Extend(schema);
  }
}

RowMap* RedisTables::Find(TableId table) {
  const auto found = maps_.find(table);
  return found == maps_.end() ? nullptr : found->second.get();
}

const RowMap* RedisTables::Find(TableId table) const {
  const auto found = maps_.find(table);
  return found == maps_.end() ? nullptr : found->second.get();
}

absl::Status RedisTables::CheckFits(const BatchView& batch) const {
  const RowMap* const rows = Find(batch.table());
  if (rows == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "batch for table {:016x}, which is not open",
                 batch.table());
  }
  const StateSchema::Prefix* const prefix = rows->schema().FindPrefix(batch.fingerprint());
  if (prefix == nullptr || prefix->row_size != batch.row_size() || !rows->CanApply(batch)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "batch for {}: fingerprint {:016x} is no prefix of the schema, which has {:016x}",
                 rows->schema().name(), batch.fingerprint(), rows->schema().fingerprint());
  }
  return absl::OkStatus();
}

void RedisTables::Apply(const BatchView& batch, MonotonicTime now, Position position,
                        Position trimmed) {
  RowMap* const rows = Find(batch.table());
  if (rows == nullptr || !CheckFits(batch).ok()) {
    return;
  }
  const RowMap::Counts counts = rows->Apply(batch, now, position);
  stale_ += counts.stale;
  table_full_ += counts.table_full;
  for (const auto& [id, each] : maps_) {
    each->Expire(now, trimmed, kExpireBudget);
  }
  if (batch.empty()) {
    rows->Work(kWorkBudget);  // a heartbeat: there is time
  }
}

absl::Status RedisTables::Load(TableId table, std::string_view blob, RowBlobKind kind,
                               MonotonicTime now, Position position) {
  RowMap* const rows = Find(table);
  if (rows == nullptr) {
    return Error(absl::StatusCode::kDataLoss, "rows of table {:016x}, which is not open", table);
  }
  return blob.starts_with('{') ? LoadJson(*rows, blob, kind, now, position)
                               : LoadPacked(*rows, blob, kind, now, position);
}

absl::Status RedisTables::LoadPacked(RowMap& rows, std::string_view blob, RowBlobKind kind,
                                     MonotonicTime now, Position position) {
  const absl::StatusOr<RowBlobView> view = RowBlobView::Parse(blob, kind);
  if (!view.ok()) {
    return view.status();
  }
  const StateSchema& schema = rows.schema();
  const StateSchema::Prefix* const prefix = schema.FindPrefix(view->fingerprint());
  const std::size_t expected = kind == RowBlobKind::kTombstones ? schema.key_size()
                               : prefix != nullptr              ? prefix->row_size
                                                                : 0;
  if (prefix == nullptr || view->entry_size() != expected) {
    return Error(absl::StatusCode::kDataLoss, "{}: rows of another schema, {:016x}", schema.name(),
                 view->fingerprint());
  }
  std::array<RecordView, kMaxBlobEntries> records;
  for (std::size_t i = 0; i < view->size(); ++i) {
    const RowBlobView::Entry entry = (*view)[i];
    const bool put = kind == RowBlobKind::kRows;
    records[i] = {.op = put ? Op::kPut : Op::kErase,
                  .row = put ? entry.bytes : std::span<const std::byte>(),
                  .key = entry.bytes.first(schema.key_size()),
                  .origin = entry.origin,
                  .version = entry.version};
  }
  rows.Apply(std::span(records).first(view->size()), now, position);
  return absl::OkStatus();
}

absl::Status RedisTables::LoadJson(RowMap& rows, std::string_view lines, RowBlobKind kind,
                                   MonotonicTime now, Position position) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const absl::StatusOr<OwnedRecord> record = RecordFromJson(rows.schema(), lines.substr(0, end));
    if (!record.ok()) {
      return Error(absl::StatusCode::kDataLoss, "{}", Message(record.status()));
    }
    if ((record->op == Op::kPut) != (kind == RowBlobKind::kRows)) {
      return Error(absl::StatusCode::kDataLoss, "{}: a row among tombstones, or the reverse",
                   rows.schema().name());
    }
    rows.Apply(record->view(rows.schema().key_size()), now, position);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return absl::OkStatus();
}

void RedisTables::Track() {
  tracking_ = true;
  dirt_.clear();
  at_table_ = 0;
  at_word_ = 0;
  for (const auto& [id, rows] : maps_) {
    Dirt& dirt = dirt_[id];
    dirt.buckets.assign(Buckets(*rows) / 64 + 1, ~std::uint64_t{0});
    dirt.chunk = dirt.first_chunk = ChunksOf(*rows).first;
    rows->NoteChanges(&dirt.buckets);
  }
}

void RedisTables::StopTracking() {
  tracking_ = false;
  for (const auto& [id, rows] : maps_) {
    rows->NoteChanges(nullptr);
  }
}

std::uint64_t RedisTables::Buckets(const RowMap& rows) const {
  return (std::uint64_t{rows.end()} + kBucketRows - 1) / kBucketRows;
}

RedisTables::Chunks RedisTables::ChunksOf(const RowMap& rows) const {
  return {First(rows) / kChunkStones, (rows.tombstones_end() + kChunkStones - 1) / kChunkStones};
}

void RedisTables::Pack(const RowMap& rows, RowBlobWriter* blob, const RecordView& record) {
  if (json_) {
    lines_ += lines_.empty() ? "" : "\n";
    lines_ += RecordToJson(rows.schema(), record);
  } else {
    blob->Add(record.op == Op::kPut ? record.row : record.key, record.origin, record.version);
  }
}

std::string_view RedisTables::Packed(RowBlobWriter* blob) {
  return json_ ? std::string_view(lines_) : blob->Finish();
}

bool RedisTables::NextBucket(RowMap& rows, Dirt* dirt, Piece* piece) {
  while (at_word_ < dirt->buckets.size() && dirt->buckets[at_word_] == 0) {
    ++at_word_;
  }
  if (at_word_ == dirt->buckets.size()) {
    return false;
  }
  std::uint64_t& word = dirt->buckets[at_word_];
  const auto bit = static_cast<unsigned>(std::countr_zero(word));
  word &= word - 1;
  piece->kind = RowBlobKind::kRows;
  piece->number = at_word_ * 64 + bit;
  rows_blob_.Begin(rows.schema());
  lines_.clear();
  if (piece->number < Buckets(rows)) {
    rows.Walk(static_cast<std::uint32_t>(piece->number * kBucketRows), kBucketRows,
              [&](const RowMap::Row& row) {
                Pack(rows, &rows_blob_,
                     {.op = Op::kPut,
                      .row = row.row,
                      .key = row.row.first(rows.schema().key_size()),
                      .origin = row.origin,
                      .version = row.version});
              });
  }
  piece->value = Packed(&rows_blob_);
  return true;
}

bool RedisTables::NextChunk(RowMap& rows, Dirt* dirt, Piece* piece) {
  const Chunks chunks = ChunksOf(rows);
  piece->kind = RowBlobKind::kTombstones;
  if (dirt->first_chunk < chunks.first) {
    piece->number = dirt->first_chunk++;
    piece->value = {};
    return true;
  }
  dirt->chunk = std::max(dirt->chunk, chunks.first);
  if (dirt->chunk >= chunks.end) {
    // The last one may still grow.
    dirt->chunk = rows.tombstones_end() / kChunkStones;
    return false;
  }
  piece->number = dirt->chunk++;
  stones_blob_.Begin(rows.schema());
  lines_.clear();
  const std::uint64_t begin = std::max(piece->number * kChunkStones, First(rows));
  rows.WalkTombstones(begin, (piece->number + 1) * kChunkStones - begin,
                      [&](const RowMap::Tombstone& stone) {
                        Pack(rows, &stones_blob_,
                             {.op = Op::kErase,
                              .row = {},
                              .key = stone.key,
                              .origin = stone.origin,
                              .version = stone.version});
                      });
  piece->value = Packed(&stones_blob_);
  return true;
}

bool RedisTables::NextDirty(Piece* piece) {
  for (auto at = dirt_.lower_bound(at_table_); at != dirt_.end(); ++at) {
    if (at->first != at_table_) {
      at_table_ = at->first;
      at_word_ = 0;
    }
    RowMap& rows = *Find(at->first);
    piece->table = at->first;
    if (NextBucket(rows, &at->second, piece) || NextChunk(rows, &at->second, piece)) {
      return true;
    }
  }
  at_table_ = 0;
  at_word_ = 0;
  return false;
}

void RedisTables::Report(StoreState* state) const {
  for (const auto& [id, rows] : maps_) {
    state->rows += rows->size();
    state->tombstones += rows->tombstones();
    state->memory_bytes += rows->memory_bytes();
    state->tombstones_dropped += rows->tombstones_dropped();
    state->rows_missing += rows->missing();
    state->missing_fit += rows->missing_fit();
  }
  state->stale = stale_;
  state->table_full = table_full_;
}

}  // namespace mimi::internal
