#include "src/engine/feed.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"

#include "src/base/status.h"

namespace mimi::internal {

struct Feed::Waker {
  Feed* feed;
};

Feed::Feed(StateStore& store, Loop& loop, FeedOptions options)
    : store_(store),
      loop_(loop),
      options_(std::move(options)),
      backoff_(options_.retry_min, options_.retry_max, options_.seed) {
  if (!options_.wake) {
    options_.wake = [] {
    };
  }
}

Feed::~Feed() {
  DropCursor();
}

void Feed::Subscribe(TableId table, FeedSubscriber& subscriber) {
  subscriptions_.push_back({table, &subscriber});
}

void Feed::Start() {
  if (phase_ == Phase::kStopped) {
    phase_ = Phase::kWaiting;
    readable_ = true;
    failed_at_ = loop_.now();
    options_.wake();
  }
}

void Feed::Reload(std::string_view why) {
  reload_ = std::string(why);
  options_.wake();
}

bool Feed::Tick(MonotonicTime now) {
  now_ = now;
  if (phase_ == Phase::kStopped) {
    return false;
  }
  if (retry_.has_value() && now >= *retry_) {
    retry_.reset();
    readable_ = true;
  }
  const bool more = ReadSlice();
  TellReached();
  return more;
}

bool Feed::ReadSlice() {
  const MonotonicTime end = now_ + options_.slice;
  for (std::size_t i = 0; i < options_.batches_per_tick; ++i) {
    if (reload_.has_value()) {
      Event("lost", *reload_);
      reload_.reset();
      LoadAgain();
    }
    if (!readable_ || !ReadOne()) {
      return readable_ || reload_.has_value();
    }
    if (loop_.now() >= end) {
      break;
    }
  }
  return true;
}

std::optional<MonotonicTime> Feed::NextDeadline() const {
  return retry_;
}

// One step. False: there is nothing more to read now.
bool Feed::ReadOne() {
  switch (phase_) {
    case Phase::kStopped:
      return false;
    case Phase::kWaiting:
      if (absl::Status opened = OpenSnapshot(); !opened.ok()) {
        HandleError(opened);
        return false;
      }
      phase_ = Phase::kSnapshot;
      return true;
    case Phase::kSnapshot:
      return ReadSnapshot();
    case Phase::kTail:
    case Phase::kFollowing:
      return ReadFeed();
  }
  return false;
}

absl::Status Feed::OpenSnapshot() {
  DropCursor();
  absl::StatusOr<std::unique_ptr<Cursor>> cursor = store_.Snapshot(0, MakeWake());
  if (!cursor.ok()) {
    return cursor.status();
  }
  cursor_ = *std::move(cursor);
  load_begun_ = false;
  return absl::OkStatus();
}

bool Feed::ReadSnapshot() {
  // Before the call: a wake-up that comes from within it counts.
  readable_ = false;
  const absl::StatusOr<std::optional<BatchView>> next = cursor_->Next();
  if (!next.ok()) {
    HandleError(next.status());
    return readable_;
  }
  if (next->has_value()) {
    readable_ = true;
    BeginLoad();
    Deliver(**next, /*snapshot=*/true);
    return true;
  }
  if (!cursor_->done()) {
    return readable_;
  }
  BeginLoad();
  if (absl::Status opened = OpenWatch(); !opened.ok()) {
    HandleError(opened);
    return readable_;
  }
  return true;
}

// The position of a snapshot is known for certain once the store has answered, so the load begins
// with its first answer.
void Feed::BeginLoad() {
  if (load_begun_) {
    return;
  }
  load_begun_ = true;
  const std::uint64_t incarnation = store_.state().incarnation;
  const bool other = incarnation_ != 0 && incarnation != 0 && incarnation != incarnation_;
  if (incarnation != 0) {
    incarnation_ = incarnation;
  }
  if (other) {
    streams_.clear();
  }
  for (Stream& stream : streams_) {
    stream.expected = {};
  }
  position_ = cursor_->position();
  told_ = 0;
  for (const Subscription& subscription : subscriptions_) {
    if (other) {
      subscription.subscriber->OnOtherIncarnation();
    }
    subscription.subscriber->OnLoadBegin(position_);
  }
}

absl::Status Feed::OpenWatch() {
  const Position from = cursor_->position();
  DropCursor();
  tail_end_ = store_.state().head;
  absl::StatusOr<std::unique_ptr<Cursor>> cursor =
      store_.Watch({.incarnation = incarnation_, .position = from}, MakeWake());
  if (!cursor.ok()) {
    phase_ = Phase::kWaiting;  // whatever the reason, there is no cursor: from the snapshot again
    return cursor.status();
  }
  cursor_ = *std::move(cursor);
  readable_ = true;
  phase_ = Phase::kTail;
  if (position_ >= tail_end_) {
    EndLoad();
  }
  return absl::OkStatus();
}

void Feed::EndLoad() {
  phase_ = Phase::kFollowing;
  ++counters_.loads;
  counters_.reason.clear();
  for (const Subscription& subscription : subscriptions_) {
    subscription.subscriber->OnLoadEnd();
  }
  Event("load", fmt::format("loaded at position {}", position_));
}

bool Feed::ReadFeed() {
  readable_ = false;
  const absl::StatusOr<std::optional<BatchView>> next = cursor_->Next();
  if (!next.ok()) {
    HandleError(next.status());
    return readable_;
  }
  if (now_ - failed_at_ > options_.retry_max) {
    backoff_.Reset();
    counters_.reason.clear();
  }
  caught_up_ = !next->has_value();
  if (next->has_value()) {
    readable_ = true;
    if (!Continues(**next)) {
      LoadAgain();
      return readable_;
    }
    position_ = cursor_->position();
    TakeLive(**next);
  }
  if (phase_ == Phase::kTail && (caught_up_ || position_ >= tail_end_)) {
    EndLoad();
  }
  return readable_;
}

void Feed::TellReached() {
  if (position_ == told_ || (phase_ != Phase::kTail && phase_ != Phase::kFollowing)) {
    return;
  }
  told_ = position_;
  for (const Subscription& subscription : subscriptions_) {
    subscription.subscriber->OnReached(position_);
  }
}

void Feed::TakeLive(const BatchView& batch) {
  ++counters_.batches;
  counters_.records += batch.size();
  if (Stream* stream = FindStream(batch.table(), batch.origin()); stream != nullptr) {
    stream->term = std::max(stream->term, batch.term());
    stream->newest = batch.time();
    stream->heard = now_;
    stream->records += batch.size();
  }
  Deliver(batch, /*snapshot=*/false);
}

void Feed::Deliver(const BatchView& batch, bool snapshot) {
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.table == batch.table()) {
      subscription.subscriber->OnBatch(batch, position_, snapshot);
    }
  }
}

