// A vendor's own store: here one that keeps another and logs who claimed what, the way one adds an
// audit trail, encryption or a quota. It passes the library's contract suite, and so can yours.
//
//   build/dev/examples/custom_store
//
// You will see the trail of one claim and one batch, then doctest's summary of the suite: all
// passed.

#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/contract/store_contract.h"
#include "mimi/store.h"

namespace {

// Every method of StateStore, so that the compiler says what a store has to do. What is accepted,
// confirmed or refused is the inner store's business; it runs on the same loop, so callbacks need
// no detour.
class TrailStore final : public mimi::StateStore {
 public:
  using Trail = std::function<void(const std::string&)>;
  TrailStore(std::unique_ptr<mimi::StateStore> inner, Trail trail)
      : inner_(std::move(inner)), trail_(std::move(trail)) {}

  absl::StatusOr<mimi::Position> Apply(const mimi::BatchView& batch) override {
    absl::StatusOr<mimi::Position> position = inner_->Apply(batch);
    if (!batch.empty() || !position.ok()) {  // heartbeats are not worth a line
      trail_("term " + std::to_string(batch.term()) + " wrote " + std::to_string(batch.size()) +
             " records: " + position.status().ToString());
    }
    return position;
  }
  mimi::Position confirmed() const override { return inner_->confirmed(); }

  void Open(const mimi::StateSchema& schema, StatusCallback done) override {
    inner_->Open(schema, std::move(done));
  }
  void Claim(const mimi::ClaimRequest& request, ClaimCallback done) override {
    // The inner store drops its callbacks when it goes, and it goes with us: `this` stays valid.
    inner_->Claim(request, [this, origin = request.origin,
                            done = std::move(done)](absl::StatusOr<mimi::Claimed> claimed) {
      trail_(
          "node " + std::to_string(origin) + " claimed: " +
          (claimed.ok() ? "term " + std::to_string(claimed->term) : claimed.status().ToString()));
      done(std::move(claimed));
    });
  }
  absl::StatusOr<std::unique_ptr<mimi::Cursor>> Watch(const mimi::WatchFrom& from,
                                                      std::function<void()> wake) override {
    return inner_->Watch(from, std::move(wake));
  }
  absl::StatusOr<std::unique_ptr<mimi::Cursor>> Snapshot(mimi::TableId table,
                                                         std::function<void()> wake) override {
    return inner_->Snapshot(table, std::move(wake));
  }
  void Lookup(mimi::TableId table, std::span<const std::byte> key, LookupCallback done) override {
    inner_->Lookup(table, key, std::move(done));
  }
  std::unique_ptr<mimi::Lease> NewLease(std::string_view name, mimi::Origin owner) override {
    return inner_->NewLease(name, owner);
  }
  mimi::StoreState state() const override { return inner_->state(); }
  std::optional<mimi::StateSchema> schema(mimi::TableId table) const override {
    return inner_->schema(table);
  }

 private:
  std::unique_ptr<mimi::StateStore> inner_;
  Trail trail_;
};

// What the suite needs to know: how to make a repository, and handles to it.
class TrailUnderTest final : public mimi::contract::StoreUnderTest {
 public:
  explicit TrailUnderTest(const mimi::contract::StoreLimits& limits)
      : repository_(mimi::NewMemoryRepository({.max_rows = limits.max_rows,
                                               .tombstone_age = limits.tombstone_age,
                                               .feed_bytes = limits.feed_bytes},
                                              *loop_)) {}
  mimi::Loop& loop() override { return *loop_; }
  std::unique_ptr<mimi::StateStore> NewHandle() override {
    return std::make_unique<TrailStore>(*mimi::NewMemoryStore({.repository = repository_}, *loop_),
                                        [](const std::string&) {});
  }

 private:
  std::unique_ptr<mimi::Loop> loop_ = *mimi::NewEpollLoop();
  std::shared_ptr<mimi::MemoryRepository> repository_;
};

}  // namespace

MIMI_STORE_CONTRACT("trail store", [](const mimi::contract::StoreLimits& limits) {
  return std::make_unique<TrailUnderTest>(limits);
})

int main(int argc, char** argv) {
  const std::unique_ptr<mimi::Loop> loop = *mimi::NewEpollLoop();
  TrailStore store(*mimi::NewMemoryStore({}, *loop),
                   [](const std::string& line) { std::printf("trail: %s\n", line.c_str()); });
  const mimi::StateSchema schema =
      *mimi::StateSchema::Builder("demo.rows", 1).Key("id", mimi::FieldType::kU8).Build();
  store.Open(schema, [](absl::Status) {});
  store.Claim({.origin = 1}, [&](absl::StatusOr<mimi::Claimed> claimed) {
    mimi::BatchBuilder builder(schema, 1);
    builder.Put(schema.default_row());
    store.Apply(builder.Seal(claimed->term, 1, loop->unix_now())).IgnoreError();
  });
  while (loop->RunOnce()) {}
  return doctest::Context(argc, argv).run();
}
