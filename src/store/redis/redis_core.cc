#include "src/store/redis/redis_core.h"

#include <algorithm>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/state/fence.h"

namespace mimi::internal {
namespace {

// What followers of this process need in memory; who is further behind reads from the server.
constexpr std::size_t kNewestFeed = std::size_t{8} << 20;
constexpr std::uint64_t kFeedFactor = 4;  // redis_store.h: how far the table may be behind

RowMap::Limits LimitsOf(const RedisStoreOptions& options) {
  return {.max_rows = options.max_rows, .tombstone_age = options.tombstone_age};
}

std::size_t Step(const BatchView& batch) {
  return std::max<std::size_t>(batch.size(), 1);
}

}  // namespace

RedisCore::RedisCore(const RedisStoreOptions& options, Loop& loop)
    : options_(options),
      loop_(loop),
      keys_(options.prefix, options.pair),
      link_(options_, keys_, loop, *this),
      tables_(std::make_unique<RedisTables>(LimitsOf(options), options.rows)),
      feed_(std::make_unique<MemoryFeed>(kNewestFeed)),
      follower_(*this),
      keeper_(*this) {
  link_.Start();
}

RedisCore::~RedisCore() {
  *alive_ = false;
  loop_.Cancel(deadline_);
}

absl::Status RedisCore::problem() const {
  return ready_ ? absl::OkStatus() : link_.trouble();
}

void RedisCore::Report(StoreState* state) const {
  state->available = ready_ && link_.available();
  if (!state->available) {
    state->reason = !link_.trouble().ok() ? std::string(Message(link_.trouble()))
                    : link_.up()          ? "is being loaded"
                                          : "connecting";
  }
  state->incarnation = ParseHexId(facts_.incarnation).value_or(0);
  state->head = position_;
  state->trimmed = facts_.trimmed;
  state->term = facts_.term;
  state->claimant = facts_.claimant;
  state->mode = facts_.mode;
  state->feed_bytes = feed_bytes();
  state->fenced = fenced_;
  tables_->Report(state);
}

RedisCore::Cut RedisCore::CutFor(Position most) const {
  Cut cut{facts_.trimmed, facts_.trimmed_bytes};
  for (const LogEntry& entry : log_) {
    if (entry.position > most || bytes_ - cut.bytes <= options_.feed_bytes) {
      break;
    }
    cut = {entry.position, entry.bytes};
  }
  return cut;
}

// ---- Up, down, loading.

void RedisCore::OnUp(const RedisFacts& facts) {
  const bool resumes = loaded_ && facts.incarnation == facts_.incarnation &&
                       facts.trimmed <= position_ && position_ <= facts.head;
  if (resumes) {
    TakeFacts(facts);
    facts_.head = facts.head;
    Follow();
    return;
  }
  loader_ = std::make_unique<RedisLoader>(
      link_, keys_, loop_, facts,
      [this] { return std::make_unique<RedisTables>(LimitsOf(options_), options_.rows); },
      [this](std::unique_ptr<RedisTables> tables, const RedisFacts& now) {
        Loaded(std::move(tables), now);
      });
  loader_->Start();
}

void RedisCore::Loaded(std::unique_ptr<RedisTables> tables, const RedisFacts& facts) {
  tables_ = std::move(tables);
  facts_ = facts;
  position_ = facts.position;
  stored_ = 0;
  feed_ = std::make_unique<MemoryFeed>(kNewestFeed, position_);
  ++epoch_;
  keeper_.Reset();
  loaded_ = true;
  // Bytes are counted from here; at the head that the server told us, its count is set right.
  bytes_ = 0;
  log_.assign(1, {position_, 0});
  count_at_ = facts.head;
  count_ = facts.bytes;
  Recount();
  Follow();
}

void RedisCore::Recount() {
  if (position_ != count_at_) {
    return;
  }
  const std::uint64_t missing = count_ - bytes_;
  for (LogEntry& entry : log_) {
    entry.bytes += missing;
  }
  bytes_ = count_;
}

void RedisCore::Follow() {
  follower_.Start();
  TookSome();
}

void RedisCore::BecomeReady() {
  ready_ = true;
  Resend();
  RunTasks();
  WakeAll();
}

void RedisCore::OnDown() {
  ready_ = false;
  follower_.Stop();
  keeper_.Reset();
  loader_.reset();
  const absl::Status why = link_.trouble();
  auto asked = std::exchange(asked_, {});
  auto synced = std::exchange(synced_, {});
  for (const auto& [id, answer] : asked) {
    answer(why, RedisValue());
  }
  for (const Synced& each : synced) {
    each.task(why);
  }
  RunTasks();
  WakeAll();
}

void RedisCore::Reload(std::string_view state, std::string_view why) {
  loaded_ = false;
  link_.Fail(state, why);
}

// ---- What is read.

void RedisCore::Take(const BatchView& batch, Position after) {
  tables_->Apply(batch, loop_.now(), after, facts_.trimmed);
  feed_->Append(batch);
  position_ = after;
  bytes_ += batch.bytes().size();
  log_.push_back({after, bytes_});
  Recount();
  while (log_.size() > 1 && log_.front().position < facts_.trimmed) {
    log_.pop_front();
  }
  took_ = true;
}

void RedisCore::TookSome() {
  if (!ready_ && link_.up() && position_ >= facts_.head) {
    BecomeReady();
  }
  window_.Confirm(position_, loop_.now());
  ReadSynced();
  if (std::exchange(took_, false)) {
    WakeAll();
  }
  keeper_.Consider();
}

void RedisCore::TakeFacts(const RedisFacts& facts) {
  if (facts.incarnation != facts_.incarnation) {
    link_.Fail("replaced", "another repository stands in its place");
    return;
  }
  if (facts.counter >= facts_.counter) {  // an answer from before our own claim may come late
    facts_.counter = facts.counter;
    facts_.term = facts.term;
    facts_.claimant = facts.claimant;
    facts_.mode = facts.mode;
  }
  if (facts.trimmed >= facts_.trimmed) {
    facts_.trimmed = facts.trimmed;
    facts_.trimmed_bytes = facts.trimmed_bytes;
  }
  facts_.position = std::max(facts_.position, facts.position);
}

void RedisCore::NoteClaim(std::uint64_t term, const ClaimRequest& request) {
  if (term <= facts_.counter) {
    return;
  }
  facts_.counter = term;
  if (request.mode != ClaimMode::kControl) {
    facts_.term = term;
    facts_.claimant = request.origin;
    facts_.mode = request.mode;
  }
}

void RedisCore::NoteCommit(Position position, const Cut& cut) {
  facts_.position = std::max(facts_.position, position);
  if (cut.position > facts_.trimmed) {
    facts_.trimmed = cut.position;
    facts_.trimmed_bytes = cut.bytes;
  }
  link_.Worked();
}

// ---- What is written.

absl::StatusOr<Position> RedisCore::Apply(const BatchView& batch) {
  if (absl::Status refusal = window_.TakeRefusal(RedisWindow::StreamOf(batch)); !refusal.ok()) {
    window_.Confirm(position_, loop_.now());
    return refusal;
  }
  if (absl::Status fits = tables_->CheckFits(batch); !fits.ok()) {
    return fits;
  }
  if (batch.term() > kMaxRedisNumber || batch.first_sequence() + batch.size() > kMaxRedisSequence) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "batch of term {}, sequence {}: this store holds terms below 2^53 and sequences "
                 "below 2^48",
                 batch.term(), batch.first_sequence());
  }
  const std::size_t size = batch.bytes().size();
  const bool full = !window_.empty() && window_.bytes() + size > options_.window_bytes;
  const bool vain = !ready_ && batch.has(kBatchHeartbeat);  // it would be old when it arrives
  const bool behind = ready_ && feed_bytes() > kFeedFactor * options_.feed_bytes;
  if (full || vain || behind) {
    return Error(absl::StatusCode::kResourceExhausted, "{}",
                 behind ? "the table is too far behind the feed"
                 : full ? "the window is full"
                        : "not connected");
  }
  RedisWindow::Entry& entry = window_.Add(batch, facts_.incarnation);
  keeper_.Wrote();
  if (ready_) {
    SendBatch(entry);
  }
  return entry.ticket;
}

