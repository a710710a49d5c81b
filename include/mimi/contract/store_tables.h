#ifndef MIMI_CONTRACT_STORE_TABLES_H_
#define MIMI_CONTRACT_STORE_TABLES_H_

/// \file
/// Part of the contract suite of stores (store_contract.h): rows, versions,
/// lines, tombstones and bounds.
///
/// Threads: one; the suite runs everything on the test's thread.

#include <doctest/doctest.h>

#include "mimi/contract/store_under_test.h"

namespace mimi::contract {

using absl::StatusCode;

inline void LookupsSayWhatTheyFind(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(2);
  Node node(bench, schema, "node");
  Writer writer(schema, node.origin, node.claim.term, 5);
  REQUIRE(bench.Apply(*node.store, writer.Put({1, 10, 11}).Put({2, 20, 21}).Erase(2).Seal()).ok());
  const auto found = bench.Lookup(*node.store, schema.table(), {1});
  REQUIRE(found.ok());
  CHECK(found->row == std::vector<Word>{1, 10, 11});
  CHECK(found->origin == node.origin);
  CHECK(found->version == Version{node.claim.term, 5});
  CHECK(bench.Lookup(*node.store, schema.table(), {2}).status().code() == StatusCode::kNotFound);
  CHECK(bench.Lookup(*node.store, schema.table(), {1, 2}).status().code() ==
        StatusCode::kInvalidArgument);
  CHECK(bench.Lookup(*node.store, TableIdOf("contract.unknown"), {1}).status().code() ==
        StatusCode::kInvalidArgument);
  CHECK(node.store->state().rows == 1);
}

inline void ResentBatchesAreStoredOnce(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  Writer writer(schema, node.origin, node.claim.term,
                100);  // a term may start at any sequence
  const BatchView batch = writer.Put({1, 1}).Put({2, 2}).Seal();
  REQUIRE(bench.Apply(*node.store, batch).ok());
  REQUIRE(bench.Apply(*node.store, batch).ok());
  CHECK(node.store->state().head == 2);
  CHECK(node.store->state().rows == 2);
  REQUIRE(bench.Apply(*node.store, writer.Put({3, 3}).Seal()).ok());
  CHECK(node.store->state().head == 3);

  Writer ahead(schema, node.origin, node.claim.term, writer.sequence() + 1);
  CHECK(bench.Apply(*node.store, ahead.Put({4, 4}).Seal()).code() ==
        StatusCode::kFailedPrecondition);
  CHECK(node.store->state().head == 3);
  CHECK(bench.Lookup(*node.store, schema.table(), {4}).status().code() == StatusCode::kNotFound);
  // Another origin under the same term, and another table, count for
  // themselves.
  Writer other_origin(schema, node.origin + 1, node.claim.term);
  CHECK(bench.Apply(*node.store, other_origin.Put({5, 5}).Seal()).ok());
  const StateSchema other = WordSchema(1, "contract.other");
  REQUIRE(bench.Open(*node.store, other).ok());
  Writer other_table(other, node.origin, node.claim.term);
  CHECK(bench.Apply(*node.store, other_table.Put({1, 1}).Seal()).ok());
}

inline void OlderVersionsChangeNothing(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node a(bench, schema, "a", ClaimMode::kShared);
  Node b(bench, schema, "b", ClaimMode::kShared);
  Writer newer(schema, b.origin, b.claim.term);
  Writer older(schema, a.origin, a.claim.term);
  REQUIRE(bench.Apply(*b.store, newer.Put({1, 1}).Put({2, 2}).Erase(2).Seal()).ok());
  const Position head = b.store->state().head;
  REQUIRE(bench.Apply(*a.store, older.Put({1, 9}).Put({2, 9}).Erase(1).Put({3, 3}).Seal()).ok());
  CHECK(bench.Lookup(*a.store, schema.table(), {1})->row == std::vector<Word>{1, 1});
  CHECK_MESSAGE(!bench.Lookup(*a.store, schema.table(), {2}).ok(),
                "a Put older than the erase must not bring the row back");
  CHECK(bench.Lookup(*a.store, schema.table(), {3}).ok());
  CHECK_MESSAGE(a.store->state().head == head + 4, "the feed keeps the batch whole");
  CHECK(a.store->state().stale + b.store->state().stale >= 3);
  // An erase of what never was counts as well: its Put may still be on its way.
  REQUIRE(bench.Apply(*b.store, newer.Erase(7).Seal()).ok());
  REQUIRE(bench.Apply(*a.store, older.Put({7, 7}).Seal()).ok());
  CHECK(!bench.Lookup(*a.store, schema.table(), {7}).ok());
}

inline void BatchesMustFitTheirTable(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  Writer unknown_table(WordSchema(1, "contract.unknown"), node.origin, node.claim.term);
  const StatusCode unknown = bench.Apply(*node.store, unknown_table.Put({1, 1}).Seal()).code();
  CHECK((unknown == StatusCode::kInvalidArgument || unknown == StatusCode::kFailedPrecondition));
  Writer too_long(WordSchema(2), node.origin, node.claim.term);
  CHECK(bench.Apply(*node.store, too_long.Put({1, 1, 1}).Seal()).code() ==
        StatusCode::kInvalidArgument);
  CHECK(node.store->state().head == 0);
  CHECK(node.store->state().rows == 0);
}

inline void OtherLinesAreRefused(const StoreFactory& factory) {
  Bench bench(factory);
  const auto store = bench.Handle();
  REQUIRE(bench.Open(*store, WordSchema(1)).ok());
  REQUIRE(bench.Open(*store, WordSchema(1)).ok());
  const StateSchema other = *StateSchema::Builder("contract.rows", 1)
                                 .Key("id", FieldType::kU32)
                                 .Value("v1", FieldType::kIpv4)
                                 .Build();
  const auto second = bench.Handle();
  const absl::Status refused = bench.Open(*second, other);
  CHECK(refused.code() == StatusCode::kFailedPrecondition);
  CHECK_MESSAGE(std::string(refused.message()).find("v1") != std::string::npos, refused.ToString());
  CHECK(bench.Open(*second, WordSchema(1)).ok());
}

inline void AnOlderProgramBetweenNewerOnesLosesNothing(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema longer = WordSchema(3);
  const StateSchema shorter = WordSchema(1);
  Node newer(bench, longer, "newer", ClaimMode::kShared);
  Writer from_newer(longer, newer.origin, newer.claim.term);
  REQUIRE(bench.Apply(*newer.store, from_newer.Put({1, 10, 11, 12}).Seal()).ok());

  Node older(bench, shorter, "older", ClaimMode::kShared);
  Writer from_older(shorter, older.origin, older.claim.term);
  REQUIRE(bench.Apply(*older.store, from_older.Put({1, 20}).Put({2, 30}).Seal()).ok());
  CHECK(bench.Lookup(*newer.store, longer.table(), {1})->row == std::vector<Word>{1, 20, 11, 12});
  CHECK(bench.Lookup(*newer.store, longer.table(), {2})->row == std::vector<Word>{2, 30, 102, 103});
  REQUIRE(newer.store->schema(longer.table()).has_value());
  CHECK(newer.store->schema(longer.table())->row_size() == longer.row_size());
}

inline void ATableMayGrowLongerWhileItIsUsed(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema shorter = WordSchema(1);
  const StateSchema longer = WordSchema(2);
  Node older(bench, shorter, "older", ClaimMode::kShared);
  Writer from_older(shorter, older.origin, older.claim.term);
  for (Word id = 0; id < 1000; ++id) {
    from_older.Put({id, id + 1});
  }
  REQUIRE(bench.Apply(*older.store, from_older.Seal()).ok());
  Node newer(bench, longer, "newer", ClaimMode::kShared);
  Writer from_newer(longer, newer.origin, newer.claim.term);
  REQUIRE(bench.Apply(*newer.store, from_newer.Put({1, 50, 51}).Erase(2).Put({2000, 60, 61}).Seal())
              .ok());
  CHECK(bench.Lookup(*newer.store, longer.table(), {999})->row ==
        std::vector<Word>{999, 1000, 102});
  CHECK(bench.Lookup(*newer.store, longer.table(), {1})->row == std::vector<Word>{1, 50, 51});
  CHECK(!bench.Lookup(*newer.store, longer.table(), {2}).ok());
  CHECK(bench.Lookup(*newer.store, longer.table(), {2000})->row == std::vector<Word>{2000, 60, 61});
  REQUIRE(bench.Apply(*older.store, from_older.Put({3, 70}).Seal()).ok());
  CHECK(bench.Lookup(*newer.store, longer.table(), {3})->row == std::vector<Word>{3, 70, 102});
}

inline void FullTablesLeaveOutNewRowsOnly(const StoreFactory& factory) {
  Bench bench(factory, {.max_rows = 10});
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  Writer writer(schema, node.origin, node.claim.term);
  for (Word id = 0; id < 15; ++id) {
    writer.Put({id, id});
  }
  REQUIRE_MESSAGE(bench.Apply(*node.store, writer.Put({3, 33}).Seal()).ok(),
                  "a full table is counted, not an error");
  CHECK(node.store->state().rows == 10);
  CHECK(node.store->state().table_full == 5);
  CHECK(node.store->state().head == 16);
  CHECK(bench.Lookup(*node.store, schema.table(), {3})->row == std::vector<Word>{3, 33});
  CHECK(bench.Lookup(*node.store, schema.table(), {12}).status().code() == StatusCode::kNotFound);
  REQUIRE(bench.Apply(*node.store, writer.Erase(0).Put({12, 1}).Seal()).ok());
  CHECK_MESSAGE(bench.Lookup(*node.store, schema.table(), {12}).ok(),
                "room that an erase made is used");
}

inline void TombstonesEnd(const StoreFactory& factory) {
  const Duration age = std::chrono::seconds(5);
  Bench bench(factory, {.feed_bytes = 16 * 1024, .tombstone_age = age});
  const StateSchema schema = WordSchema(1);
  Node a(bench, schema, "a", ClaimMode::kShared);
  Node b(bench, schema, "b", ClaimMode::kShared);
  Writer from_a(schema, a.origin, a.claim.term);
  Writer from_b(schema, b.origin, b.claim.term);
  REQUIRE(bench.Apply(*b.store, from_b.Put({1, 1}).Erase(1).Seal()).ok());
  const Position erased = b.store->state().head;
  CHECK(b.store->state().tombstones == 1);
  if (!bench.under_test->Advance(age + std::chrono::seconds(1))) {
    MESSAGE("time cannot be moved: that tombstones end was not checked");
    return;
  }
  REQUIRE(bench.Apply(*a.store, from_a.Put({1, 2}).Seal()).ok());
  CHECK_MESSAGE(!bench.Lookup(*a.store, schema.table(), {1}).ok(),
                "while the feed holds the erase, so does the table");
  for (int i = 0; i < 10000 && b.store->state().trimmed < erased; ++i) {
    for (Word id = 100; id < 200; ++id) {
      from_b.Put({id, id});
    }
    REQUIRE(bench.Apply(*b.store, from_b.Seal()).ok());
  }
  REQUIRE_MESSAGE(b.store->state().trimmed >= erased, "the feed must be bounded");
  // It may take the store a moment to get round to it.
  for (int i = 0; i < 100 && b.store->state().tombstones > 0; ++i) {
    bench.under_test->Advance(std::chrono::milliseconds(100));
    REQUIRE(bench.Apply(*b.store, from_b.Seal(kBatchHeartbeat)).ok());
    bench.Settle();
  }
  CHECK(b.store->state().tombstones == 0);
}

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_STORE_TABLES_H_
