#include "src/store/file/pair_state.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kExpireBudget = 4096;
constexpr std::size_t kWorkBudget = 4096;

std::int64_t Nanoseconds(MonotonicTime time) {
  return std::chrono::duration_cast<Duration>(time.time_since_epoch()).count();
}

absl::Status Impossible(const Frame& frame, std::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "offset {}: frame of type {}: {}", frame.place.offset,
               static_cast<int>(frame.header.type), why);
}

}  // namespace

RowMap* PairState::FindTable(TableId table) {
  if (table != last_table_ || last_rows_ == nullptr) {
    const auto found = tables_.find(table);
    if (found == tables_.end()) {
      return nullptr;
    }
    last_table_ = table;
    last_rows_ = found->second.get();
  }
  return last_rows_;
}

const RowMap* PairState::FindTable(TableId table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second.get();
}

absl::Status PairState::CheckFits(const BatchView& batch) const {
  const RowMap* const rows = FindTable(batch.table());
  if (rows == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "table {:#018x} is not open", batch.table());
  }
  const StateSchema::Prefix* const prefix = rows->schema().FindPrefix(batch.fingerprint());
  if (prefix == nullptr || prefix->row_size != batch.row_size() || !rows->CanApply(batch)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "{}: rows of fingerprint {:#018x} with {} bytes are of another line, or longer "
                 "than the schema that is open ({:#018x}, {} bytes)",
                 rows->schema().name(), batch.fingerprint(), batch.row_size(),
                 rows->schema().fingerprint(), rows->schema().row_size());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PairState::Admit(const BatchView& batch) {
  if (absl::Status fits = CheckFits(batch); !fits.ok()) {
    return fits;
  }
  absl::StatusOr<bool> is_new = mimi::Admit(fence_, continuity_, batch);
  fenced_ += absl::IsAborted(is_new.status()) ? 1U : 0U;
  return is_new;
}

void PairState::Reset() {
  tables_.clear();
  last_rows_ = nullptr;
  fence_ = Fence();
  continuity_ = Continuity();
  leases_.clear();
  boot_ = BootEntry();
  loaded_ = EndEntry();
}

void PairState::Count(const RowMap::Counts& counts) {
  table_full_ += counts.table_full;
  stale_ += counts.stale;
}

void PairState::ApplyBatch(const BatchView& batch, MonotonicTime now, Position position) {
  continuity_.Note(batch);
  Count(FindTable(batch.table())->Apply(batch, now, position));
}

absl::Status PairState::ReplayBatch(const Frame& frame, MonotonicTime now, Position position) {
  if (absl::Status fits = CheckFits(frame.batch); !fits.ok()) {
    return Impossible(frame, Message(fits));
  }
  ApplyBatch(frame.batch, now, position);
  return absl::OkStatus();
}

void PairState::TakeSchema(const StateSchema& schema) {
  std::unique_ptr<RowMap>& rows = tables_[schema.table()];
  if (rows == nullptr) {
    rows = std::make_unique<RowMap>(schema, limits_);
  } else {
    rows->Extend(schema);
  }
}

absl::Status PairState::ReplaySmall(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::kSchema: {
      const absl::StatusOr<StateSchema> schema = StateSchema::Parse(AsText(frame.payload));
      if (!schema.ok()) {
        return Impossible(frame, Message(schema.status()));
      }
      if (const RowMap* rows = FindTable(schema->table());
          rows != nullptr && !rows->schema().CheckCompatible(*schema).ok()) {
        return Impossible(frame, "the schema is of another line than the table");
      }
      TakeSchema(*schema);
      return absl::OkStatus();
    }
    case FrameType::kClaim:
      if (const std::optional<Fence::Claim> claim = DecodeClaim(frame.payload);
          claim.has_value() &&
          (fence_.claims().empty() || claim->term > fence_.claims().back().term)) {
        fence_.Note(*claim);
        return absl::OkStatus();
      }
      return Impossible(frame, "no claim that can follow the one before");
    case FrameType::kLease:
      if (std::optional<LeaseEntry> lease = DecodeLease(frame.payload); lease.has_value()) {
        std::string name = lease->name;
        leases_.insert_or_assign(std::move(name), *std::move(lease));
        return absl::OkStatus();
      }
      return Impossible(frame, "no lease");
    case FrameType::kBoot:
    case FrameType::kPair:
      if (const std::optional<BootEntry> boot = DecodeBoot(frame.payload); boot.has_value()) {
        if (boot->boot != boot_.boot) {
          for (auto& [name, lease] : leases_) {
            lease.until_ns = 0;  // of another machine's life: its clock means nothing now
          }
        }
        boot_ = *boot;
        return absl::OkStatus();
      }
      return Impossible(frame, "no boot");
    case FrameType::kStreams:
      if (const auto streams = DecodeStreams(frame.payload); streams.has_value()) {
        for (const Continuity::Entry& stream : *streams) {
          continuity_.Restore(stream);
        }
        return absl::OkStatus();
      }
      return Impossible(frame, "no streams");
    case FrameType::kBatch:
    case FrameType::kEnd:
      break;
  }
  return Impossible(frame, "has no place here");
}

