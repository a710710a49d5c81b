#include "mimi/builtin/memory_store.h"

#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/contract/store_contract.h"
#include "mimi/testing/virtual_loop.h"

namespace mimi {
namespace {

using contract::StoreLimits;
using contract::Writer;

class MemoryUnderTest final : public contract::StoreUnderTest {
 public:
  explicit MemoryUnderTest(const StoreLimits& limits)
      : repository_(NewMemoryRepository({.max_rows = limits.max_rows,
                                         .tombstone_age = limits.tombstone_age,
                                         .feed_bytes = limits.feed_bytes},
                                        clock_)) {}

  Loop& loop() override { return loop_; }
  std::unique_ptr<StateStore> NewHandle() override {
    return *NewMemoryStore({.repository = repository_}, loop_);
  }
  bool Advance(Duration by) override {
    clock_.Advance(by);
    loop_.RunUntilIdle();
    return true;
  }
  bool Restart() override { return true; }  // the repository is not its handles

 private:
  VirtualClock clock_;
  VirtualLoop loop_{clock_};
  std::shared_ptr<MemoryRepository> repository_;
};

contract::StoreFactory MakeMemory() {
  return [](const StoreLimits& limits) {
    return std::make_unique<MemoryUnderTest>(limits);
  };
}

}  // namespace

MIMI_STORE_CONTRACT("memory store", MakeMemory())

namespace {

TEST_CASE("memory store: options that make no sense are refused") {
  VirtualClock clock;
  VirtualLoop loop(clock);
  CHECK(NewMemoryStore({.max_rows = 0}, loop).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(NewMemoryStore({.tombstone_age = Duration(-1)}, loop).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("memory store: a callback of a handle that is gone does not run") {
  VirtualClock clock;
  VirtualLoop loop(clock);
  bool called = false;
  auto store = *NewMemoryStore({}, loop);
  store->Open(contract::WordSchema(1), [&](const absl::Status&) { called = true; });
  store->Claim({}, [&](const absl::StatusOr<Claimed>&) { called = true; });
  store.reset();
  loop.RunUntilIdle();
  CHECK(!called);
}

TEST_CASE("memory store: a batch stays readable until the next call, trimmed or not") {
  contract::Bench bench(MakeMemory(), {.feed_bytes = 8 * 1024});
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "node");
  Writer writer(schema, node.origin, node.claim.term);
  REQUIRE(bench.Apply(*node.store, writer.Put({1, 42}).Seal()).ok());
  auto cursor = *node.store->Watch({}, [] {});
  const auto first = cursor->Next();
  REQUIRE(first.ok());
  REQUIRE(first->has_value());
  for (int i = 0; i < 1000; ++i) {
    for (contract::Word id = 0; id < 50; ++id) {
      writer.Put({id, 7});
    }
    REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
  }
  REQUIRE(node.store->state().trimmed > 1);
  CHECK(contract::ToWords((**first)[0].row) == std::vector<contract::Word>{1, 42});
  CHECK(cursor->Next().status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("memory store: memory stays at its bound under a flood of new keys and erases") {
  contract::Bench bench(MakeMemory(), {.max_rows = 1000, .feed_bytes = 64 * 1024});
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "node");
  Writer writer(schema, node.origin, node.claim.term);
  std::uint64_t highest = 0;
  for (contract::Word id = 0; id < 200'000;) {
    for (int i = 0; i < 500; ++i, ++id) {
      writer.Put({id, id});
      if (id % 3 == 0) {
        writer.Erase(id / 2);
      }
    }
    REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
    if (id == 20'000) {
      highest = node.store->state().memory_bytes;
    }
  }
  const StoreState state = node.store->state();
  CHECK(state.rows <= 1000);
  CHECK(state.tombstones <= 1000);
  CHECK(state.table_full > 0);
  CHECK(state.rows_missing == state.table_full);  // no resync brought them
  CHECK(state.memory_bytes == highest);
  CHECK(state.feed_bytes <= 64 * 1024);
}

}  // namespace
}  // namespace mimi
