// The pump: what reaches the sink, in which order, when the sink is well and when it is not.

#include <unistd.h>

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "tests/publish/world.h"

namespace mimi::testing {
namespace {

using Values = std::map<std::uint32_t, std::uint64_t>;

TEST_CASE("pump: what a lane puts and erases reaches the sink in order") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  CHECK(lane->Put(Row(1, 10)));
  CHECK(lane->Put(Row(2, 20)));
  CHECK(lane->Put(Row(1, 11)));
  CHECK(lane->Erase(Key(2)));
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 11}});
  CHECK(world.sink.rows[1].version == Version{1, 3});
  CHECK(world.sink.erased[2] == Version{1, 4});
  CHECK(world.pump->stats().published == 4);
  CHECK(world.pump->stats().coalesced == 0);
  CHECK(world.pump->drained());
}

TEST_CASE(
    "pump: a claim that is given back, or never committed, leaves nothing and blocks nobody") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr first(*world.pump->OpenLane());
  LanePtr second(*world.pump->OpenLane());
  std::byte* const row = first->Claim();
  REQUIRE(row != nullptr);
  std::ranges::fill(std::span(row, first->row_size()), std::byte{0xff});
  CHECK(second->Put(Row(7, 70)));
  world.Tick();
  CHECK(world.sink.Values() == Values{{7, 70}});
  first->Abort();
  std::ranges::copy(Row(8, 80), first->Claim());
  first->Commit();
  world.Tick();
  CHECK(world.sink.Values() == Values{{7, 70}, {8, 80}});
}

TEST_CASE("pump: a closed lane's last puts are sent, and then the lane is gone") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  Lane* const lane = *world.pump->OpenLane();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    REQUIRE(lane->Put(Row(i, i)));
  }
  lane->Close();
  CHECK(world.pump->stats().lanes == 1);
  world.Tick();
  CHECK(world.sink.rows.size() == 1000);
  CHECK(world.pump->stats().lanes == 0);
}

TEST_CASE("pump: a lane outlives its pump, and then says that it is full") {
  LanePtr lane;
  {
    World world({.ring_slots = 4});
    lane.reset(*world.pump->OpenLane());
  }
  for (int i = 0; i < 4; ++i) {
    CHECK(lane->Put(Row(1, 1)));
  }
  CHECK_FALSE(lane->Put(Row(1, 1)));
  CHECK(lane->lost() == 1);
}

TEST_CASE("pump: rows and keys of the wrong size are refused and counted") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  CHECK_FALSE(lane->Put(Key(1)));
  CHECK_FALSE(lane->Erase(Row(1, 1)));
  CHECK(lane->lost() == 2);
  world.Tick();
  CHECK(world.pump->stats().lost_ring_full == 2);
  CHECK(world.pump->stats().resync_wanted);

  const StateSchema other = *StateSchema::Builder("other", 1).Key("id", FieldType::kU32).Build();
  BatchBuilder draft(other, 0);
  draft.Put(Key(1));
  CHECK(absl::IsInvalidArgument(world.pump->Offer(draft.Draft())));
  CHECK(world.pump->stats().lost_bad_draft == 1);
  CHECK(world.sink.rows.empty());
}

TEST_CASE("pump: while the sink has no room one entry per key waits, and the newest is sent") {
  World world({.window = 2});
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  world.sink.mode = FakeSink::Mode::kExhausted;
  for (std::uint64_t round = 1; round <= 50; ++round) {
    for (std::uint32_t id = 0; id < 10; ++id) {
      REQUIRE(lane->Put(Row(id, round * 100 + id)));
    }
    world.Tick();
  }
  CHECK(lane->Erase(Key(3)));
  world.Tick();
  const PublisherStats behind = world.pump->stats();
  CHECK(behind.in_flight <= 2);
  CHECK(behind.pending == 10);
  CHECK(behind.coalesced > 400);
  CHECK(behind.refused > 0);
  CHECK(behind.lost() == 0);

  world.sink.mode = FakeSink::Mode::kAccept;
  world.Settle();
  REQUIRE(world.sink.rows.size() == 9);
  CHECK(world.sink.rows[0].value == 5000);
  CHECK(world.sink.rows.count(3) == 0);
  CHECK(world.sink.gaps == 0);
}

