#include "bindings/c/handles.h"

#include <algorithm>

namespace mimi::c {

Object::~Object() {
  for (Object* used : uses) {
    std::erase(used->users, this);
  }
}

void Object::Use(Object* used) {
  used->users.push_back(this);
  uses.push_back(used);
}

absl::Status Object::CanClose(bool deep) const {
  bool on_stack = entered > 0;
  for (const Object* used : uses) {
    on_stack = on_stack || (deep && used != on && used->entered > 0);
  }
  if (on_stack) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "this {} cannot be closed from a callback of its own", kind);
  }
  if (!users.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "this {} is still used by {} object(s): close the {} first", kind, users.size(),
                 users.front()->kind);
  }
  return absl::OkStatus();
}

Scope::Scope(Object& object) : object_(object) {
  ++object_.entered;
  if (object_.on != nullptr) {
    ++object_.on->callbacks;
  }
}

Scope::~Scope() {
  --object_.entered;
  if (object_.on != nullptr) {
    --object_.on->callbacks;
  }
}

Running::Running(mimi_loop& loop) : loop_(loop) {
  if (loop_.running || loop_.callbacks > 0) {
    status_ = Error(absl::StatusCode::kFailedPrecondition,
                    "the loop cannot be run from a callback of what is bound to it");
  } else {
    loop_.running = true;
    ++loop_.entered;
  }
}

Running::~Running() {
  if (status_.ok()) {
    loop_.running = false;
    --loop_.entered;
  }
}

mimi_answer Answers::Expect(Object& owner, Waiting waiting, Steering::Guard guard) {
  owed_.emplace(next_, Entry{&owner, std::move(waiting), std::move(guard), nullptr});
  return next_++;
}

absl::StatusOr<Answers::Entry*> Answers::Find(mimi_answer answer) {
  auto found = owed_.find(answer);
  if (found == owed_.end() || found->second.run != nullptr) {
    return Error(absl::StatusCode::kNotFound,
                 "answer {} is not owed: it was given, or nobody waits for it any more", answer);
  }
  return &found->second;
}

absl::StatusOr<bool> Answers::MayAct(mimi_answer answer) const {
  auto found = owed_.find(answer);
  if (found == owed_.end() || found->second.run != nullptr) {
    return Error(absl::StatusCode::kNotFound, "answer {} is not owed", answer);
  }
  if (found->second.guard == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "answer {} is not of a move", answer);
  }
  return found->second.guard();
}

void Answers::RunLater(mimi_answer answer, std::function<void()> run) {
  owed_.at(answer).run = std::move(run);
  // By number: it may be dropped until then.
  loop_.loop->Post([this, answer] {
    auto found = owed_.find(answer);
    if (found != owed_.end()) {
      const std::function<void()> now = std::move(found->second.run);
      owed_.erase(found);
      now();
    }
  });
}

absl::Status Answers::GiveRow(mimi_answer answer, const mimi_record& record) {
  absl::StatusOr<StateStore::LookupCallback> callback = Take<StateStore::LookupCallback>(answer);
  MIMI_C_RETURN_IF_ERROR(callback.status());
  const std::span<const std::byte> row = SpanOf(record.row, record.row_size);
  RunLater(answer, [callback = *std::move(callback), bytes = std::vector(row.begin(), row.end()),
                    origin = record.origin, version = Version{record.term, record.sequence}] {
    callback(StateStore::Found{bytes, origin, version});
  });
  return absl::OkStatus();
}

absl::Status Answers::GiveStatus(mimi_answer answer, const absl::Status& status) {
  absl::StatusOr<Entry*> entry = Find(answer);
  MIMI_C_RETURN_IF_ERROR(entry.status());
  if (status.ok() && !std::holds_alternative<StateStore::StatusCallback>((*entry)->waiting)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "answer {} is owed with a result: mimi_answer_claim, _lookup, _lease or _observe",
                 answer);
  }
  Waiting waiting = std::move((*entry)->waiting);
  RunLater(answer, [waiting = std::move(waiting), status] {
    std::visit([&](const auto& callback) { callback(status); }, waiting);
  });
  return absl::OkStatus();
}

void Answers::Drop(const Object& owner) {
  std::erase_if(owed_, [&](const auto& entry) { return entry.second.owner == &owner; });
}

mimi_record RecordOf(const RecordView& record) {
  mimi_record out{};
  out.size = sizeof out;
  out.row = record.row.data();
  out.row_size = record.row.size();
  out.key = record.key.data();
  out.key_size = record.key.size();
  out.origin = record.origin;
  out.term = record.version.term;
  out.sequence = record.version.sequence;
  out.op = static_cast<std::uint64_t>(record.op);
  return out;
}

mimi_store_state StateOf(const StoreState& state) {
  mimi_store_state out{};
  out.size = sizeof out;
  out.incarnation = state.incarnation;
  out.head = state.head;
  out.trimmed = state.trimmed;
  out.term = state.term;
  out.claimant = state.claimant;
  out.rows = state.rows;
  out.tombstones = state.tombstones;
  out.feed_bytes = state.feed_bytes;
  out.memory_bytes = state.memory_bytes;
  out.table_full = state.table_full;
  out.fenced = state.fenced;
  out.stale = state.stale;
  out.rows_missing = state.rows_missing;
  out.missing_fit = state.missing_fit;
  out.available = state.available ? 1 : 0;
  out.mode = static_cast<int32_t>(state.mode);
  CopyText(state.reason, out.reason);
  return out;
}

}  // namespace mimi::c

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

mimi_status mimi_answer_done(mimi_loop* loop, mimi_answer answer, mimi_status status,
                             const char* message, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    return loop->answers.GiveStatus(answer, FromC(status, message == nullptr ? "" : message));
  });
}

mimi_status mimi_answer_claim(mimi_loop* loop, mimi_answer answer, uint64_t term, uint64_t head,
                              mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    return loop->answers.Give<mimi::StateStore::ClaimCallback>(answer, mimi::Claimed{term, head});
  });
}

mimi_status mimi_answer_lookup(mimi_loop* loop, mimi_answer answer, const mimi_record* record,
                               mimi_error* error) {
  return Call(error, {{loop, "loop"}, {record, "record"}}, [&] {
    mimi_record found;
    MIMI_C_RETURN_IF_ERROR(Take(record, &found, "mimi_record"));
    return loop->answers.GiveRow(answer, found);
  });
}

mimi_status mimi_answer_lease(mimi_loop* loop, mimi_answer answer, uint64_t term,
                              int64_t valid_until_ns, mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    return loop->answers.Give<mimi::Lease::GrantCallback>(
        answer, mimi::LeaseGrant{term, TimeOf(valid_until_ns)});
  });
}

mimi_status mimi_answer_observe(mimi_loop* loop, mimi_answer answer, int32_t side,
                                mimi_error* error) {
  return Call(error, {{loop, "loop"}}, [&] {
    mimi::Side where{};
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &where));
    return loop->answers.Give<mimi::Steering::ObserveCallback>(answer, where);
  });
}
