#include "mimi/testing/fault_store.h"

#include <deque>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/contract/store_under_test.h"
#include "mimi/testing/virtual_loop.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;

struct Rig {
  VirtualClock clock;
  VirtualLoop loop{clock};
  std::unique_ptr<StateStore> memory = *NewMemoryStore({}, loop);
  StateSchema schema = contract::WordSchema(1);
  std::uint64_t term = 0;

  void OpenAndClaim(StateStore& store) {
    store.Open(schema, [](const absl::Status& status) { REQUIRE(status.ok()); });
    store.Claim({.origin = 1},
                [this](const absl::StatusOr<Claimed>& claim) { term = claim->term; });
    loop.RunUntilIdle();
  }
};

TEST_CASE("fault store: who sends again until it is confirmed loses nothing") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  Rig rig;
  FaultStore store(*rig.memory, rig.loop, seed,
                   {.refuse = 0.2, .lose = 0.1, .confirm_after = milliseconds(3)});
  rig.OpenAndClaim(store);
  contract::Writer writer(rig.schema, 1, rig.term);
  std::vector<std::vector<std::byte>> batches;
  for (contract::Word id = 0; id < 300; ++id) {
    const BatchView batch = writer.Put({id, id}).Seal();
    batches.emplace_back(batch.bytes().begin(), batch.bytes().end());
  }
  std::size_t confirmed = 0;
  std::deque<Position> in_flight;
  for (int step = 0; step < 20'000 && confirmed < batches.size(); ++step) {
    store.set_available(step % 500 > 50);
    const std::size_t next = confirmed + in_flight.size();
    const auto applied =
        next < batches.size()
            ? store.Apply(*BatchView::Parse(batches[next]))
            // Nothing new: a heartbeat finds out whether what is in flight was lost.
            : store.Apply(writer.Seal(kBatchHeartbeat));
    if (applied.status().code() == absl::StatusCode::kUnavailable ||
        applied.status().code() == absl::StatusCode::kFailedPrecondition) {
      in_flight.clear();
    } else if (applied.ok() && next < batches.size()) {
      in_flight.push_back(*applied);
    }
    rig.clock.Advance(milliseconds(1));
    rig.loop.RunUntilIdle();
    for (; !in_flight.empty() && store.confirmed() >= in_flight.front(); in_flight.pop_front()) {
      ++confirmed;
    }
  }
  CHECK(confirmed == batches.size());
  CHECK(rig.memory->state().rows == 300);
  CHECK(store.counts().refused > 0);
  CHECK(store.counts().lost_batches > 0);
}

TEST_CASE("fault store: a fence behind it comes back from the next Apply") {
  Rig rig;
  FaultStore store(*rig.memory, rig.loop, 1, {});
  rig.OpenAndClaim(store);
  contract::Writer zombie(rig.schema, 1, rig.term);
  rig.OpenAndClaim(*rig.memory);
  REQUIRE(store.Apply(zombie.Put({1, 1}).Seal()).ok());
  rig.loop.RunUntilIdle();
  CHECK(store.confirmed() == 0);
  CHECK(store.Apply(zombie.Put({2, 2}).Seal()).status().code() == absl::StatusCode::kAborted);
  CHECK(rig.memory->state().rows == 0);
}

TEST_CASE("fault store: a cursor is unavailable meanwhile, and woken afterwards") {
  Rig rig;
  FaultStore store(*rig.memory, rig.loop, 1, {});
  rig.OpenAndClaim(store);
  int woken = 0;
  auto cursor = *store.Watch({}, [&woken] { ++woken; });
  store.set_available(false);
  CHECK(cursor->Next().status().code() == absl::StatusCode::kUnavailable);
  CHECK(store.Watch({}, [] {}).status().code() == absl::StatusCode::kUnavailable);
  CHECK(!store.state().available);
  store.set_available(true);
  rig.loop.RunUntilIdle();
  CHECK(woken == 1);
  CHECK(cursor->Next().ok());
}

}  // namespace
}  // namespace mimi
