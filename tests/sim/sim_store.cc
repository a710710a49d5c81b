#include "tests/sim/sim_store.h"

#include <algorithm>
#include <string>
#include <vector>

#include "mimi/control.h"

namespace mimi::sim {
namespace {

constexpr std::uint64_t kLoseEach = 40;  // so many batches

// The batch again, under another term and first sequence. Valid until the builder's next use.
BatchView Resealed(BatchBuilder& builder, const BatchView& batch, std::uint64_t term,
                   std::uint64_t sequence) {
  builder.Clear();
  builder.set_flags(static_cast<std::uint16_t>(batch.flags() & ~kBatchVersioned));
  for (const RecordView record : batch) {
    if (batch.has(kBatchVersioned)) {
      builder.AppendVersioned(record);
    } else if (record.op == Op::kPut) {
      builder.Put(record.row);
    } else {
      builder.Erase(record.key);
    }
  }
  return builder.Seal(term, sequence, batch.time());
}

absl::StatusOr<Position> Reseal(StateStore& store, const BatchView& batch, std::uint64_t term,
                                std::uint64_t sequence) {
  const std::optional<StateSchema> schema = store.schema(batch.table());
  if (!schema.has_value()) {
    return store.Apply(batch);
  }
  BatchBuilder builder(*schema, batch.origin(), kMaxBatchSize);
  return store.Apply(Resealed(builder, batch, term, sequence));
}

// Heartbeats, a resync's begin and end, and sweeps are not what gets lost.
bool IsOrdinary(const BatchView& batch) {
  return !batch.empty() && batch.flags() == 0 && batch.table() != ControlSchema().table();
}

}  // namespace

class SimStore::SimCursor final : public Cursor {
 public:
  SimCursor(const SimStore& store, std::unique_ptr<Cursor> behind, Wake wake, Reading reading)
      : store_(store),
        generation_(store.generation_),
        behind_(std::move(behind)),
        wake_(std::move(wake)),
        reading_(reading) {}

  absl::StatusOr<std::optional<BatchView>> Next() override {
    if (generation_ != store_.generation_) {
      return absl::DataLossError("sim: the repository was replaced");
    }
    if (reading_ == Reading::kNothing) {
      return std::nullopt;
    }
    absl::StatusOr<std::optional<BatchView>> next = behind_->Next();
    while (reading_ == Reading::kWithGaps && next.ok() && next->has_value() && Lose(**next)) {
      next = behind_->Next();
    }
    if (reading_ == Reading::kWithGaps && next.ok() && next->has_value()) {
      return Closed(**next);
    }
    return next;
  }
  Position position() const override { return behind_->position(); }
  bool done() const override { return reading_ == Reading::kNothing || behind_->done(); }

 private:
  bool Lose(const BatchView& batch) {
    if (!IsOrdinary(batch) || ++batches_ % kLoseEach != 0) {
      return false;
    }
    shift_[batch.term()] += batch.size();
    return true;
  }
  BatchView Closed(const BatchView& batch) {
    const auto shift = shift_.find(batch.term());
    const std::optional<StateSchema> schema = store_.schema(batch.table());
    if (shift == shift_.end() || !schema.has_value() || batch.table() == ControlSchema().table()) {
      return batch;
    }
    builder_ = std::make_unique<BatchBuilder>(*schema, batch.origin(), kMaxBatchSize);
    return Resealed(*builder_, batch, batch.term(), batch.first_sequence() - shift->second);
  }

  const SimStore& store_;
  std::uint64_t generation_;
  std::unique_ptr<Cursor> behind_;
  Wake wake_;
  Reading reading_;
  std::uint64_t batches_ = 0;
  std::map<std::uint64_t, std::uint64_t> shift_;  // by term, which has one writer
  std::unique_ptr<BatchBuilder> builder_;
};

// A lease object outlives the repository that it was made for.
class SimStore::SimLease final : public Lease {
 public:
  SimLease(SimStore& store, std::string_view name, Origin owner)
      : store_(store), name_(name), owner_(owner) {}
  void Acquire(Duration ttl, GrantCallback done) override {
    store_.link_up_ ? Now().Acquire(ttl, std::move(done)) : Refuse(std::move(done));
  }
  void Renew(Duration ttl, GrantCallback done) override {
    store_.link_up_ ? Now().Renew(ttl, std::move(done)) : Refuse(std::move(done));
  }
  void Release() override {
    if (store_.link_up_) {
      Now().Release();
    }
  }

