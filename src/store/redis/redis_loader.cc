#include "src/store/redis/redis_loader.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::uint64_t kBlobsPerRead = 32;  // some 2,000 rows: a quarter of a millisecond
constexpr std::size_t kReadsInFlight = 8;

}  // namespace

absl::Status OpenSchemas(RedisValue schemas, RedisTables* tables) {
  for (std::size_t i = 0; i + 1 < schemas.size(); i += 2) {
    const absl::StatusOr<StateSchema> schema = StateSchema::Parse(schemas[i + 1].text());
    if (!schema.ok()) {
      return Prepend(schemas[i].text(), schema.status());
    }
    const RowMap* const rows = tables->Find(schema->table());
    if (rows != nullptr) {
      if (absl::Status same = schema->CheckCompatible(rows->schema()); !same.ok()) {
        return same;
      }
    }
    tables->Open(*schema);
  }
  return absl::OkStatus();
}

RedisLoader::RedisLoader(RedisLink& link, const RedisKeys& keys, Loop& loop,
                         const RedisFacts& facts,
                         std::function<std::unique_ptr<RedisTables>()> empty, Done done)
    : link_(link),
      keys_(keys),
      loop_(loop),
      facts_(facts),
      empty_(std::move(empty)),
      done_(std::move(done)) {
}

void RedisLoader::Start() {
  tables_ = empty_();
  parts_.clear();
  part_ = 0;
  const std::string_view schemas[] = {"HGETALL", keys_.schemas};
  link_.Send(schemas, [this](RedisValue values) { OnSchemas(values); });
  const std::string_view tables[] = {"HGETALL", keys_.tables};
  link_.Send(tables, [this](RedisValue values) { OnTables(values); });
}

void RedisLoader::OnSchemas(RedisValue schemas) {
  if (absl::Status opened = OpenSchemas(schemas, tables_.get()); !opened.ok()) {
    link_.Fail("damaged", Message(opened));
  }
}

void RedisLoader::OnTables(RedisValue tables) {
  for (std::size_t i = 0; facts_.generation != 0 && i + 1 < tables.size(); i += 2) {
    const std::string name(tables[i].text());
    const TableId id = TableIdOf(name);
    const auto summary = RedisTableSummary::Parse(tables[i + 1].text());
    if (!summary.has_value() || tables_->Find(id) == nullptr) {
      link_.Fail("damaged", keys_.tables);
      return;
    }
    tables_->Find(id)->Reserve(summary->rows + summary->tombstones);
    parts_.push_back({name, id, RowBlobKind::kRows, 0, summary->buckets});
    parts_.push_back({name, id, RowBlobKind::kTombstones, summary->first_chunk, summary->chunks});
  }
  ReadMore();
}

void RedisLoader::ReadMore() {
  while (part_ < parts_.size() && in_flight_ < kReadsInFlight) {
    Part& part = parts_[part_];
    if (part.next >= part.end) {
      ++part_;
      continue;
    }
    const std::string key = keys_.rows(part.table, facts_.generation);
    std::vector<std::string> fields;
    for (std::uint64_t i = 0; i < kBlobsPerRead && part.next < part.end; ++i) {
      fields.push_back(RowField(part.kind, part.next++));
    }
    std::vector<std::string_view> command = {"HMGET", key};
    command.insert(command.end(), fields.begin(), fields.end());
    ++in_flight_;
    link_.Send(command, [this, part = part_](RedisValue blobs) { OnBlobs(parts_[part], blobs); });
  }
  if (part_ == parts_.size() && in_flight_ == 0) {
    std::vector<std::string_view> command = {"HMGET", keys_.pair};
    command.insert(command.end(), kFacts.begin(), kFacts.end());
    link_.Send(command, [this](RedisValue values) { Finish(values); });
  }
}

void RedisLoader::OnBlobs(const Part& part, RedisValue blobs) {
  --in_flight_;
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    if (blobs[i].is_nil()) {
      continue;
    }
    const absl::Status loaded =
        tables_->Load(part.id, blobs[i].text(), part.kind, loop_.now(), facts_.position);
    if (!loaded.ok()) {
      link_.Fail("damaged", Message(Prepend(part.table, loaded)));
      return;
    }
  }
  ReadMore();
}

void RedisLoader::Finish(RedisValue values) {
  const std::optional<RedisFacts> now = RedisFacts::Read(values, 0);
  if (!now.has_value() || now->incarnation != facts_.incarnation) {
    link_.Fail("replaced", "another repository stands in its place");
    return;
  }
  const bool moved = !parts_.empty() && now->generation != facts_.generation;
  if (moved || now->trimmed > facts_.position) {
    facts_ = *now;
    Start();
    return;
  }
  RedisFacts facts = *now;
  facts.position = facts_.position;
  done_(std::move(tables_), facts);
}

}  // namespace mimi::internal
