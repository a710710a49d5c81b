#include "src/store/redis/redis_follower.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/store/redis/redis_core.h"

namespace mimi::internal {
namespace {

// What is applied in about a millisecond: 8 batches of 64 KiB, or more that are smaller.
constexpr std::size_t kLeastBatches = 8;
constexpr std::size_t kMostBatches = 1024;
constexpr std::size_t kBytesPerRead = std::size_t{512} << 10;
constexpr auto kWait = std::chrono::milliseconds(250);
constexpr std::string_view kWaitText = "250";
// Who writes takes his own batches when they are stored, and need not read them: Hurry() ends the
// pause.
constexpr auto kWriterPause = std::chrono::milliseconds(250);

}  // namespace

bool ReadFeedEntry(RedisValue entry, Position* after, BatchView* batch) {
  const std::optional<Position> position = ParseEntryId(entry[0].text());
  const RedisValue fields = entry[1];
  if (!position.has_value() || fields.size() != 2 || fields[0].text() != "b" ||
      BatchView::TryParse(AsBytes(fields[1].text()), batch) != BatchRefusal::kNone) {
    return false;
  }
  *after = *position;
  return *after >= std::max<std::size_t>(batch->size(), 1);
}

RedisFollower::~RedisFollower() {
  Stop();
}

void RedisFollower::Start() {
  Stop();
  Ask();
}

void RedisFollower::Stop() {
  core_.loop().Cancel(pause_);
  pause_ = 0;
}

void RedisFollower::Ask() {
  const RedisKeys& keys = core_.keys();
  std::vector<std::string_view> facts = {"HMGET", keys.pair};
  facts.insert(facts.end(), kFacts.begin(), kFacts.end());
  core_.link().SendToFeed(facts, [this](RedisValue values) { OnFacts(values); });
  const std::string from = std::to_string(core_.position()) + "-0";
  const std::string most = std::to_string(most_);
  const std::string_view read[] = {"XREAD",   "COUNT",   most,      "BLOCK",
                                   kWaitText, "STREAMS", keys.feed, from};
  core_.link().SendToFeed(
      read, [this](RedisValue streams) { OnStreams(streams); }, kWait);
}

void RedisFollower::OnFacts(RedisValue values) {
  const std::optional<RedisFacts> facts = RedisFacts::Read(values, 0);
  if (!facts.has_value()) {
    core_.link().Fail("replaced", "the repository is gone");
    return;
  }
  core_.TakeFacts(*facts);
}

void RedisFollower::OnStreams(RedisValue streams) {
  const RedisValue entries = streams[0][1];
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    bytes += entries[i][1][1].text().size();
    if (TakeEntry(entries[i]) == Taken::kStop) {
      return;
    }
  }
  if (bytes > kBytesPerRead) {
    most_ = std::max(most_ / 2, kLeastBatches);
  } else if (entries.size() == most_ && bytes < kBytesPerRead / 2) {
    most_ = std::min(most_ * 2, kMostBatches);
  }
  core_.TookSome();
  if (core_.brings_itself()) {
    pause_ = core_.loop().At(core_.loop().now() + kWriterPause, [this] {
      pause_ = 0;
      Ask();
    });
  } else {
    Ask();
  }
}

void RedisFollower::Hurry() {
  if (pause_ != 0) {
    Start();
  }
}

RedisFollower::Taken RedisFollower::TakeEntry(RedisValue entry) {
  BatchView batch;
  Position after = 0;
  if (!ReadFeedEntry(entry, &after, &batch)) {
    core_.Reload("damaged", "an entry of the feed cannot be read");
    return Taken::kStop;
  }
  if (after <= core_.position()) {
    return Taken::kGoOn;  // ours, taken when it was stored
  }
  const Position before = after - std::max<std::size_t>(batch.size(), 1);
  if (before != core_.position()) {
    core_.Reload("trimmed", "the feed was cut behind position " + std::to_string(core_.position()));
    return Taken::kStop;
  }
  if (!core_.tables().CheckFits(batch).ok() && schemas_for_ != after) {
    AskSchemas(after);
    return Taken::kStop;
  }
  core_.Take(batch, after);
  return Taken::kGoOn;
}

// Another handle has opened a table, or made it longer.
void RedisFollower::AskSchemas(Position position) {
  schemas_for_ = position;
  const std::string_view command[] = {"HGETALL", core_.keys().schemas};
  core_.link().SendToFeed(command, [this](RedisValue schemas) {
    if (absl::Status opened = OpenSchemas(schemas, &core_.tables()); !opened.ok()) {
      core_.Reload("damaged", Message(opened));
      return;
    }
    core_.TookSome();
    Ask();
  });
}

}  // namespace mimi::internal
