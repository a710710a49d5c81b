#ifndef MIMI_CONTRACT_MINION_ROWS_H_
#define MIMI_CONTRACT_MINION_ROWS_H_

/// \file Part of the contract suite of minions (minion_contract.h): what becomes of records.
///
/// Threads: one; the suite runs everything on the test's thread.

#include <algorithm>

#include <doctest/doctest.h>

#include "mimi/contract/minion_under_test.h"

namespace mimi::contract {

inline void MovesAreIdempotent(const MinionFactory& factory) {
  MinionBench bench(factory);
  CHECK(bench.Do(&Minion::Warm).ok());
  CHECK(!bench.minion.state().active);
  CHECK(bench.Do(&Minion::Activate).ok());
  CHECK(bench.Do(&Minion::Activate).ok());
  CHECK(bench.minion.state().active);
  CHECK(bench.Do(&Minion::Retire).ok());
  CHECK(bench.Do(&Minion::Retire).ok());
  CHECK(!bench.minion.state().active);
  CHECK(bench.minion.state().healthy);
}

inline void AuditShowsWhatIsHeld(const MinionFactory& factory) {
  MinionBench bench(factory);
  MinionBench::Rows expected;
  bench.CheckHolds(expected);
  for (std::uint32_t id = 1; id <= 200; ++id) {
    bench.Put(id, id);
    bench.Expect(expected, id, id);
  }
  REQUIRE(bench.Apply(bench.Seal()).ok());
  bench.CheckHolds(expected);
  CHECK(bench.minion.state().rows == 200);
  CHECK(bench.minion.state().refused == 0);
}

inline void RecordsAreDoneInOrder(const MinionFactory& factory) {
  MinionBench bench(factory);
  bench.Put(1, 10).Put(2, 20).Put(1, 11).Erase(2).Put(3, 30).Erase(3).Put(3, 31).Erase(99);
  REQUIRE(bench.Apply(bench.Seal()).ok());
  MinionBench::Rows expected;
  bench.Expect(expected, 1, 11);
  bench.Expect(expected, 3, 31);
  bench.CheckHolds(expected);
  REQUIRE(bench.Apply(bench.Put(1, 12).Erase(3).Seal()).ok());
  expected.clear();
  bench.Expect(expected, 1, 12);
  bench.CheckHolds(expected);
}

inline void ApplyingAgainIsHarmless(const MinionFactory& factory) {
  MinionBench bench(factory);
  const BatchView batch = bench.Put(1, 10).Put(2, 20).Erase(1).Seal();
  MinionBench::Rows expected;
  bench.Expect(expected, 2, 20);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(bench.Apply(batch).ok());
    bench.CheckHolds(expected);
  }
  CHECK(bench.minion.state().rows == 1);
}

inline void VersionedBatchesAreTaken(const MinionFactory& factory) {
  MinionBench bench(factory);
  REQUIRE(bench.Apply(bench.Put(1, 10).Put(2, 20).Seal()).ok());
  // As a replica sends after a load: entries of several writers, and of terms older than what was
  // applied before. It has decided already; a minion does not weigh versions.
  BatchBuilder builder(bench.minion.schema(), 0);
  const std::vector<std::byte> one = bench.under_test->Row(1, 11);
  const std::vector<std::byte> two = bench.KeyOf(bench.under_test->Row(2, 0));
  REQUIRE(builder.AppendVersioned(
      {.op = Op::kPut, .row = one, .key = bench.KeyOf(one), .origin = 7, .version = {1, 1}}));
  REQUIRE(builder.AppendVersioned(
      {.op = Op::kErase, .row = {}, .key = two, .origin = 8, .version = {0, 0}}));
  REQUIRE(bench.Apply(builder.Seal(1, 1, UnixTime(Duration(1)))).ok());
  MinionBench::Rows expected;
  bench.Expect(expected, 1, 11);
  bench.CheckHolds(expected);
}