TEST_CASE("pump: what was sealed is sent again byte for byte after the sink was away") {
  World world;
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  for (std::uint32_t id = 0; id < 5; ++id) {
    REQUIRE(lane->Put(Row(id, id)));
    world.Tick();
  }
  CHECK(world.pump->stats().in_flight == 5);
  world.sink.mode = FakeSink::Mode::kUnavailable;  // loses what it has accepted
  REQUIRE(lane->Put(Row(9, 9)));
  world.Tick();
  const std::size_t offered = world.sink.offered;
  world.Tick();
  CHECK(world.sink.offered == offered);  // backing off
  world.sink.mode = FakeSink::Mode::kAccept;
  for (int i = 0; i < 100; ++i) {
    world.Tick();
    world.sink.ConfirmAll();
  }
  CHECK(world.sink.rows.size() == 6);
  CHECK(world.sink.rows[0].version == Version{1, 1});
  CHECK(world.sink.gaps == 0);
  CHECK(world.pump->stats().resent == 5);
}

TEST_CASE("pump: back-off doubles, with jitter, up to its limit") {
  World world({.retry_min = 10ms, .retry_max = 80ms});
  REQUIRE(world.pump->SetTerm(1).ok());
  world.sink.mode = FakeSink::Mode::kUnavailable;
  REQUIRE(world.Offer({{1, 1}}).ok());
  std::vector<Duration> gaps;
  MonotonicTime last = world.clock.now();
  for (std::size_t offered = 0; gaps.size() < 9; offered = world.sink.offered) {
    world.Tick();
    if (world.sink.offered > offered) {
      gaps.push_back(world.clock.now() - last);
      last = world.clock.now();
    }
  }
  for (std::size_t i = 1; i < gaps.size(); ++i) {
    const Duration full = std::min<Duration>(10ms * (1 << (i - 1)), 80ms);
    CHECK(gaps[i] >= full / 2);
    CHECK(gaps[i] <= full + 400us);
  }
}

TEST_CASE("pump: nothing is sealed without a term; puts wait, abrupt erases only remove them") {
  World world;
  LanePtr lane(*world.pump->OpenLane());
  CHECK(lane->Put(Row(1, 1)));
  CHECK(lane->Put(Row(2, 2)));
  CHECK(lane->EraseAbrupt(Key(2)));
  CHECK(lane->EraseAbrupt(Key(3)));
  world.Tick();
  world.Tick(1s);
  CHECK(world.sink.offered == 0);
  CHECK(world.pump->stats().muted_erases == 1);
  CHECK(world.pump->stats().pending == 1);
  REQUIRE(world.pump->SetTerm(5).ok());
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 1}});
  CHECK(world.sink.rows[1].version == Version{5, 1});
  CHECK(world.sink.erased.empty());
}

// A move redirects traffic before it claims: what ends in between must not live on in the store.
TEST_CASE("pump: an end by the protocol that was seen without a term goes under the next one") {
  World world;
  REQUIRE(world.OfferErase(3, Op::kErase).ok());
  world.Tick(1s);
  CHECK(world.sink.offered == 0);
  CHECK(world.pump->stats().muted_erases == 0);
  REQUIRE(world.pump->SetTerm(5).ok());
  world.Tick();
  CHECK(world.sink.erased.size() == 1);
}

TEST_CASE("pump: what waits when another box becomes the writer is forgotten, and walked later") {
  World world;
  REQUIRE(world.Offer({{1, 1}}).ok());
  REQUIRE(world.OfferErase(3, Op::kErase).ok());
  std::size_t keys = 0;
  const auto dropped = [&keys](std::span<const std::byte>) {
    ++keys;
  };
  CHECK(world.pump->DropOvertaken(dropped));
  CHECK(keys == 2);
  CHECK(world.pump->stats().overtaken == 2);
  CHECK(world.pump->stats().pending == 0);
  CHECK(world.pump->stats().resync_wanted);
  CHECK_FALSE(world.pump->DropOvertaken(dropped));
  REQUIRE(world.pump->SetTerm(5).ok());
  world.Tick();
  CHECK(world.sink.Values().empty());
  CHECK(world.sink.erased.empty());
}

