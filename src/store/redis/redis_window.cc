#include "src/store/redis/redis_window.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace mimi::internal {
namespace {

// A pump asks at least each second or so while anything of it is unconfirmed; who is silent for so
// long is gone.
constexpr Duration kForgetAfter = std::chrono::seconds(60);

}  // namespace

RedisWindow::Entry& RedisWindow::Add(const BatchView& batch, const std::string& incarnation) {
  Entry& entry = entries_.emplace_back();
  const std::size_t size = batch.bytes().size();
  entry.ticket = next_ticket_++;
  entry.bytes.reset(new std::byte[size]);
  std::memcpy(entry.bytes.get(), batch.bytes().data(), size);
  entry.view = batch.At({entry.bytes.get(), size});
  entry.incarnation = incarnation;
  entry.highest_term = batch.term();
  if (batch.has(kBatchVersioned)) {
    for (const RecordView record : batch) {
      entry.highest_term = std::max(entry.highest_term, record.version.term);
    }
  }
  bytes_ += size;
  ++waiting_;
  return entry;
}

RedisWindow::Entry* RedisWindow::Find(std::uint64_t ticket) {
  if (entries_.empty() || ticket < entries_.front().ticket || ticket >= next_ticket_) {
    return nullptr;
  }
  return &entries_[static_cast<std::size_t>(ticket - entries_.front().ticket)];
}

void RedisWindow::Stored(Entry* entry, Position position) {
  entry->state = Entry::State::kStored;
  --waiting_;
  entry->position = position;
}

void RedisWindow::Refused(Entry* entry, absl::Status why, MonotonicTime now) {
  entry->state = Entry::State::kRefused;
  --waiting_;
  entry->refusal = std::move(why);
  entry->refused_at = now;
  refusals_ += entry->told ? 0U : 1U;
}

absl::Status RedisWindow::TakeRefusal(const Stream& stream) {
  absl::Status first;
  if (refusals_ == 0) {
    return first;
  }
  for (const Entry& entry : entries_) {
    if (entry.state == Entry::State::kRefused && !entry.told && StreamOf(entry.view) == stream) {
      first = entry.refusal;
      break;
    }
  }
  if (first.ok()) {
    return first;
  }
  for (Entry& entry : entries_) {  // what is behind it is lost to its writer as well
    if (!entry.told && StreamOf(entry.view) == stream) {
      refusals_ -= entry.state == Entry::State::kRefused ? 1U : 0U;
      entry.told = true;
    }
  }
  return first;
}

// Its writer has begun a newer term, and counts nothing of the older one (sink.h).
bool RedisWindow::Superseded(const Entry& entry) const {
  return std::any_of(entries_.begin(), entries_.end(), [&entry](const Entry& each) {
    return each.view.table() == entry.view.table() && each.view.origin() == entry.view.origin() &&
           each.view.term() > entry.view.term();
  });
}

bool RedisWindow::Confirm(Position position, MonotonicTime now) {
  bool any = false;
  while (!entries_.empty()) {
    const Entry& front = entries_.front();
    const bool stored = front.state == Entry::State::kStored && front.position <= position;
    const bool refused = front.state == Entry::State::kRefused &&
                         (front.told || Superseded(front) || now - front.refused_at > kForgetAfter);
    if (!stored && !refused) {
      break;
    }
    refusals_ -= refused && !front.told ? 1U : 0U;
    bytes_ -= front.view.bytes().size();
    entries_.pop_front();
    any = true;
  }
  return any;
}

}  // namespace mimi::internal