 private:
  void Refuse(GrantCallback done) {
    store_.loop_.Post([done = std::move(done)] { done(absl::UnavailableError("sim: no link")); });
  }
  Lease& Now() {
    if (lease_ == nullptr || generation_ != store_.generation_) {
      generation_ = store_.generation_;
      lease_ = store_.behind_->NewLease(name_, owner_);
    }
    return *lease_;
  }
  SimStore& store_;
  std::string name_;
  Origin owner_;
  std::uint64_t generation_ = 0;
  std::unique_ptr<Lease> lease_;
};

void SimStore::MoveTo(std::shared_ptr<MemoryRepository> repository) {
  ++generation_;
  if (behind_ != nullptr) {
    left_.push_back(std::move(behind_));
  }
  behind_ = *NewMemoryStore({.repository = std::move(repository)}, loop_);
  for (const auto& one : std::exchange(wakes_, {})) {
    loop_.Post([one] {
      if (const Wake wake = one.lock()) {
        (*wake)();
      }
    });
  }
}

SimStore::Wake SimStore::Remember(std::function<void()> wake) {
  Wake shared = std::make_shared<std::function<void()>>(std::move(wake));
  std::erase_if(wakes_, [](const auto& one) { return one.expired(); });
  wakes_.push_back(shared);
  return shared;
}

absl::StatusOr<Position> SimStore::Apply(const BatchView& batch) {
  if (slow_) {
    late_(batch);
    return absl::UnavailableError("sim: no answer");
  }
  absl::StatusOr<Position> applied = ApplyBuggy(batch);
  if (applied.ok()) {
    stored_(batch);
  }
  return applied;
}

absl::StatusOr<Position> SimStore::ApplyBuggy(const BatchView& batch) {
  const bool control = batch.table() == ControlSchema().table();
  if (bug_ == Bug::kLossHidden && !control) {
    return ApplyShifted(batch);
  }
  absl::StatusOr<Position> applied = behind_->Apply(batch);
  if (bug_ == Bug::kFenceOff && absl::IsAborted(applied.status())) {
    std::uint64_t& next = shift_[behind_->state().term];
    next += 1'000'000;
    return Reseal(*behind_, batch, behind_->state().term, next);
  }
  return applied;
}

absl::StatusOr<Position> SimStore::ApplyShifted(const BatchView& batch) {
  std::uint64_t& shift = shift_[batch.term()];
  if (IsOrdinary(batch) && ++batches_ % kLoseEach == 0) {
    shift += batch.size();
    return behind_->confirmed();
  }
  return Reseal(*behind_, batch, batch.term(), batch.first_sequence() - shift);
}

void SimStore::Claim(const ClaimRequest& request, ClaimCallback done) {
  const StoreState state = behind_->state();
  if (bug_ != Bug::kTermReused || request.mode == ClaimMode::kControl || state.term == 0 ||
      state.claimant != request.origin) {
    behind_->Claim(request, std::move(done));
    return;
  }
  loop_.Post([state, done = std::move(done)] { done(Claimed{state.term, state.head}); });
}

std::unique_ptr<Lease> SimStore::NewLease(std::string_view name, Origin owner) {
  return std::make_unique<SimLease>(*this, name, owner);
}

absl::StatusOr<std::unique_ptr<Cursor>> SimStore::Wrap(
    absl::StatusOr<std::unique_ptr<Cursor>> cursor, Wake wake, Reading reading) {
  if (!cursor.ok()) {
    return cursor;
  }
  return std::make_unique<SimCursor>(*this, *std::move(cursor), std::move(wake), reading);
}

}  // namespace mimi::sim