// False: something between the batch before and this one is missing. One that came before, whole or
// in part, is not a gap: a store that was failed over may deliver again, and versions make that
// harmless.
bool Feed::Continues(const BatchView& batch) {
  Stream* stream = FindStream(batch.table(), batch.origin());
  if (stream == nullptr) {
    ++counters_.untracked;
    return true;
  }
  auto expected = std::find_if(stream->expected.begin(), stream->expected.end(),
                               [&](const Expected& e) { return e.term == batch.term(); });
  if (expected == stream->expected.end()) {
    expected =
        std::min_element(stream->expected.begin(), stream->expected.end(),
                         [](const Expected& a, const Expected& b) { return a.term < b.term; });
    *expected = {.term = batch.term(), .next = batch.first_sequence()};
  }
  if (batch.first_sequence() > expected->next) {
    ++counters_.gaps;
    Event("lost",
          fmt::format("a gap in the feed: table {:016x}, origin {:016x}, term {}: sequence {} "
                      "follows, expected {}",
                      batch.table(), batch.origin(), batch.term(), batch.first_sequence(),
                      expected->next));
    return false;
  }
  expected->next = std::max(expected->next, batch.first_sequence() + batch.size());
  return true;
}

Feed::Stream* Feed::FindStream(TableId table, Origin origin) {
  for (Stream& stream : streams_) {
    if (stream.table == table && stream.origin == origin) {
      return &stream;
    }
  }
  if (streams_.size() >= kMaxStreams) {
    return nullptr;
  }
  Stream& stream = streams_.emplace_back();
  stream.table = table;
  stream.origin = origin;
  return &stream;
}

const FeedStream* Feed::Find(TableId table, Origin origin) const {
  for (const Stream& stream : streams_) {
    if (stream.table == table && stream.origin == origin && stream.term != 0) {
      return &stream;
    }
  }
  return nullptr;
}

void Feed::HandleError(const absl::Status& error) {
  caught_up_ = false;
  counters_.reason = std::string(Message(error));
  if (error.code() == absl::StatusCode::kUnavailable) {
    // The cursor keeps its place; whichever is first, its wake-up or the back-off.
    failed_at_ = now_;
    ++counters_.retries;
    readable_ = false;
    retry_ = now_ + backoff_.Next();
    return;
  }
  if (error.code() == absl::StatusCode::kDataLoss) {
    ++counters_.positions_gone;
    Event("lost", fmt::format("the place in the feed is gone: {}", Message(error)));
  } else {
    Event("error", fmt::format("the feed cannot be read: {}", error.ToString()));
  }
  LoadAgain();
}

void Feed::LoadAgain() {
  DropCursor();
  phase_ = Phase::kWaiting;
  caught_up_ = false;
  failed_at_ = now_;
  const bool first = backoff_.attempts() == 0;
  const Duration wait = backoff_.Next();
  readable_ = first;
  retry_ = first ? std::nullopt : std::optional(now_ + wait);
}

void Feed::DropCursor() {
  cursor_.reset();
  if (waker_ != nullptr) {
    waker_->feed = nullptr;
    waker_.reset();
  }
}

std::function<void()> Feed::MakeWake() {
  waker_ = std::make_shared<Waker>(Waker{this});
  return [waker = waker_] {
    if (Feed* feed = waker->feed; feed != nullptr) {
      feed->readable_ = true;
      feed->options_.wake();
    }
  };
}

FeedState Feed::state() const {
  FeedState state = counters_;
  state.loaded = phase_ == Phase::kFollowing;
  state.loading = load_begun_ && (phase_ == Phase::kSnapshot || phase_ == Phase::kTail);
  state.caught_up = caught_up_;
  state.position = position_;
  state.head = store_.state().head;
  state.incarnation = incarnation_;
  return state;
}

void Feed::Event(std::string_view kind, const std::string& detail) const {
  if (options_.on_event) {
    options_.on_event(kind, detail);
  }
}

}  // namespace mimi::internal
