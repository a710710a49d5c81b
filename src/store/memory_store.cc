// The handle on a MemoryRepository: makes its answers asynchronous, on this handle's loop.
#include "mimi/builtin/memory_store.h"

#include <utility>

#include "src/base/status.h"
#include "src/store/find_row.h"
#include "src/store/memory_cursors.h"
#include "src/store/memory_repository.h"

namespace mimi {
namespace {

// Posts `task` unless its owner, who holds the token, is gone when its turn comes.
template <class Task>
void PostFor(Loop& loop, const std::shared_ptr<bool>& token, Task task) {
  loop.Post([alive = std::weak_ptr<bool>(token), task = std::move(task)] {
    if (const std::shared_ptr<bool> still = alive.lock()) {
      task();
    }
  });
}

class MemoryLease final : public Lease {
 public:
  MemoryLease(std::shared_ptr<MemoryRepository> repository, Loop& loop, std::string_view name,
              Origin owner)
      : repository_(std::move(repository)), loop_(loop), name_(name), owner_(owner) {}

  void Acquire(Duration ttl, GrantCallback done) override {
    Answer(repository_->AcquireLease(name_, owner_, ttl), ttl, std::move(done));
  }
  void Renew(Duration ttl, GrantCallback done) override {
    Answer(repository_->RenewLease(name_, owner_, ttl), ttl, std::move(done));
  }
  void Release() override { repository_->ReleaseLease(name_, owner_); }

 private:
  void Answer(const absl::StatusOr<std::uint64_t>& term, Duration ttl, GrantCallback done) {
    const absl::StatusOr<LeaseGrant> grant =
        term.ok() ? absl::StatusOr<LeaseGrant>(LeaseGrant{*term, loop_.now() + ttl})
                  : term.status();
    PostFor(loop_, token_, [grant, done = std::move(done)] { done(grant); });
  }

  std::shared_ptr<MemoryRepository> repository_;
  Loop& loop_;
  std::string name_;
  Origin owner_;
  std::shared_ptr<bool> token_ = std::make_shared<bool>();
};

class MemoryStore final : public StateStore {
 public:
  MemoryStore(std::shared_ptr<MemoryRepository> repository, Loop& loop)
      : repository_(std::move(repository)), loop_(loop) {}

  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    return repository_->Apply(batch);
  }
  Position confirmed() const override { return repository_->feed().head(); }

  void Open(const StateSchema& schema, StatusCallback done) override {
    PostFor(loop_, token_,
            [status = repository_->Open(schema), done = std::move(done)] { done(status); });
  }

  void Claim(const ClaimRequest& request, ClaimCallback done) override {
    PostFor(loop_, token_,
            [claimed = repository_->Claim(request), done = std::move(done)] { done(claimed); });
  }

  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    if (from.incarnation != 0 && from.incarnation != repository_->incarnation()) {
      return Error(absl::StatusCode::kDataLoss, "watch: this is incarnation {:016x}, not {:016x}",
                   repository_->incarnation(), from.incarnation);
    }
    const auto reader = repository_->feed().ReaderAt(from.position);
    if (!reader.has_value()) {
      return Error(absl::StatusCode::kDataLoss,
                   "watch: position {} is gone, the feed holds {} to {}", from.position,
                   repository_->feed().trimmed(), repository_->feed().head());
    }
    return std::make_unique<internal::MemoryWatch>(repository_, *reader, loop_, std::move(wake));
  }

  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    std::vector<TableId> tables = repository_->tables();
    if (table != 0) {
      if (repository_->table(table) == nullptr) {
        return Error(absl::StatusCode::kInvalidArgument, "snapshot: table {:016x} is not open",
                     table);
      }
      tables = {table};
    }
    return std::make_unique<internal::MemorySnapshot>(repository_, std::move(tables), loop_,
                                                      std::move(wake));
  }

  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    PostFor(loop_, token_,
            [this, table, key = std::vector<std::byte>(key.begin(), key.end()),
             done = std::move(done)] { done(Find(table, key)); });
  }

  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override {
    return std::make_unique<MemoryLease>(repository_, loop_, name, owner);
  }

  StoreState state() const override { return repository_->state(); }

  std::optional<StateSchema> schema(TableId table) const override {
    const RowMap* rows = repository_->table(table);
    return rows == nullptr ? std::nullopt : std::optional(rows->schema());
  }

 private:
  absl::StatusOr<Found> Find(TableId table, std::span<const std::byte> key) {
    return FindRow(repository_->table(table), table, key);
  }

  std::shared_ptr<MemoryRepository> repository_;
  Loop& loop_;
  std::shared_ptr<bool> token_ = std::make_shared<bool>();
};

}  // namespace

std::shared_ptr<MemoryRepository> NewMemoryRepository(const MemoryStoreOptions& options,
                                                      const Clock& clock) {
  return std::make_shared<MemoryRepository>(options, clock);
}

absl::StatusOr<std::unique_ptr<StateStore>> NewMemoryStore(const MemoryStoreOptions& options,
                                                           Loop& loop) {
  if (options.max_rows == 0 || options.tombstone_age < Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "memory store: max_rows is {} and tombstone_age {} ns, expected at least 1 and 0",
                 options.max_rows, options.tombstone_age.count());
  }
  return std::make_unique<MemoryStore>(
      options.repository != nullptr ? options.repository : NewMemoryRepository(options, loop),
      loop);
}

}  // namespace mimi
