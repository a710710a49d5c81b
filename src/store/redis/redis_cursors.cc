#include "src/store/redis/redis_cursors.h"

#include <algorithm>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/store/redis/redis_follower.h"

namespace mimi::internal {
namespace {

constexpr std::uint32_t kRowsPerCall = 4096;
constexpr const char* kEntriesPerRead = "16";

std::shared_ptr<RedisCore::Waiter> NewWaiter(std::function<void()> wake) {
  auto waiter = std::make_shared<RedisCore::Waiter>();
  waiter->wake = std::move(wake);
  return waiter;
}

}  // namespace

RedisWatch::RedisWatch(RedisCore& core, const WatchFrom& from, std::function<void()> wake)
    : core_(core),
      position_(from.position),
      incarnation_(from.incarnation),
      waiter_(NewWaiter(std::move(wake))) {
}

absl::Status RedisWatch::Gone(std::string_view why) const {
  return Error(absl::StatusCode::kDataLoss, "watch from position {}: {}", position_, why);
}

std::optional<BatchView> RedisWatch::Wait() {
  core_.WakeAtNext(waiter_);
  return std::nullopt;
}

// Whether what comes after position_ can be had at all.
absl::Status RedisWatch::Check() {
  const std::uint64_t incarnation = ParseHexId(core_.incarnation()).value_or(0);
  if (incarnation_ == 0) {
    incarnation_ = incarnation;
  }
  if (incarnation_ != incarnation) {
    return Gone(fmt::format("this is incarnation {:016x}, not {:016x}", incarnation, incarnation_));
  }
  if (position_ < core_.trimmed()) {
    return Gone(fmt::format("the feed starts after {}", core_.trimmed()));
  }
  if (gap_) {
    return Gone("the feed was cut there");
  }
  if (position_ > core_.position() && synced_) {
    return Gone(fmt::format("the feed ends at {}", core_.position()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<BatchView>> RedisWatch::Next() {
  if (!core_.ready()) {
    core_.WakeAtNext(waiter_);
    const absl::Status problem = core_.problem();
    if (!problem.ok()) {
      return Error(absl::StatusCode::kUnavailable, "{}", Message(problem));
    }
    return std::nullopt;
  }
  if (absl::Status gone = Check(); !gone.ok()) {
    return gone;
  }
  if (position_ > core_.position()) {  // of another handle, which has read further
    if (!std::exchange(syncing_, true)) {
      core_.WhenSynced([this, weak = std::weak_ptr(waiter_)](const absl::Status& status) {
        if (const auto waiter = weak.lock()) {
          synced_ = status.ok();
          syncing_ = false;
          core_.PostWake(waiter);
        }
      });
    }
    return std::nullopt;
  }
  if (!fetched_.empty() || position_ < core_.feed().trimmed()) {
    return FromServer();
  }
  if (!reader_.has_value() || epoch_ != core_.epoch()) {
    epoch_ = core_.epoch();
    reader_ = core_.feed().ReaderAt(position_);
    if (!reader_.has_value()) {
      return Gone("no such place");
    }
  }
  BatchView batch;
  switch (core_.feed().Next(&*reader_, &batch)) {
    case MemoryFeed::Step::kBatch:
      position_ = reader_->position();
      return batch;
    case MemoryFeed::Step::kNothing:
      return Wait();
    case MemoryFeed::Step::kGone:
      break;
  }
  reader_.reset();  // memory keeps less than the server: from there, then
  return FromServer();
}

absl::StatusOr<std::optional<BatchView>> RedisWatch::FromServer() {
  reader_.reset();
  if (!fetched_.empty()) {
    delivered_bytes_ = std::move(fetched_.front().bytes);
    position_ = fetched_.front().after;
    fetched_.pop_front();
    BatchView batch;
    if (BatchView::TryParse(AsBytes(delivered_bytes_), &batch) != BatchRefusal::kNone) {
      return Gone("a batch that cannot be read");
    }
    return batch;
  }
  if (!std::exchange(fetching_, true)) {
    core_.Ask({"XRANGE", core_.keys().feed, std::to_string(position_ + 1) + "-0", "+", "COUNT",
               kEntriesPerRead},
              [this, weak = std::weak_ptr(waiter_)](const absl::Status& status, RedisValue values) {
                if (weak.lock() != nullptr) {
                  OnEntries(status, values);
                }
              });
  }
  return std::nullopt;
}

void RedisWatch::OnEntries(const absl::Status& status, RedisValue entries) {
  fetching_ = false;
  Position at = position_;
  for (std::size_t i = 0; status.ok() && i < entries.size(); ++i) {
    BatchView batch;
    Position after = 0;
    gap_ = !ReadFeedEntry(entries[i], &after, &batch) ||
           after - std::max<std::size_t>(batch.size(), 1) > at;
    if (gap_) {
      break;
    }
    at = after;
    fetched_.push_back({std::string(AsText(batch.bytes())), after});
  }
  core_.PostWake(waiter_);
}

RedisSnapshot::RedisSnapshot(RedisCore& core, TableId table, std::function<void()> wake)
    : core_(core), table_(table), waiter_(NewWaiter(std::move(wake))) {
  core_.WhenSynced([this, weak = std::weak_ptr(waiter_)](const absl::Status& status) {
    if (const auto waiter = weak.lock()) {
      failed_ = status;
      synced_ = true;
      core_.PostWake(waiter);
    }
  });
}

absl::StatusOr<std::optional<BatchView>> RedisSnapshot::Next() {
  if (!synced_) {
    return std::nullopt;
  }
  if (!failed_.ok()) {
    return failed_;
  }
  if (!stream_.has_value()) {
    if (table_ != 0 && core_.tables().Find(table_) == nullptr) {
      return Error(absl::StatusCode::kInvalidArgument, "snapshot: table {:016x} is not open",
                   table_);
    }
    epoch_ = core_.epoch();
    position_ = core_.position();
    stream_.emplace(core_.tables().maps(), table_);
  }
  if (epoch_ != core_.epoch()) {
    return Error(absl::StatusCode::kDataLoss, "snapshot: the tables were loaded anew meanwhile");
  }
  const std::optional<BatchView> batch =
      stream_->Next(kRowsPerCall, core_.facts().counter, core_.loop().unix_now());
  if (!batch.has_value() && !stream_->done()) {
    core_.PostWake(waiter_);
  }
  return batch;
}

}  // namespace mimi::internal