TEST_CASE("pump: what waited when a term began counts as a backlog until it is confirmed") {
  World world;
  REQUIRE(world.Offer({{1, 1}}).ok());
  CHECK_FALSE(world.pump->backlog_confirmed());
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(5).ok());
  world.Tick();
  CHECK_FALSE(world.pump->backlog_confirmed());
  world.sink.Confirm(1);
  REQUIRE(world.Offer({{2, 2}}).ok());  // new, and not of the backlog
  world.Tick();
  CHECK(world.pump->backlog_confirmed());
  CHECK_FALSE(world.pump->drained());
}

TEST_CASE("pump: what was sealed for a store that is gone waits for the next term") {
  World world;
  REQUIRE(world.pump->SetTerm(5).ok());
  world.sink.mode = FakeSink::Mode::kUnavailable;
  REQUIRE(world.Offer({{1, 1}}).ok());
  world.Tick();
  world.pump->Withdraw();
  world.sink.mode = FakeSink::Mode::kAccept;
  world.Tick(10s);
  CHECK(world.sink.Values().empty());
  REQUIRE(world.pump->SetTerm(6).ok());
  world.Tick(10s);
  CHECK(world.sink.Values() == Values{{1, 1}});
  CHECK(world.sink.rows[1].version == Version{6, 1});
}

TEST_CASE("pump: abrupt ends wait for a term that is expected, and go when it is not any more") {
  World world({.erase_linger = Duration(0)});
  world.pump->set_expecting(true);
  REQUIRE(world.OfferErase(3, Op::kEraseAbrupt).ok());
  CHECK(world.pump->stats().muted_erases == 0);
  REQUIRE(world.pump->SetTerm(5).ok());
  world.Tick();
  CHECK(world.sink.erased.size() == 1);
}

TEST_CASE("pump: mute sends what was taken before, and nothing after; the same term goes on") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}}).ok());
  world.pump->Mute();
  REQUIRE(world.Offer({{2, 2}}).ok());
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 1}});
  REQUIRE(world.pump->SetTerm(1).ok());
  world.Tick();
  CHECK(world.sink.rows[2].version == Version{1, 2});
}

TEST_CASE("pump: fenced, it mutes itself, says so once, and goes on under the next term") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}}).ok());
  world.Tick();
  world.sink.mode = FakeSink::Mode::kAborted;
  REQUIRE(world.Offer({{1, 2}, {2, 2}, {1, 3}}).ok());
  world.Tick();
  REQUIRE(world.stopped.size() == 1);
  CHECK(absl::IsAborted(world.stopped[0]));
  CHECK(absl::IsAborted(world.pump->status()));
  CHECK(world.pump->stats().term == 0);
  REQUIRE(world.Offer({{2, 5}}).ok());
  world.Tick();
  CHECK(world.stopped.size() == 1);
  CHECK(absl::IsInvalidArgument(world.pump->SetTerm(1)));
  CHECK(absl::IsInvalidArgument(world.pump->SetTerm(0)));
  world.sink.mode = FakeSink::Mode::kAccept;
  REQUIRE(world.pump->SetTerm(3).ok());
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 3}, {2, 5}});
  CHECK(world.sink.rows[2].version == Version{3, 1});
  CHECK(world.sink.rows[1].version == Version{3, 2});
  CHECK(world.pump->status().ok());
}

TEST_CASE(
    "pump: what an older term left unconfirmed goes under the new one, newest value per key") {
  World world;
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}, {2, 1}}).ok());
  world.Tick();
  REQUIRE(world.Offer({{2, 2}, {3, 2}}).ok());
  world.Tick();
  CHECK(world.pump->stats().in_flight == 2);
  REQUIRE(world.OfferErase(3).ok());
  REQUIRE(world.pump->SetTerm(2).ok());
  CHECK(world.pump->stats().in_flight == 0);
  world.sink.confirm_at_once = true;
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 1}, {2, 2}});
  CHECK(world.sink.rows[1].version == Version{2, 1});
  CHECK(world.sink.rows[2].version == Version{2, 2});
  CHECK(world.sink.erased[3] == Version{2, 3});
}