void RedisCore::Resend() {
  window_.ForEachWaiting([this](RedisWindow::Entry& entry) {
    if (entry.incarnation == facts_.incarnation) {
      SendBatch(entry);
    } else {
      window_.Refused(&entry,
                      Error(absl::StatusCode::kFailedPrecondition,
                            "the repository was replaced: incarnation {}, expected {}",
                            facts_.incarnation, entry.incarnation),
                      loop_.now());
    }
  });
}

void RedisCore::SendBatch(RedisWindow::Entry& entry) {
  const BatchView& batch = entry.view;
  const std::string stream = HexId(batch.table()) + ":" + HexId(batch.origin());
  const std::string term = std::to_string(batch.term());
  const std::string first = std::to_string(batch.first_sequence());
  const std::string count = std::to_string(batch.size());
  const std::string highest = std::to_string(entry.highest_term);
  static const TableId kControlTable = TableIdOf(kControlTableName);
  const std::string_view keys[] = {keys_.pair, keys_.feed, keys_.terms, keys_.writers};
  const std::string_view arguments[] = {entry.incarnation,
                                        stream,
                                        term,
                                        first,
                                        count,
                                        batch.table() == kControlTable ? "1" : "0",
                                        highest,
                                        AsText(batch.bytes())};
  link_.Run(Script::kApply, keys, arguments,
            [this, ticket = entry.ticket](RedisValue answer) { OnStored(ticket, answer); });
}

void RedisCore::OnStored(std::uint64_t ticket, RedisValue answer) {
  RedisWindow::Entry* const entry = window_.Find(ticket);
  if (entry == nullptr) {
    return;
  }
  const std::string_view word = answer[0].text();
  const Position position = answer[1].number();
  if (word == "stored" || word == "had") {
    link_.Worked();
    window_.Stored(entry, position);
    stored_ = position;
    if (word == "stored" && position == position_ + Step(entry->view)) {
      Take(entry->view, position);
    }
    TookSome();
  } else if (word == "gone") {
    link_.Fail("replaced", "another repository stands in its place");
  } else {
    window_.Refused(entry, Refusal(answer, entry->view), loop_.now());
  }
  if (!brings_itself()) {
    follower_.Hurry();
  }
}

absl::Status RedisCore::Refusal(RedisValue answer, const BatchView& batch) {
  const std::string_view word = answer[0].text();
  if (word == "fenced") {
    ++fenced_;
    return Error(absl::StatusCode::kAborted, "term {} is fenced: term {} was claimed", batch.term(),
                 answer[1].text());
  }
  if (word == "unknown") {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "term {} was never handed out; the highest is {}", batch.term(), answer[1].text());
  }
  if (word == "control") {
    return Error(absl::StatusCode::kFailedPrecondition, "term {} is for the control table only",
                 batch.term());
  }
  return Error(absl::StatusCode::kFailedPrecondition,
               "batch of term {} has sequences {} to {}, but {} is the next expected", batch.term(),
               batch.first_sequence(), batch.first_sequence() + batch.size(), answer[1].text());
}

}  // namespace mimi::internal