absl::Status PairState::Replay(const Frame& frame, MonotonicTime now, Position position) {
  switch (frame.header.type) {
    case FrameType::kBatch:
      return ReplayBatch(frame, now, position);
    case FrameType::kStreams:
    case FrameType::kPair:
    case FrameType::kEnd:
      return Impossible(frame, "belongs into a base file");
    default:
      return ReplaySmall(frame);
  }
}

absl::Status PairState::LoadBase(const Frame& frame, MonotonicTime now) {
  if (frame.header.type == FrameType::kBatch) {
    if (absl::Status fits = CheckFits(frame.batch); !fits.ok()) {
      return Impossible(frame, Message(fits));
    }
    const RowMap::Counts counts =
        FindTable(frame.batch.table())->Apply(frame.batch, now, frame.header.position);
    ++loaded_.batches;
    loaded_.records += frame.batch.size();
    table_full_ += counts.table_full;
    return absl::OkStatus();
  }
  if (frame.header.type == FrameType::kEnd) {
    const std::optional<EndEntry> end = DecodeEnd(frame.payload);
    if (!end.has_value() || *end != loaded_) {
      return Impossible(frame, fmt::format("{} batches of {} records came before, others expected",
                                           loaded_.batches, loaded_.records));
    }
    return absl::OkStatus();
  }
  if (frame.header.type == FrameType::kBoot) {
    return Impossible(frame, "belongs into a feed file");
  }
  return ReplaySmall(frame);
}

absl::StatusOr<std::optional<StateSchema>> PairState::ProposeSchema(
    const StateSchema& wanted) const {
  const RowMap* const rows = FindTable(wanted.table());
  if (rows == nullptr) {
    return wanted;
  }
  if (absl::Status same_line = wanted.CheckCompatible(rows->schema(), "the store");
      !same_line.ok()) {
    return same_line;
  }
  if (wanted.row_size() <= rows->schema().row_size()) {
    return std::nullopt;
  }
  return wanted;
}

absl::StatusOr<Fence::Claim> PairState::ProposeClaim(const ClaimRequest& request) const {
  std::uint64_t highest = 0;
  for (const auto& [table, rows] : tables_) {
    highest = std::max(highest, rows->highest_term());
  }
  return fence_.Propose(request, highest);
}

absl::StatusOr<LeaseEntry> PairState::ProposeLease(const std::string& name, Origin owner,
                                                   Duration ttl, bool renew,
                                                   MonotonicTime now) const {
  const auto found = leases_.find(name);
  LeaseEntry lease = found == leases_.end() ? LeaseEntry{name, 0, 0, 0} : found->second;
  const std::int64_t now_ns = Nanoseconds(now);
  const bool held = lease.until_ns > now_ns;
  if (held && lease.owner != owner) {
    return Error(absl::StatusCode::kAborted, "lease \"{}\" is held by {:#018x} for {} ms yet", name,
                 lease.owner, (lease.until_ns - now_ns) / 1'000'000 + 1);
  }
  if (!held && renew) {
    return Error(absl::StatusCode::kAborted, "lease \"{}\" has run out: acquire it again", name);
  }
  lease.term += held ? 0U : 1U;
  lease.owner = owner;
  lease.until_ns = now_ns + std::max<std::int64_t>(ttl.count(), 0);
  return lease;
}

std::optional<LeaseEntry> PairState::ProposeRelease(const std::string& name, Origin owner,
                                                    MonotonicTime now) const {
  const auto found = leases_.find(name);
  if (found == leases_.end() || found->second.owner != owner ||
      found->second.until_ns <= Nanoseconds(now)) {
    return std::nullopt;
  }
  LeaseEntry lease = found->second;
  lease.until_ns = 0;
  return lease;
}

void PairState::Report(StoreState* state) const {
  state->term = fence_.newest().term;
  state->claimant = fence_.newest().origin;
  state->mode = fence_.newest().mode;
  for (const auto& [table, rows] : tables_) {
    state->rows += rows->size();
    state->tombstones += rows->tombstones();
    state->memory_bytes += rows->memory_bytes();
    state->rows_missing += rows->missing();
    state->missing_fit += rows->missing_fit();
  }
  state->table_full = table_full_;
  state->fenced = fenced_;
  state->stale = stale_;
}

void PairState::ExpireTombstones(MonotonicTime now, Position trimmed) {
  for (auto& [table, rows] : tables_) {
    rows->Expire(now, trimmed, kExpireBudget);
  }
}

bool PairState::Work() {
  bool more = false;
  for (auto& [table, rows] : tables_) {
    more = rows->Work(kWorkBudget) || more;
  }
  return more;
}

}  // namespace mimi::internal
