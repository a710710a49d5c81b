#ifndef MIMI_TESTS_ENGINE_FEED_RIG_H_
#define MIMI_TESTS_ENGINE_FEED_RIG_H_

// One repository on virtual time, a writer, and a reader's handle that can be made to misbehave.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/record.h"
#include "mimi/store.h"

#include "src/base/bytes.h"
#include "tests/support/fake_minion.h"
#include "tests/support/virtual_time.h"

namespace mimi::testing {

using Word = std::uint32_t;

/// Key "id"; value "value", and "timer", which audits leave out.
inline StateSchema RowSchema() {
  return *StateSchema::Builder("test.rows", 1)
              .Key("id", FieldType::kU32)
              .Value("value", FieldType::kU32)
              .Value("timer", FieldType::kU32)
              .Soft()
              .Build();
}
inline std::vector<std::byte> MakeKey(Word id) {
  std::vector<std::byte> key(4);
  StoreLe(key.data(), id);
  return key;
}
inline std::vector<std::byte> MakeRow(Word id, Word value, Word timer = 0) {
  std::vector<std::byte> row(12);
  StoreLe(row.data(), id);
  StoreLe(row.data() + 4, value);
  StoreLe(row.data() + 8, timer);
  return row;
}

/// What a reader's cursors do wrong, from now on.
struct Faults {
  bool unavailable = false;     ///< Snapshot, Watch and Next
  int drop = 0;                 ///< so many live batches are left out
  int swap = 0;                 ///< so many pairs of live batches come in the wrong order
  int repeat = 0;               ///< so many live batches come twice
  int lose_position = 0;        ///< so many Next of a watch are DataLoss
  std::uint64_t snapshots = 0;  ///< opened
};

class FaultyCursor final : public Cursor {
 public:
  FaultyCursor(std::unique_ptr<Cursor> cursor, Faults& faults, bool live)
      : cursor_(std::move(cursor)), faults_(faults), live_(live) {}

  absl::StatusOr<std::optional<BatchView>> Next() override {
    if (faults_.unavailable) {
      return absl::UnavailableError("the store is away");
    }
    if (live_ && faults_.lose_position > 0) {
      --faults_.lose_position;
      return absl::DataLossError("trimmed, so to say");
    }
    if (!again_.empty()) {
      kept_ = std::move(again_.front());
      again_.pop_front();
      return std::optional(*BatchView::Parse(ToSpan(kept_)));
    }
    auto next = cursor_->Next();
    if (!live_ || !next.ok() || !next->has_value()) {
      return next;
    }
    if (faults_.drop > 0) {
      --faults_.drop;
      return Next();
    }
    if (faults_.repeat > 0) {
      --faults_.repeat;
      again_.push_back(ToText((*next)->bytes()));
    } else if (faults_.swap > 0) {
      std::string first = ToText((*next)->bytes());
      next = cursor_->Next();
      if (next.ok() && next->has_value()) {
        --faults_.swap;
        again_.push_back(std::move(first));
      } else {
        kept_ = std::move(first);
        return std::optional(*BatchView::Parse(ToSpan(kept_)));
      }
    }
    return next;
  }
  Position position() const override { return cursor_->position(); }
  bool done() const override { return cursor_->done(); }

 private:
  std::unique_ptr<Cursor> cursor_;
  Faults& faults_;
  bool live_;
  std::deque<std::string> again_;
  std::string kept_;
};

class FaultyStore final : public StateStore {
 public:
  FaultyStore(std::unique_ptr<StateStore> store, Faults& faults)
      : store_(std::move(store)), faults_(faults) {}

  /// Another repository in its place, as after a restart without a disc.
  void Replace(std::unique_ptr<StateStore> store) {
    faults_.lose_position = 1;
    store_ = std::move(store);
  }

  absl::StatusOr<Position> Apply(const BatchView& batch) override { return store_->Apply(batch); }
  Position confirmed() const override { return store_->confirmed(); }
  void Open(const StateSchema& schema, StatusCallback done) override {
    store_->Open(schema, std::move(done));
  }
  void Claim(const ClaimRequest& request, ClaimCallback done) override {
    store_->Claim(request, std::move(done));
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    return Wrap(store_->Watch(from, std::move(wake)), /*live=*/true);
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    ++faults_.snapshots;
    return Wrap(store_->Snapshot(table, std::move(wake)), /*live=*/false);
  }
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    store_->Lookup(table, key, std::move(done));
  }
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override {
    return store_->NewLease(name, owner);
  }
  StoreState state() const override { return store_->state(); }
  std::optional<StateSchema> schema(TableId table) const override { return store_->schema(table); }

