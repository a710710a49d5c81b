#ifndef MIMI_CONTRACT_STORE_FEED_H_
#define MIMI_CONTRACT_STORE_FEED_H_

/// \file
/// Part of the contract suite of stores (store_contract.h): the feed, cursors,
/// snapshots, and followers.
///
/// Threads: one; the suite runs everything on the test's thread.

#include <random>

#include <doctest/doctest.h>

#include "mimi/contract/store_follower.h"
#include "mimi/contract/store_under_test.h"

namespace mimi::contract {

using absl::StatusCode;

inline void WatchersSeeEveryBatch(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  const auto reader = bench.Handle();
  int woken = 0;
  auto cursor = reader->Watch({}, [&woken] { ++woken; });
  REQUIRE(cursor.ok());
  CHECK((*cursor)->position() == 0);
  const auto nothing = (*cursor)->Next();
  REQUIRE(nothing.ok());
  CHECK(!nothing->has_value());

  std::vector<std::vector<std::byte>> sent;
  Writer writer(schema, node.origin, node.claim.term);
  const auto send = [&](std::uint16_t flags) {
    const BatchView batch = writer.Seal(flags);
    sent.emplace_back(batch.bytes().begin(), batch.bytes().end());
    const StatusCode code = bench.Apply(*node.store, batch).code();
    REQUIRE(code == StatusCode::kOk);
  };
  writer.Put({1, 1}).Put({2, 2});
  send(0);
  REQUIRE_MESSAGE(bench.Until([&] { return woken > 0; }), "a reader that found nothing is woken");
  send(kBatchHeartbeat);
  writer.Put({3, 3});
  send(kBatchResyncBegin);
  send(kBatchResyncEnd);
  CHECK(node.store->state().head == 5);
  bench.Settle();
  CHECK_MESSAGE(woken == 1, "… once, until it has looked again");

  std::vector<std::vector<std::byte>> got;
  std::vector<Position> positions;
  Read(bench, **cursor, 5, [&](const BatchView& batch) {
    got.emplace_back(batch.bytes().begin(), batch.bytes().end());
    positions.push_back((*cursor)->position());
  });
  CHECK_MESSAGE(got == sent, "byte for byte");
  CHECK(positions == std::vector<Position>{2, 3, 4, 5});
  CHECK(!(*cursor)->done());

  auto later = reader->Watch({reader->state().incarnation, 3}, [] {});
  REQUIRE(later.ok());
  got.clear();
  Read(bench, **later, 5, [&](const BatchView& batch) {
    got.emplace_back(batch.bytes().begin(), batch.bytes().end());
  });
  CHECK(got == std::vector<std::vector<std::byte>>(sent.begin() + 2, sent.end()));
}

/// Watch or its first Next() must say DataLoss.
inline void CheckGone(Bench& bench, StateStore& store, const WatchFrom& from) {
  auto cursor = store.Watch(from, [] {});
  absl::Status status = cursor.status();
  bench.Until([&] {
    if (cursor.ok()) {
      status = (*cursor)->Next().status();
    }
    return !status.ok() && status.code() != StatusCode::kUnavailable;
  });
  CHECK(status.code() == StatusCode::kDataLoss);
}

inline void GonePositionsAreDataLoss(const StoreFactory& factory) {
  Bench bench(factory, {.feed_bytes = 16 * 1024});
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  auto sleeper = node.store->Watch({}, [] {});
  REQUIRE(sleeper.ok());
  Writer writer(schema, node.origin, node.claim.term);
  for (int i = 0; i < 10000 && node.store->state().trimmed == 0; ++i) {
    for (Word id = 0; id < 100; ++id) {
      writer.Put({id, static_cast<Word>(i)});
    }
    REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
  }
  const StoreState state = node.store->state();
  REQUIRE_MESSAGE(state.trimmed > 0, "the feed must be bounded");
  REQUIRE(state.incarnation != 0);
  CHECK_MESSAGE((*sleeper)->Next().status().code() == StatusCode::kDataLoss,
                "a reader that slept too long is told");
  CheckGone(bench, *node.store, {state.incarnation, state.trimmed - 1});
  CheckGone(bench, *node.store, {state.incarnation + 1, state.head});
  CheckGone(bench, *node.store, {state.incarnation, state.head + 1000});
  auto from_head = node.store->Watch({state.incarnation, state.head}, [] {});
  CHECK(from_head.ok());
  // The way out: a snapshot, and the watch from its position.
  CHECK(LoadedRows(bench, *node.store, schema).size() == 100);
}

inline void SnapshotsAndWatchesAgree(const StoreFactory& factory) {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node a(bench, schema, "a", ClaimMode::kShared);
  Node b(bench, schema, "b", ClaimMode::kShared);
  Writer from_a(schema, a.origin, a.claim.term);
  Writer from_b(schema, b.origin, b.claim.term);
  const auto reader = bench.Handle();
  REQUIRE(bench.Open(*reader, schema).ok());

  Follower early(schema);
  auto early_watch = reader->Watch({}, [] {});
  REQUIRE(early_watch.ok());
  Follower late(schema);
  std::unique_ptr<Cursor> load;
  for (int round = 0; round < 60; ++round) {
    Scribble(random, 3000, 200, from_a);
    Scribble(random, 3000, 100, from_b);
    REQUIRE(bench.Apply(*a.store, from_a.Seal()).ok());
    REQUIRE(bench.Apply(*b.store, from_b.Seal()).ok());
    if (round == 20) {
      auto snapshot = reader->Snapshot(schema.table(), [] {});
      REQUIRE(snapshot.ok());
      load = std::move(*snapshot);
    }
    if (load != nullptr && !load->done()) {  // the late one loads one batch at a
                                             // time while both write
      const auto batch = load->Next();
      REQUIRE(batch.ok());
      if (batch->has_value()) {
        CHECK((*batch)->has(kBatchVersioned));
        late.Apply(**batch);
      }
    }
  }
  Read(bench, *load, ~Position{0}, [&](const BatchView& batch) { late.Apply(batch); });
  REQUIRE(bench.Until([&] { return reader->state().head >= 60 * 300; }));
  const Position head = reader->state().head;
  Read(bench, **early_watch, head, [&](const BatchView& batch) { early.Apply(batch); });
  auto late_watch = reader->Watch({reader->state().incarnation, load->position()}, [] {});
  REQUIRE(late_watch.ok());
  Read(bench, **late_watch, head, [&](const BatchView& batch) { late.Apply(batch); });

  CHECK_MESSAGE(early.Live() == late.Live(), "followers equal row by row");
  CHECK_MESSAGE(LoadedRows(bench, *a.store, schema) == early.Live(), "and so does who comes last");
  CHECK(reader->state().rows == early.Live().size());
  for (Word id = 0; id < 3000; id += 97) {
    const auto found = bench.Lookup(*reader, schema.table(), {id});
    const auto live = early.Live();
    const auto row = live.find(id);
    REQUIRE(found.ok() == (row != live.end()));
    CHECK((!found.ok() ||
           (found->row == row->second.words && found->version == row->second.version)));
  }
}

inline void SnapshotsKeepErasedRowsErased(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  const StateSchema other = WordSchema(1, "contract.other");
  Node a(bench, schema, "a", ClaimMode::kShared);
  Node b(bench, schema, "b", ClaimMode::kShared);
  REQUIRE(bench.Open(*b.store, other).ok());
  Writer from_a(schema, a.origin, a.claim.term);
  Writer from_b(schema, b.origin, b.claim.term);
  Writer elsewhere(other, b.origin, b.claim.term);
  REQUIRE(bench.Apply(*b.store, elsewhere.Put({1, 1}).Seal()).ok());
  REQUIRE(bench.Apply(*b.store, from_b.Put({1, 1}).Put({2, 2}).Erase(1).Seal()).ok());
  Follower follower(schema);
  auto snapshot = b.store->Snapshot(schema.table(), [] {});
  REQUIRE(snapshot.ok());
  Read(bench, **snapshot, ~Position{0}, [&](const BatchView& batch) {
    CHECK_MESSAGE(batch.table() == schema.table(), "a snapshot of one table holds no other");
    follower.Apply(batch);
  });
  CHECK((*snapshot)->done());
  // A Put that is older than the erase comes after the snapshot: refused by the
  // store, so it must be by its readers.
  REQUIRE(bench.Apply(*a.store, from_a.Put({1, 9}).Put({3, 3}).Seal()).ok());
  auto watch = b.store->Watch({b.store->state().incarnation, (*snapshot)->position()}, [] {});
  REQUIRE(watch.ok());
  REQUIRE(bench.Until([&] { return b.store->state().head >= 6; }));
  Read(bench, **watch, 6, [&](const BatchView& batch) { follower.Apply(batch); });
  CHECK(!bench.Lookup(*b.store, schema.table(), {1}).ok());
  CHECK(follower.Live().size() == 2);
  CHECK(follower.Live().count(1) == 0);

  std::map<TableId, int> rows;
  auto all = b.store->Snapshot(0, [] {});
  REQUIRE(all.ok());
  Read(bench, **all, ~Position{0}, [&](const BatchView& batch) {
    for (const RecordView record : batch) {
      rows[batch.table()] += record.op == Op::kPut ? 1 : 0;
    }
  });
  CHECK(rows == std::map<TableId, int>{{schema.table(), 2}, {other.table(), 1}});
}

inline void RestartsKeepWhatWasConfirmed(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  std::map<Word, Follower::Row> before;
  std::uint64_t term = 0;
  std::vector<std::byte> last;
  {
    Node node(bench, schema, "node");
    term = node.claim.term;
    Writer writer(schema, node.origin, term);
    for (Word id = 0; id < 500; ++id) {
      writer.Put({id, id});
    }
    REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
    const BatchView batch = writer.Erase(7).Put({8, 80}).Seal();
    last.assign(batch.bytes().begin(), batch.bytes().end());
    REQUIRE(bench.Apply(*node.store, batch).ok());
    before = LoadedRows(bench, *node.store, schema);
  }
  if (!bench.under_test->Restart()) {
    MESSAGE(
        "this repository does not outlive its handles: restarts were not "
        "checked");
    return;
  }
  const auto store = bench.Handle();
  REQUIRE(bench.Open(*store, schema).ok());
  CHECK(LoadedRows(bench, *store, schema) == before);
  CHECK(store->state().term == term);
  CHECK_MESSAGE(bench.Apply(*store, *BatchView::Parse(last)).ok(),
                "who saw no confirmation sends the same again");
  CHECK(LoadedRows(bench, *store, schema) == before);
  const auto claimed = bench.Claim(*store, {.origin = 1});
  REQUIRE(claimed.ok());
  CHECK(claimed->term > term);
  CHECK(bench.Apply(*store, *BatchView::Parse(last)).code() == StatusCode::kAborted);
}

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_STORE_FEED_H_
