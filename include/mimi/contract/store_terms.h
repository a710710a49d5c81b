#ifndef MIMI_CONTRACT_STORE_TERMS_H_
#define MIMI_CONTRACT_STORE_TERMS_H_

/// \file
/// Part of the contract suite of stores (store_contract.h): terms, fencing and
/// leases.
///
/// Threads: one; the suite runs everything on the test's thread.

#include <doctest/doctest.h>

#include "mimi/contract/store_under_test.h"

namespace mimi::contract {

using absl::StatusCode;

inline void ClaimsGrow(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node first(bench, schema, "first");
  CHECK(first.claim.term > 0);
  CHECK(first.claim.head == 0);
  Writer writer(schema, first.origin, first.claim.term);
  REQUIRE(bench.Apply(*first.store, writer.Put({1, 10}).Put({2, 20}).Seal()).ok());

  Node second(bench, schema, "second");
  CHECK(second.claim.term > first.claim.term);
  CHECK(second.claim.head == 2);
  const auto third =
      bench.Claim(*first.store, {.origin = first.origin, .floor = second.claim.term + 1000});
  REQUIRE(third.ok());
  CHECK(third->term > second.claim.term + 1000);
  CHECK(first.store->state().term == third->term);
  CHECK(first.store->state().claimant == first.origin);

  // A row may carry a term that this repository never handed out: it came from
  // another one.
  BatchBuilder builder(schema, first.origin);
  const std::vector<std::byte> row = ToBytes({3, 30});
  builder.AppendVersioned({.op = Op::kPut,
                           .row = row,
                           .key = std::span(row).first(4),
                           .origin = 77,
                           .version = {third->term + 500, 9}});
  REQUIRE(bench.Apply(*first.store, builder.Seal(third->term, 1, UnixTime())).ok());
  const auto fourth = bench.Claim(*first.store, {.origin = first.origin});
  REQUIRE(fourth.ok());
  CHECK(fourth->term > third->term + 500);
}

inline void ClaimComparesExpected(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node holder(bench, schema, "holder");
  const auto other = bench.Handle();
  const auto wrong = bench.Claim(*other, {.origin = 2, .expected = holder.claim.term + 1});
  CHECK(wrong.status().code() == StatusCode::kAborted);
  CHECK(bench.Claim(*other, {.origin = 2, .expected = 0}).status().code() == StatusCode::kAborted);
  Writer writer(schema, holder.origin, holder.claim.term);
  CHECK_MESSAGE(bench.Apply(*holder.store, writer.Put({1, 1}).Seal()).ok(),
                "a refused claim must change nothing");

  // Two at once that expect the same: one of them wins.
  std::optional<absl::StatusOr<Claimed>> a;
  std::optional<absl::StatusOr<Claimed>> b;
  const ClaimRequest request = {.origin = 2, .expected = holder.claim.term};
  holder.store->Claim(request, [&a](const absl::StatusOr<Claimed>& claimed) { a = claimed; });
  other->Claim(request, [&b](const absl::StatusOr<Claimed>& claimed) { b = claimed; });
  REQUIRE(bench.Until([&] { return a.has_value() && b.has_value(); }));
  CHECK((a->ok() ? 1 : 0) + (b->ok() ? 1 : 0) == 1);
  CHECK((a->ok() ? b : a)->status().code() == StatusCode::kAborted);

  // A control claim is not the pair's, so it neither satisfies nor spoils what
  // another expects.
  const auto newest = a->ok() ? **a : **b;
  REQUIRE(bench.Claim(*other, {.origin = 3, .mode = ClaimMode::kControl}).ok());
  CHECK(bench.Claim(*other, {.origin = 2, .expected = newest.term}).ok());
}

inline void UnknownTermsAreRefused(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node node(bench, schema, "node");
  Writer stranger(schema, node.origin, node.claim.term + 7);
  CHECK(bench.Apply(*node.store, stranger.Put({1, 1}).Seal()).code() ==
        StatusCode::kFailedPrecondition);
  CHECK(node.store->state().head == 0);
  CHECK(bench.Lookup(*node.store, schema.table(), {1}).status().code() == StatusCode::kNotFound);
}

inline void ExclusiveClaimsFence(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node primary(bench, schema, "primary");
  Writer old_writer(schema, primary.origin, primary.claim.term);
  REQUIRE(bench.Apply(*primary.store, old_writer.Put({1, 10}).Seal()).ok());

  Node minion(bench, schema, "minion");
  const Position fence = minion.claim.head;
  // The zombie: a batch that the store has not seen, with new and old rows.
  const absl::Status refused =
      bench.Apply(*primary.store, old_writer.Put({1, 11}).Put({2, 22}).Seal());
  CHECK(refused.code() == StatusCode::kAborted);
  CHECK(primary.store->state().fenced >= 1);
  CHECK(bench.Lookup(*minion.store, schema.table(), {1})->row == std::vector<Word>{1, 10});
  CHECK(bench.Lookup(*minion.store, schema.table(), {2}).status().code() == StatusCode::kNotFound);
  Writer heartbeat(schema, primary.origin, primary.claim.term, 2);
  CHECK(bench.Apply(*primary.store, heartbeat.Seal(kBatchHeartbeat)).code() ==
        StatusCode::kAborted);

  Writer new_writer(schema, minion.origin, minion.claim.term);
  REQUIRE(bench.Apply(*minion.store, new_writer.Put({1, 12}).Seal()).ok());
  auto cursor = minion.store->Watch({.incarnation = 0, .position = fence}, [] {});
  REQUIRE(cursor.ok());
  std::vector<std::uint64_t> terms;
  REQUIRE(bench.Until([&] {
    const auto batch = (*cursor)->Next();
    REQUIRE(batch.ok());
    if (batch->has_value()) {
      terms.push_back((*batch)->term());
    }
    return !terms.empty();
  }));
  CHECK_MESSAGE(terms == std::vector<std::uint64_t>{minion.claim.term},
                "nothing of an older term stands behind the fence");
}

inline void SharedClaimsLetVersionsDecide(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node a(bench, schema, "a", ClaimMode::kShared);
  Node b(bench, schema, "b", ClaimMode::kShared);
  Writer from_a(schema, a.origin, a.claim.term);
  Writer from_b(schema, b.origin, b.claim.term);
  REQUIRE(bench.Apply(*a.store, from_a.Put({1, 10}).Put({2, 20}).Seal()).ok());
  REQUIRE(bench.Apply(*b.store, from_b.Put({1, 11}).Seal()).ok());
  REQUIRE(bench.Apply(*a.store, from_a.Put({1, 12}).Put({3, 30}).Seal()).ok());
  CHECK_MESSAGE((bench.Lookup(*a.store, schema.table(), {1})->row == std::vector<Word>{1, 11}),
                "the newer term's row stays");
  CHECK(bench.Lookup(*b.store, schema.table(), {3})->row == std::vector<Word>{3, 30});
  CHECK(bench.Lookup(*b.store, schema.table(), {3})->origin == a.origin);
  CHECK(b.store->state().mode == ClaimMode::kShared);
}

inline void AWriterIsDoneWithItsOlderTerms(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  Node before(bench, schema, "a", ClaimMode::kShared);
  Node other(bench, schema, "b", ClaimMode::kShared);
  Node again(bench, schema, "a", ClaimMode::kShared);
  Writer old_writer(schema, before.origin, before.claim.term);
  Writer from_b(schema, other.origin, other.claim.term);
  Writer new_writer(schema, again.origin, again.claim.term);
  REQUIRE(bench.Apply(*before.store, old_writer.Put({1, 10}).Seal()).ok());
  REQUIRE(bench.Apply(*again.store, new_writer.Put({2, 20}).Seal()).ok());
  CHECK_MESSAGE(
      bench.Apply(*before.store, old_writer.Put({3, 30}).Seal()).code() == StatusCode::kAborted,
      "what is still on its way under the older term comes too late");
  CHECK(bench.Lookup(*again.store, schema.table(), {3}).status().code() == StatusCode::kNotFound);
  CHECK(before.store->state().fenced >= 1);
  CHECK(bench.Apply(*other.store, from_b.Put({4, 40}).Seal()).ok());
}

inline void ControlTermsWriteTheControlTableOnly(const StoreFactory& factory) {
  Bench bench(factory);
  const StateSchema schema = WordSchema(1);
  const StateSchema control = WordSchema(1, "mimi.pair");
  Node box(bench, schema, "box");
  Node manager(bench, control, "manager", ClaimMode::kControl);
  REQUIRE(bench.Open(*manager.store, schema).ok());
  REQUIRE(bench.Open(*box.store, control).ok());
  CHECK(manager.claim.term > box.claim.term);
  CHECK_MESSAGE(box.store->state().term == box.claim.term,
                "a control claim is not the pair's newest claim");

  Writer wanted(control, manager.origin, manager.claim.term);
  CHECK(bench.Apply(*manager.store, wanted.Put({1, 1}).Seal()).ok());
  Writer trespasser(schema, manager.origin, manager.claim.term);
  CHECK(bench.Apply(*manager.store, trespasser.Put({1, 1}).Seal()).code() ==
        StatusCode::kFailedPrecondition);
  Writer box_rows(schema, box.origin, box.claim.term);
  CHECK_MESSAGE(bench.Apply(*box.store, box_rows.Put({1, 1}).Seal()).ok(),
                "a control claim fences nobody");

  Node successor(bench, schema, "successor");
  Writer report(control, box.origin, box.claim.term);
  CHECK_MESSAGE(bench.Apply(*box.store, report.Put({2, 2}).Seal()).ok(),
                "the control table is open to every term");
  CHECK(bench.Apply(*box.store, box_rows.Put({1, 2}).Seal()).code() == StatusCode::kAborted);
}

/// Both answers of one lease, as values.
inline absl::StatusOr<LeaseGrant> Ask(Bench& bench, Lease& lease, Duration ttl,
                                      bool renew = false) {
  std::optional<absl::StatusOr<LeaseGrant>> answer;
  const auto done = [&answer](const absl::StatusOr<LeaseGrant>& grant) {
    answer = grant;
  };
  renew ? lease.Renew(ttl, done) : lease.Acquire(ttl, done);
  CHECK_MESSAGE(!answer.has_value(), "the lease answered inside the call");
  REQUIRE(bench.Until([&answer] { return answer.has_value(); }));
  return *answer;
}

inline void LeasesAreHeldByOne(const StoreFactory& factory) {
  Bench bench(factory);
  const auto store_a = bench.Handle();
  const auto store_b = bench.Handle();
  const auto a = store_a->NewLease("manager", OriginOf("a"));
  const auto b = store_b->NewLease("manager", OriginOf("b"));
  const Duration ttl = std::chrono::seconds(30);
  const MonotonicTime before = bench.under_test->loop().now();
  const auto first = Ask(bench, *a, ttl);
  REQUIRE(first.ok());
  CHECK(first->valid_until >= before + ttl);
  CHECK(first->valid_until <= bench.under_test->loop().now() + ttl);
  CHECK(Ask(bench, *b, ttl).status().code() == StatusCode::kAborted);
  CHECK(Ask(bench, *b, ttl, true).status().code() == StatusCode::kAborted);
  const auto renewed = Ask(bench, *a, ttl, true);
  REQUIRE(renewed.ok());
  CHECK(renewed->term == first->term);
  CHECK(Ask(bench, *a, ttl)->term == first->term);
  CHECK(Ask(bench, *store_b->NewLease("another", OriginOf("b")), ttl).ok());

  a->Release();
  absl::StatusOr<LeaseGrant> taken = Ask(bench, *b, ttl);
  bench.Until([&] {  // Release is best effort, and may take its time
    taken = taken.ok() ? taken : Ask(bench, *b, ttl);
    return taken.ok();
  });
  REQUIRE(taken.ok());
  CHECK(taken->term > first->term);
  CHECK(Ask(bench, *a, ttl, true).status().code() == StatusCode::kAborted);
  if (!bench.under_test->Advance(ttl + std::chrono::milliseconds(1))) {
    MESSAGE("time cannot be moved: that a lease runs out was not checked");
    return;
  }
  CHECK_MESSAGE(Ask(bench, *b, ttl, true).status().code() == StatusCode::kAborted,
                "what ran out is acquired, not renewed");
  const auto again = Ask(bench, *a, ttl);
  REQUIRE(again.ok());
  CHECK(again->term > taken->term);
}

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_STORE_TERMS_H_