 private:
  absl::StatusOr<std::unique_ptr<Cursor>> Wrap(absl::StatusOr<std::unique_ptr<Cursor>> cursor,
                                               bool live) {
    if (faults_.unavailable) {
      return absl::UnavailableError("the store is away");
    }
    if (!cursor.ok()) {
      return cursor.status();
    }
    return std::make_unique<FaultyCursor>(*std::move(cursor), faults_, live);
  }

  std::unique_ptr<StateStore> store_;
  Faults& faults_;
};

/// A node that claims and writes.
class WriterNode {
 public:
  WriterNode(const StateSchema& schema, std::string_view name, VirtualTime& time, VirtualLoop& loop,
             std::shared_ptr<MemoryRepository> repository)
      : origin(OriginOf(name)),
        time_(time),
        store_(*NewMemoryStore({.repository = std::move(repository)}, loop)),
        builder_(schema, origin) {
    store_->Open(schema, [](const absl::Status& status) { REQUIRE(status.ok()); });
    time_.RunFor(Duration(0));
    Claim();
  }

  void Claim(ClaimMode mode = ClaimMode::kExclusive, std::uint64_t floor = 0) {
    store_->Claim({.origin = origin, .mode = mode, .floor = floor},
                  [this](const absl::StatusOr<Claimed>& claimed) {
                    REQUIRE(claimed.ok());
                    term = claimed->term;
                    sequence = 1;
                  });
    time_.RunFor(Duration(0));
  }
  WriterNode& Put(Word id, Word value, Word timer = 0) {
    REQUIRE(builder_.Put(MakeRow(id, value, timer)));
    return *this;
  }
  WriterNode& Erase(Word id) {
    REQUIRE(builder_.Erase(MakeKey(id)));
    return *this;
  }
  /// Seals and stores what was put since the last time; nothing: a heartbeat.
  absl::Status Send() {
    if (builder_.empty()) {
      builder_.set_flags(kBatchHeartbeat);
    }
    const BatchView batch = builder_.Seal(term, sequence, time_.unix_now());
    const absl::Status status = store_->Apply(batch).status();
    if (status.ok()) {
      sequence += batch.size();
    }
    builder_.Clear();
    return status;
  }
  StateStore& store() { return *store_; }

  Origin origin;
  std::uint64_t term = 0;
  std::uint64_t sequence = 1;

 private:
  VirtualTime& time_;
  std::unique_ptr<StateStore> store_;
  BatchBuilder builder_;
};

/// Everything but what is under test.
struct Rig {
  explicit Rig(std::size_t feed_bytes = std::size_t{1} << 20) {
    NewRepository(feed_bytes);
    store =
        std::make_unique<FaultyStore>(*NewMemoryStore({.repository = repository}, loop), faults);
    writer = std::make_unique<WriterNode>(schema, "edge1", time, loop, repository);
  }
  void NewRepository(std::size_t feed_bytes) {
    repository = NewMemoryRepository({.feed_bytes = feed_bytes}, loop);
  }
  /// The repository is replaced by an empty one, under everybody's feet.
  void ReplaceRepository() {
    NewRepository(std::size_t{1} << 20);
    store->Replace(*NewMemoryStore({.repository = repository}, loop));
    writer = std::make_unique<WriterNode>(schema, "edge1", time, loop, repository);
  }

  VirtualTime time;
  VirtualLoop loop{time};
  StateSchema schema = RowSchema();
  Faults faults;
  std::shared_ptr<MemoryRepository> repository;
  std::unique_ptr<FaultyStore> store;
  std::unique_ptr<WriterNode> writer;
};

/// All rows that a store holds, by its own snapshot.
inline std::map<std::string, std::string> RowsOf(StateStore& store, const StateSchema& schema) {
  std::map<std::string, std::string> rows;
  const auto cursor = store.Snapshot(schema.table(), [] {});
  REQUIRE(cursor.ok());
  while (!(*cursor)->done()) {
    const auto batch = (*cursor)->Next();
    REQUIRE(batch.ok());
    if (!batch->has_value()) {
      continue;
    }
    for (const RecordView record : **batch) {
      if (record.op == Op::kPut) {
        rows[ToText(record.key)] = ToText(record.row);
      }
    }
  }
  return rows;
}

}  // namespace mimi::testing

#endif  // MIMI_TESTS_ENGINE_FEED_RIG_H_