inline void OtherTablesAreRefused(const MinionFactory& factory) {
  MinionBench bench(factory);
  REQUIRE(bench.Apply(bench.Put(1, 10).Seal()).ok());
  const absl::StatusOr<StateSchema> other = StateSchema::Builder("contract.other", 1)
                                                .Key("id", FieldType::kU32)
                                                .Value("value", FieldType::kU64)
                                                .Build();
  REQUIRE(other.ok());
  BatchBuilder builder(*other, 1);
  const std::vector<std::byte> row(12, std::byte{1});
  REQUIRE(builder.Put(row));
  const absl::StatusCode code = bench.Apply(builder.Seal(1, 1, UnixTime(Duration(1)))).code();
  const bool mistake =
      code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kFailedPrecondition;
  CHECK_MESSAGE(mistake, "another table's batch was answered with code " << static_cast<int>(code));
  MinionBench::Rows expected;
  bench.Expect(expected, 1, 10);
  bench.CheckHolds(expected);
}

inline void PositionsGrow(const MinionFactory& factory) {
  MinionBench bench(factory);
  Position accepted = 0;
  Position confirmed = bench.minion.confirmed();
  for (std::uint32_t i = 1; i <= 50; ++i) {
    const absl::StatusOr<Position> position =
        bench.minion.Apply(bench.Put(i, i).Put(i, 2 * i).Seal());
    REQUIRE(position.ok());
    CHECK(*position >= accepted);
    accepted = *position;
    CHECK(bench.minion.confirmed() >= confirmed);
    confirmed = bench.minion.confirmed();
  }
  CHECK(bench.Until([&] { return bench.minion.confirmed() >= accepted; }));
  const absl::StatusOr<Position> again = bench.minion.Apply(bench.Put(1, 99).Seal());
  REQUIRE(again.ok());
  CHECK_MESSAGE(*again > accepted, "a batch was confirmed before it was offered");
}

inline void AuditsComeInSlices(const MinionFactory& factory) {
  MinionBench bench(factory);
  MinionBench::Rows expected;
  for (std::uint32_t id = 1; id <= 50; ++id) {
    bench.Put(id, id);
    bench.Expect(expected, id, id);
  }
  REQUIRE(bench.Apply(bench.Seal()).ok());
  for (int pass = 0; pass < 2; ++pass) {
    const std::optional<MinionBench::Rows> held = bench.Audit(7);
    if (!held.has_value()) {
      return;
    }
    CHECK(*held == expected);
  }
  MinionBench::Shown shown(bench);
  const absl::StatusOr<bool> slice = bench.minion.Audit(shown, 7);
  REQUIRE(slice.ok());
  CHECK(shown.count <= 7);
}

inline void RefusedRowsAreCounted(const MinionFactory& factory) {
  MinionBench bench(factory);
  const std::optional<std::size_t> capacity = bench.under_test->capacity();
  if (!capacity.has_value()) {
    MESSAGE("left out: this data plane cannot be filled in a test");
    return;
  }
  const auto full = static_cast<std::uint32_t>(*capacity);
  for (std::uint32_t id = 1; id <= full + 5; ++id) {
    REQUIRE(bench.Apply(bench.Put(id, id).Seal()).ok());
  }
  CHECK(bench.minion.state().rows <= full);
  CHECK(bench.minion.state().refused >= 5);
  // What is held can still be changed and erased, in one batch with what cannot be held.
  REQUIRE(bench.Apply(bench.Put(full + 9, 1).Put(1, 77).Erase(2).Seal()).ok());
  if (const std::optional<MinionBench::Rows> held = bench.Audit(); held.has_value()) {
    MinionBench::Rows expected;
    bench.Expect(expected, 1, 77);
    const auto& [key, row] = *expected.begin();
    REQUIRE(held->contains(key));
    CHECK(held->at(key) == row);
    CHECK(held->size() <= full);
  }
}

inline void StateStays(const MinionFactory& factory) {
  MinionBench bench(factory);
  MinionBench::Rows expected;
  for (std::uint32_t id = 1; id <= 20; ++id) {
    bench.Put(id, id);
    bench.Expect(expected, id, id);
  }
  REQUIRE(bench.Apply(bench.Seal()).ok());
  REQUIRE(bench.Do(&Minion::Activate).ok());
  bench.CheckHolds(expected);
  REQUIRE(bench.Apply(bench.Put(1, 100).Seal()).ok());
  bench.Expect(expected, 1, 100);
  REQUIRE(bench.Do(&Minion::Retire).ok());
  REQUIRE(bench.Do(&Minion::Warm).ok());
  bench.CheckHolds(expected);
}

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_MINION_ROWS_H_
