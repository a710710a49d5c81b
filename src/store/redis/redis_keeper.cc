#include "src/store/redis/redis_keeper.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <string_view>
#include <vector>

#include "src/store/redis/redis_core.h"

namespace mimi::internal {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kLeaseMs = "5000";
constexpr Duration kShortest = std::chrono::seconds(1);
constexpr Duration kLongest = std::chrono::seconds(5);
constexpr std::int64_t kRest = 8;  // times as long as a cycle took
constexpr std::size_t kPiecesPerPut = 32;
constexpr std::size_t kBytesPerPut = std::size_t{128} << 10;  // rows as JSON: a millisecond's
constexpr std::size_t kPutsInFlight = 4;

std::string NewToken() {
  std::random_device device;
  return HexId((std::uint64_t{device()} << 32) | device());
}

}  // namespace

RedisKeeper::RedisKeeper(RedisCore& core) : core_(core), token_(NewToken()) {
}

RedisKeeper::~RedisKeeper() {
  core_.loop().Cancel(timer_);
}

void RedisKeeper::Reset() {
  phase_ = Phase::kIdle;
  generation_ = 0;
  core_.loop().Cancel(timer_);
  timer_ = 0;
}

void RedisKeeper::WaitUntil(MonotonicTime at) {
  if (timer_ == 0) {
    timer_ = core_.loop().At(at, [this] {
      timer_ = 0;
      Consider();
    });
  }
}

void RedisKeeper::Consider() {
  const bool behind = core_.position() > core_.facts().position;
  if (phase_ != Phase::kIdle || !writes_ || !behind || !core_.ready()) {
    return;
  }
  const MonotonicTime now = core_.loop().now();
  const bool urgent = core_.feed_bytes() >= 2 * core_.options().feed_bytes;
  const MonotonicTime at = std::max(not_before_, urgent ? now : next_cycle_);
  if (at > now) {
    WaitUntil(at);
    return;
  }
  Keep();
}

void RedisKeeper::Keep() {
  phase_ = Phase::kAsking;
  const RedisKeys& keys = core_.keys();
  const std::string generation = std::to_string(generation_);
  const std::string_view key_views[] = {keys.pair, keys.schemas};
  const std::string_view arguments[] = {core_.incarnation(), token_, kLeaseMs, generation,
                                        keys.rows_prefix};
  core_.link().Run(Script::kKeep, key_views, arguments, [this](RedisValue answer) {
    if (answer[0].text() == "kept") {
      BeginCycle(answer[1].number());
    } else {
      Lost(kShortest);  // another is: perhaps it will be gone
    }
  });
}

void RedisKeeper::Lost(Duration wait) {
  phase_ = Phase::kIdle;
  generation_ = 0;
  core_.tables().StopTracking();
  not_before_ = core_.loop().now() + wait;
  WaitUntil(not_before_);
}

void RedisKeeper::BeginCycle(std::uint64_t generation) {
  phase_ = Phase::kPutting;
  if (generation != generation_) {
    generation_ = generation;
    core_.tables().Track();
  }
  begun_ = core_.loop().now();
  position_ = core_.position();
  in_flight_ = 0;
  all_put_ = false;
  has_piece_ = false;
  PutMore();
}

void RedisKeeper::PutMore() {
  while (in_flight_ < kPutsInFlight && PutSome()) {}
  if (all_put_ && in_flight_ == 0) {
    Commit();
  }
}

// Some pieces of one table. False: there are no more.
bool RedisKeeper::PutSome() {
  RedisTables& tables = core_.tables();
  TableId table = 0;
  std::vector<std::string> values;  // field, value, field, value, …
  std::size_t bytes = 0;
  while (!all_put_ && values.size() < 2 * kPiecesPerPut && bytes < kBytesPerPut) {
    if (!has_piece_ && !tables.NextDirty(&piece_)) {
      all_put_ = true;
      break;
    }
    has_piece_ = !values.empty() && piece_.table != table;
    if (has_piece_) {
      break;
    }
    table = piece_.table;
    values.push_back(RowField(piece_.kind, piece_.number));
    values.emplace_back(piece_.value);
    bytes += piece_.value.size();
  }
  if (values.empty()) {
    return false;
  }
  const std::string key = core_.keys().rows(tables.Find(table)->schema().name(), generation_);
  const std::string generation = std::to_string(generation_);
  const std::string_view keys[] = {core_.keys().pair, key};
  std::vector<std::string_view> arguments = {core_.incarnation(), token_, generation, kLeaseMs};
  arguments.insert(arguments.end(), values.begin(), values.end());
  ++in_flight_;
  core_.link().Run(Script::kPut, keys, arguments, [this](RedisValue answer) {
    --in_flight_;
    if (phase_ != Phase::kPutting) {
      return;
    }
    if (answer[0].text() == "put") {
      PutMore();
    } else {
      Lost(kShortest);
    }
  });
  return true;
}

void RedisKeeper::Commit() {
  phase_ = Phase::kCommitting;
  const RedisKeys& keys = core_.keys();
  const RedisCore::Cut cut = core_.CutFor(position_);
  const RedisTables& tables = core_.tables();
  std::vector<std::string> values = {core_.incarnation(),
                                     token_,
                                     std::to_string(generation_),
                                     std::to_string(position_),
                                     std::to_string(cut.position),
                                     std::to_string(cut.bytes),
                                     keys.rows_prefix};
  for (const auto& [id, rows] : tables.maps()) {
    const RedisTables::Chunks chunks = tables.ChunksOf(*rows);
    values.push_back(rows->schema().name());
    values.push_back(RedisTableSummary{tables.Buckets(*rows), chunks.first, chunks.end,
                                       rows->size(), rows->tombstones()}
                         .ToText());
  }
  const std::string_view key_views[] = {keys.pair, keys.feed, keys.schemas, keys.tables};
  const std::vector<std::string_view> arguments(values.begin(), values.end());
  core_.link().Run(Script::kCommit, key_views, arguments, [this, cut](RedisValue answer) {
    if (answer[0].text() != "committed") {
      Lost(kShortest);
      return;
    }
    phase_ = Phase::kIdle;
    const MonotonicTime now = core_.loop().now();
    next_cycle_ = now + std::clamp((now - begun_) * kRest, kShortest, kLongest);
    core_.NoteCommit(position_, cut);
    Consider();
  });
}

}  // namespace mimi::internal