TEST_CASE("pump: a gap stops it and asks for a resync under the next term") {
  World world;
  world.pump->set_direct(true);
  REQUIRE(world.pump->SetTerm(1).ok());
  world.sink.mode = FakeSink::Mode::kGap;
  REQUIRE(world.Offer({{1, 1}}).ok());
  world.Tick();
  REQUIRE(world.stopped.size() == 1);
  CHECK(absl::IsFailedPrecondition(world.stopped[0]));
  CHECK(world.wanted == 0);  // muted: later
  world.sink.mode = FakeSink::Mode::kAccept;
  REQUIRE(world.pump->SetTerm(2).ok());
  world.Tick();
  CHECK(world.wanted == 1);
  CHECK(world.sink.Values() == Values{{1, 1}});
}

TEST_CASE("pump: beyond max_pending new keys are refused and counted, known ones still replaced") {
  World world({.max_pending = 100});
  for (std::uint32_t id = 0; id < 150; ++id) {
    REQUIRE(world.Offer({{id, 1}}).ok());
  }
  REQUIRE(world.Offer({{99, 2}}).ok());
  PublisherStats stats = world.pump->stats();
  CHECK(stats.pending == 100);
  CHECK(stats.lost_pending_full == 50);
  CHECK(stats.resync_wanted);
  REQUIRE(world.pump->SetTerm(1).ok());
  world.Tick();
  CHECK(world.sink.rows.size() == 100);
  CHECK(world.sink.rows[99].value == 2);
}

TEST_CASE("pump: a heartbeat says that it is alive when there is nothing else to say") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}}).ok());
  for (int i = 0; i < 1000; ++i) {
    world.Tick(1ms);
  }
  CHECK(world.pump->stats().heartbeats >= 3);
  CHECK(world.pump->stats().heartbeats <= 4);
  CHECK(world.sink.flags.back() == kBatchHeartbeat);
  CHECK(world.sink.gaps == 0);
  CHECK(world.sink.times.back() > world.clock.unix_now() - 260ms);
  world.pump->Mute();
  const std::size_t offered = world.sink.offered;
  world.Tick(1s);
  CHECK(world.sink.offered == offered);
}

TEST_CASE("pump: the drain is quick while records come, and slow when it is quiet") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  world.Tick();
  CHECK(world.pump->NextDeadline() - world.clock.now() == 200us);
  for (int i = 0; i < 300; ++i) {
    world.Tick(world.pump->NextDeadline() - world.clock.now());
  }
  CHECK(world.pump->NextDeadline() - world.clock.now() == 10ms);
  REQUIRE(lane->Put(Row(1, 1)));
  world.Tick(10ms);
  CHECK(world.pump->NextDeadline() - world.clock.now() == 200us);
}

TEST_CASE("pump: a batch's time is never younger than its records, and at most a drain too old") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  world.Tick();
  world.clock.Advance(70us);
  const UnixTime put = world.clock.unix_now();
  REQUIRE(lane->Put(Row(1, 1)));
  world.Tick(130us);
  REQUIRE(world.sink.sizes.back() == 1);
  CHECK(world.sink.times.back() <= put);
  CHECK(world.sink.times.back() >= put - 200us);

  world.sink.mode = FakeSink::Mode::kExhausted;
  REQUIRE(lane->Put(Row(1, 2)));
  world.Tick();
  const UnixTime oldest = world.pump->stats().oldest_unconfirmed;
  CHECK(oldest <= world.clock.unix_now() - 200us);
  world.Tick(1s);
  CHECK(world.pump->stats().oldest_unconfirmed == oldest);
  world.sink.mode = FakeSink::Mode::kAccept;
  world.Tick();
  CHECK(world.pump->stats().oldest_unconfirmed == UnixTime{});
}

TEST_CASE("pump: crumbs do not fill the window of a slow sink") {
  World world({.window = 8});
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  for (std::uint32_t i = 0; i < 100; ++i) {
    REQUIRE(lane->Put(Row(i, i)));
    world.Tick();
  }
  CHECK(world.pump->stats().in_flight == 4);
  world.sink.confirm_at_once = true;
  world.sink.ConfirmAll();
  world.Settle();
  CHECK(world.sink.rows.size() == 100);
}

