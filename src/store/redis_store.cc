// The face of the Redis store: StateStore in terms of RedisCore.
#include "mimi/builtin/redis_store.h"

#include <chrono>
#include <limits>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/store/find_row.h"
#include "src/store/redis/redis_core.h"
#include "src/store/redis/redis_cursors.h"
#include "src/store/redis/redis_lease.h"

namespace mimi {
namespace {

using internal::RedisCore;
using internal::RedisValue;
using internal::Script;

class RedisStore final : public StateStore {
 public:
  RedisStore(const RedisStoreOptions& options, Loop& loop) : core_(options, loop) {}

  absl::StatusOr<Position> Apply(const BatchView& batch) override { return core_.Apply(batch); }
  Position confirmed() const override { return core_.confirmed(); }

  void Open(const StateSchema& schema, StatusCallback done) override;
  void Claim(const ClaimRequest& request, ClaimCallback done) override;
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    return std::make_unique<internal::RedisWatch>(core_, from, std::move(wake));
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    return std::make_unique<internal::RedisSnapshot>(core_, table, std::move(wake));
  }
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override;
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override {
    return std::make_unique<internal::RedisLease>(core_, name, owner);
  }
  StoreState state() const override {
    StoreState state;
    core_.Report(&state);
    return state;
  }
  std::optional<StateSchema> schema(TableId table) const override {
    const RowMap* const rows = core_.tables().Find(table);
    return rows == nullptr ? std::nullopt : std::optional(rows->schema());
  }

 private:
  void AskOpen(const StateSchema& schema, const std::string& there, const StatusCallback& done);
  void WaitForReplica(const Claimed& claimed, const ClaimCallback& done);
  absl::StatusOr<Found> Find(TableId table, std::span<const std::byte> key);

  RedisCore core_;
};

void RedisStore::Open(const StateSchema& schema, StatusCallback done) {
  core_.WhenReady([this, schema, done = std::move(done)](const absl::Status& ready) {
    if (!ready.ok()) {
      done(ready);
      return;
    }
    const RowMap* const rows = core_.tables().Find(schema.table());
    AskOpen(schema, rows == nullptr ? std::string() : rows->schema().Serialize(), done);
  });
}

// Puts the schema if the server has what we think (`there`), else looks at what it has instead.
void RedisStore::AskOpen(const StateSchema& schema, const std::string& there,
                         const StatusCallback& done) {
  std::string longest = schema.Serialize();
  if (!there.empty()) {
    const absl::StatusOr<StateSchema> kept = StateSchema::Parse(there);
    if (!kept.ok()) {
      done(Error(absl::StatusCode::kDataLoss, "{}: {}", core_.keys().schemas,
                 Message(kept.status())));
      return;
    }
    if (absl::Status same = schema.CheckCompatible(*kept, "the store"); !same.ok()) {
      done(same);
      return;
    }
    longest = kept->row_size() >= schema.row_size() ? there : longest;
  }
  core_.Ask(Script::kOpen, {core_.keys().pair, core_.keys().schemas},
            {core_.incarnation(), schema.name(), there, longest},
            [this, schema, longest, done](const absl::Status& status, RedisValue answer) {
              if (!status.ok()) {
                done(status);
              } else if (answer[0].text() == "other") {
                AskOpen(schema, std::string(answer[1].text()), done);
              } else {
                core_.tables().Open(*StateSchema::Parse(longest));
                done(absl::OkStatus());
              }
            });
}

void RedisStore::Claim(const ClaimRequest& request, ClaimCallback done) {
  core_.WhenReady([this, request, done = std::move(done)](const absl::Status& ready) {
    if (!ready.ok()) {
      done(ready);
      return;
    }
    core_.Ask(Script::kClaim, {core_.keys().pair, core_.keys().terms},
              {core_.incarnation(), internal::HexId(request.origin),
               std::to_string(static_cast<int>(request.mode)), std::to_string(request.floor),
               request.expected.has_value() ? std::to_string(*request.expected) : std::string()},
              [this, request, done](const absl::Status& status, RedisValue answer) {
                const std::string_view word = answer[0].text();
                if (!status.ok()) {
                  done(status);
                } else if (word == "claimed") {
                  const Claimed claimed{answer[1].number(), answer[2].number()};
                  core_.NoteClaim(claimed.term, request);
                  WaitForReplica(claimed, done);
                } else if (word == "other") {
                  done(Error(absl::StatusCode::kAborted,
                             "claim: the newest claim has term {}, expected {}", answer[1].text(),
                             request.expected.value_or(0)));
                } else {
                  done(Error(absl::StatusCode::kInvalidArgument,
                             "claim: no term below 2^53 is above {}", request.floor));
                }
              });
  });
}

void RedisStore::WaitForReplica(const Claimed& claimed, const ClaimCallback& done) {
  const auto wait =
      std::chrono::duration_cast<std::chrono::milliseconds>(core_.options().claim_wait);
  if (!core_.link().has_replicas() || wait.count() <= 0) {
    done(claimed);
    return;
  }
  core_.Ask(
      {"WAIT", "1", std::to_string(wait.count())},
      [claimed, done](const absl::Status&, RedisValue) { done(claimed); }, wait);
}

void RedisStore::Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) {
  core_.WhenSynced([this, table, key = std::vector<std::byte>(key.begin(), key.end()),
                    done = std::move(done)](const absl::Status& synced) {
    if (synced.ok()) {
      done(Find(table, key));
    } else {
      done(synced);
    }
  });
}

absl::StatusOr<StateStore::Found> RedisStore::Find(TableId table, std::span<const std::byte> key) {
  return FindRow(core_.tables().Find(table), table, key);
}

absl::Status CheckName(std::string_view what, std::string_view name) {
  const bool plain = name.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789._-") == std::string_view::npos;
  if (plain && !name.empty() && name.size() <= 64) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kInvalidArgument,
               "redis store: {} \"{}\": expected 1 to 64 of [A-Za-z0-9._-]", what, name);
}

absl::Status CheckOptions(const RedisStoreOptions& options) {
  using Deployment = RedisStoreOptions::Deployment;
  const bool one = options.deployment == Deployment::kStandalone;
  if (options.addresses.empty() || (one && options.addresses.size() != 1)) {
    return Error(absl::StatusCode::kInvalidArgument, "redis store: {} addresses, expected {}",
                 options.addresses.size(), one ? "one" : "one at least");
  }
  if (options.deployment == Deployment::kSentinel && options.service.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "redis store: the master's name is missing");
  }
  if (options.deployment == Deployment::kCluster && options.database != 0) {
    return Error(absl::StatusCode::kInvalidArgument, "redis store: a cluster has no databases");
  }
  if (options.max_rows == 0 || options.feed_bytes == 0 || options.retry_min <= Duration::zero() ||
      options.retry_max < options.retry_min || options.connect_timeout <= Duration::zero() ||
      options.reply_timeout <= Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "redis store: max_rows, feed_bytes, retry_min to retry_max, connect_timeout and "
                 "reply_timeout must be above 0");
  }
  if (absl::Status prefix = CheckName("prefix", options.prefix); !prefix.ok()) {
    return prefix;
  }
  return CheckName("pair", options.pair);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> NewRedisStore(const RedisStoreOptions& options,
                                                          Loop& loop) {
  if (absl::Status status = CheckOptions(options); !status.ok()) {
    return status;
  }
  return std::make_unique<RedisStore>(options, loop);
}

}  // namespace mimi