TEST_CASE("pump: options that cannot be are refused by name") {
  World world;
  const auto refusal = [&](PublisherOptions options) {
    const auto pump = Pump::New(TestSchema(), 1, world.sink, world.clock, world, options);
    REQUIRE_FALSE(pump.ok());
    CHECK(absl::IsInvalidArgument(pump.status()));
    return std::string(pump.status().message());
  };
  CHECK(refusal({.ring_slots = 0}).find("ring_slots") != std::string::npos);
  CHECK(refusal({.batch_size = 10}).find("batch_size") != std::string::npos);
  CHECK(refusal({.window = 0}).find("window") != std::string::npos);
  CHECK(refusal({.max_pending = 0}).find("max_pending") != std::string::npos);
  CHECK(refusal({.drain_every = 0ms}).find("drain_every") != std::string::npos);
  CHECK(refusal({.retry_min = 2s}).find("retry_min") != std::string::npos);
}

TEST_CASE("pump: a ticket is confirmed when its records are, or newer ones of their keys") {
  World world({.window = 2});
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  CHECK(lane->Confirmed(lane->Mark()));  // nothing was put
  REQUIRE(lane->Put(Row(1, 1)));
  const Ticket first = lane->Mark();
  world.Tick();
  CHECK_FALSE(lane->Confirmed(first));
  REQUIRE(lane->Put(Row(2, 1)));
  const Ticket second = lane->Mark();
  world.Tick();
  world.sink.Confirm(1);
  world.Tick();
  CHECK(lane->Confirmed(first));
  CHECK_FALSE(lane->Confirmed(second));
  CHECK(lane->Confirmed() == first);
  world.sink.mode = FakeSink::Mode::kExhausted;
  REQUIRE(lane->Put(Row(3, 1)));
  REQUIRE(lane->Put(Row(3, 2)));
  const Ticket third = lane->Mark();
  world.Tick();
  world.sink.ConfirmAll();
  world.Tick();
  CHECK(lane->Confirmed(second));
  CHECK_FALSE(lane->Confirmed(third));
  world.sink.mode = FakeSink::Mode::kAccept;
  world.sink.confirm_at_once = true;
  world.Settle();
  CHECK(lane->Confirmed(third));
  CHECK(lane->Flush(third, MonotonicTime{}));
}

TEST_CASE("pump: a ticket over a term change waits for the new term's batches") {
  World world;
  world.sink.confirm_at_once = false;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  const Ticket ticket = lane->Mark();
  world.Tick();
  REQUIRE(lane->Put(Row(1, 2)));
  REQUIRE(world.pump->SetTerm(2).ok());
  world.Tick();
  CHECK_FALSE(lane->Confirmed(ticket));
  world.sink.ConfirmAll();
  world.Tick();
  CHECK(lane->Confirmed(ticket));
  CHECK(world.sink.rows[1].value == 2);
}

TEST_CASE("pump: a ticket of what it had to refuse waits for the resync that repairs it") {
  World world({.max_pending = 4});
  LanePtr lane(*world.pump->OpenLane());
  for (std::uint32_t id = 0; id < 6; ++id) {
    REQUIRE(lane->Put(Row(id, 1)));
  }
  const Ticket ticket = lane->Mark();
  world.Tick();
  REQUIRE(world.pump->SetTerm(1).ok());
  world.Settle();
  CHECK(world.sink.rows.size() == 4);
  CHECK_FALSE(lane->Confirmed(ticket));
  REQUIRE(lane->ResyncWanted());
  REQUIRE(lane->BeginResync());
  for (std::uint32_t id = 0; id < 6; ++id) {
    REQUIRE(lane->Walk(Row(id, 1)));
  }
  REQUIRE(lane->EndResync());
  for (int i = 0; i < 10; ++i) {
    world.Tick();
  }
  CHECK(world.sink.rows.size() == 6);
  CHECK(world.pump->stats().resyncs_done == 1);
  CHECK(lane->Confirmed(ticket));
}

TEST_CASE("pump: with wake the producer signals once, when the loop sleeps") {
  World world({.wake = true});
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  const auto signalled = [&] {
    std::uint64_t count = 0;
    return ::read(world.pump->WakeFd(), &count, sizeof(count)) == sizeof(count) ? count : 0;
  };
  REQUIRE(lane->Put(Row(1, 1)));
  world.Tick();
  CHECK(signalled() == 0);  // busy: it looks by itself
  for (int i = 0; i < 1000; ++i) {
    world.Tick();
  }
  REQUIRE(lane->Put(Row(2, 1)));
  REQUIRE(lane->Put(Row(3, 1)));
  CHECK(signalled() == 1);
}

}  // namespace
}  // namespace mimi::testing
