// Resyncs: from a loss, through the walk of every source, to the erasing of what nobody walked.

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "tests/publish/world.h"

namespace mimi::testing {
namespace {

using Values = std::map<std::uint32_t, std::uint64_t>;

// Loses a put of `lane` on purpose.
void Lose(Lane& lane) {
  CHECK_FALSE(lane.Put(Key(0)));
}

void WalkAll(Lane& lane, const Values& rows) {
  REQUIRE(lane.BeginResync());
  for (const auto& [id, value] : rows) {
    REQUIRE(lane.Walk(Row(id, value)));
  }
  REQUIRE(lane.EndResync());
}

TEST_CASE("resync: a full ring is a visible loss, and one resync makes the sink right again") {
  World world({.ring_slots = 4});
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  REQUIRE(lane->Put(Row(2, 1)));
  world.Tick();
  CHECK_FALSE(lane->ResyncWanted());
  for (std::uint32_t id = 10; id < 14; ++id) {
    REQUIRE(lane->Put(Row(id, 1)));
  }
  CHECK_FALSE(lane->Erase(Key(1)));
  CHECK_FALSE(lane->Put(Row(3, 1)));
  CHECK(lane->lost() == 2);
  world.Tick();
  CHECK(world.pump->stats().lost_ring_full == 2);
  REQUIRE(lane->ResyncWanted());
  REQUIRE(lane->BeginResync());
  CHECK_FALSE(lane->ResyncWanted());
  for (const std::uint32_t id : {2U, 3U, 10U, 11U, 12U, 13U}) {
    while (!lane->Walk(Row(id, 1))) {  // half the ring is for live records
      world.Tick();
    }
  }
  while (!lane->EndResync()) {
    world.Tick();
  }
  CHECK(lane->lost() == 2);  // the walk lost nothing
  world.Settle();
  CHECK(world.sink.Values() == Values{{2, 1}, {3, 1}, {10, 1}, {11, 1}, {12, 1}, {13, 1}});
  CHECK(world.sink.gaps == 0);
  const PublisherStats stats = world.pump->stats();
  CHECK(stats.resyncs_done == 1);
  CHECK(stats.swept == 1);
  CHECK_FALSE(stats.resync_wanted);
  CHECK_FALSE(lane->ResyncWanted());
}

TEST_CASE("resync: begin and end are marked, and older is everything before the begin") {
  World world;
  REQUIRE(world.pump->SetTerm(4).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));  // 4.1
  REQUIRE(lane->Put(Row(2, 1)));  // 4.2
  WalkAll(*lane, {{2, 2}});       // 4.3
  REQUIRE(lane->Put(Row(5, 5)));
  world.Settle();
  REQUIRE(world.walked.size() == 1);
  CHECK(world.walked[0] == Version{4, 3});
  CHECK(world.sink.Values() == Values{{2, 2}, {5, 5}});
  CHECK(world.sink.erased[1] == Version{4, 3});
  CHECK(world.sink.rows[2].version == Version{4, 3});
  const auto& flags = world.sink.flags;
  CHECK(std::ranges::count(flags, kBatchResyncBegin) == 1);
  CHECK(std::ranges::count(flags, kBatchResyncEnd | kBatchVersioned) == 1);
}

TEST_CASE("resync: live records during the walk win over the sweep") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  for (std::uint32_t id = 0; id < 6; ++id) {
    REQUIRE(lane->Put(Row(id, 1)));
  }
  world.Tick();
  world.sweep = false;
  REQUIRE(lane->BeginResync());
  REQUIRE(lane->Walk(Row(0, 1)));
  REQUIRE(lane->Put(Row(1, 2)));
  REQUIRE(lane->Erase(Key(0)));
  REQUIRE(lane->EndResync());
  world.Tick();
  world.Tick();
  REQUIRE(world.pump->sweeping());
  REQUIRE(world.pump->SweepErase(Key(2)));
  REQUIRE(world.pump->SweepErase(Key(3)));
  REQUIRE(lane->Put(Row(3, 3)));  // between the owner's look and the sweep's arrival
  world.Tick();
  CHECK(world.pump->FinishResync());
  CHECK_FALSE(world.pump->FinishResync());
  world.Settle();
  CHECK(world.sink.Values() == Values{{1, 2}, {3, 3}, {4, 1}, {5, 1}});
  CHECK(world.pump->stats().resyncs_done == 1);
}

TEST_CASE("resync: a walk without an end counts for nothing, and a second begin starts anew") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  REQUIRE(lane->BeginResync());
  REQUIRE(lane->Walk(Row(7, 7)));
  world.Tick();
  world.Tick(1s);
  CHECK(world.sink.rows.count(1) == 1);
  CHECK(world.pump->stats().resyncing);
  WalkAll(*lane, {{2, 2}});  // 7 was walked too early to count
  world.Settle();
  CHECK(world.sink.Values() == Values{{2, 2}});
  CHECK(world.pump->stats().resyncs_begun == 2);
  CHECK(world.pump->stats().resyncs_done == 1);
}

TEST_CASE("resync: with several lanes it begins with the first, and ends with the last") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr a(*world.pump->OpenLane());
  LanePtr b(*world.pump->OpenLane());
  REQUIRE(a->Put(Row(1, 1)));
  REQUIRE(b->Put(Row(100, 1)));
  REQUIRE(b->Put(Row(101, 1)));
  world.Tick();
  Lose(*a);
  world.Tick();
  CHECK(a->ResyncWanted());
  CHECK(b->ResyncWanted());
  REQUIRE(b->Put(Row(102, 1)));  // before a's begin, and not walked by b: goes
  WalkAll(*a, {{2, 1}});
  world.Tick();
  CHECK(world.pump->stats().resyncing);
  CHECK(world.walked.empty());
  CHECK(b->ResyncWanted());
  CHECK_FALSE(a->ResyncWanted());
  REQUIRE(b->Put(Row(103, 1)));  // after it: stays
  WalkAll(*b, {{101, 1}});
  world.Settle();
  CHECK(world.walked.size() == 1);
  CHECK(world.sink.Values() == Values{{2, 1}, {101, 1}, {103, 1}});
}

TEST_CASE("resync: a lane whose begin stands in its ring is taken up to there") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr a(*world.pump->OpenLane());
  LanePtr b(*world.pump->OpenLane());
  REQUIRE(b->Put(Row(100, 1)));
  WalkAll(*a, {{1, 1}});
  WalkAll(*b, {{101, 1}});
  world.Settle();
  CHECK(world.pump->stats().resyncs_begun == 1);
  CHECK(world.pump->stats().resyncs_done == 1);
  CHECK(world.sink.Values() == Values{{1, 1}, {101, 1}});
  CHECK_FALSE(a->ResyncWanted());
  CHECK_FALSE(b->ResyncWanted());
}

TEST_CASE("resync: a loss before the own begin of a lane that joins asks for another") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr a(*world.pump->OpenLane());
  LanePtr b(*world.pump->OpenLane());
  Lose(*a);
  world.Tick();
  WalkAll(*a, {});
  world.Tick();
  REQUIRE(b->Put(Row(100, 1)));  // newer than the begin
  Lose(*b);                      // …and say, its erase
  WalkAll(*b, {});
  world.Settle();
  CHECK(world.sink.rows.count(100) == 1);
  CHECK(world.pump->stats().resyncs_done == 1);
  CHECK(world.pump->stats().resync_wanted);
  CHECK_FALSE(b->ResyncWanted());  // backing off
  world.Tick(1s);
  world.Tick();
  REQUIRE(b->ResyncWanted());
  WalkAll(*a, {});
  WalkAll(*b, {});
  world.Settle();
  CHECK(world.sink.rows.empty());
  CHECK_FALSE(world.pump->stats().resync_wanted);
}

TEST_CASE("resync: a loss before the begin, and none after, asks once") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  Lose(*lane);
  world.Tick();
  Lose(*lane);  // the pump has not seen this one when the walk begins
  WalkAll(*lane, {{1, 1}});
  world.Settle();
  CHECK_FALSE(world.pump->stats().resync_wanted);
  CHECK(world.pump->stats().resyncs_done == 1);
}

TEST_CASE("resync: the wish backs off from nothing over 1 s to 60 s, and forgets after calm") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  std::vector<Duration> waits;
  for (int i = 0; i < 9; ++i) {
    Lose(*lane);
    world.Tick();
    Duration waited{};
    for (; !lane->ResyncWanted(); waited += 100ms) {
      world.Tick(100ms);
    }
    waits.push_back(waited);
    WalkAll(*lane, {});
    world.Settle();
  }
  CHECK(waits[0] == Duration::zero());
  for (std::size_t i = 1; i < waits.size(); ++i) {
    const Duration expected = std::min<Duration>(1s * (1 << (i - 1)), 60s);
    CHECK(waits[i] <= expected);
    CHECK(waits[i] >= expected - 300ms);
  }
  world.Tick(121s);
  Lose(*lane);
  world.Tick();
  CHECK(lane->ResyncWanted());
}

TEST_CASE("resync: a lane that closes in the middle of its walk gives the round up; others go on") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr a(*world.pump->OpenLane());
  LanePtr b(*world.pump->OpenLane());
  REQUIRE(a->Put(Row(1, 1)));
  REQUIRE(b->Put(Row(100, 1)));
  world.Tick();
  Lose(*a);
  world.Tick();
  WalkAll(*b, {{100, 1}});
  REQUIRE(a->BeginResync());
  a.reset();
  world.Tick();
  CHECK(world.sink.Values() == Values{{1, 1}, {100, 1}});  // nothing is swept by half a walk
  CHECK(world.pump->stats().resync_wanted);
  world.Tick(1s);
  world.Tick();
  REQUIRE(b->ResyncWanted());
  WalkAll(*b, {{100, 1}});
  world.Settle();
  CHECK(world.sink.Values() == Values{{100, 1}});
}

TEST_CASE("resync: when all lanes close nothing is swept") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  world.Tick();
  Lose(*lane);
  world.Tick();
  REQUIRE(lane->BeginResync());
  lane.reset();
  world.Settle(20);
  CHECK(world.sink.Values() == Values{{1, 1}});
  CHECK(world.pump->stats().resync_wanted);
  CHECK(world.pump->stats().lanes == 0);
}

TEST_CASE("resync: a lane that is opened during a walk is not waited for") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr a(*world.pump->OpenLane());
  REQUIRE(a->BeginResync());
  world.Tick();
  LanePtr b(*world.pump->OpenLane());
  REQUIRE(b->Put(Row(100, 1)));
  REQUIRE(a->Walk(Row(1, 1)));
  REQUIRE(a->EndResync());
  world.Settle();
  CHECK(world.pump->stats().resyncs_done == 1);
  CHECK(world.sink.Values() == Values{{1, 1}, {100, 1}});
}

TEST_CASE("resync: a driver's drafts carry the marks, and it takes part like a lane") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->set_direct(true);
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(world.Offer({{1, 1}}).ok());
  REQUIRE(lane->Put(Row(100, 1)));
  world.Tick();
  world.pump->WantResync();
  world.Tick();
  CHECK(world.wanted == 1);
  CHECK(lane->ResyncWanted());
  REQUIRE(world.Offer({{2, 1}}, kBatchResyncBegin).ok());
  REQUIRE(world.Offer({{3, 1}}).ok());
  REQUIRE(world.Offer({}, kBatchResyncEnd).ok());
  world.Tick();
  CHECK(world.walked.empty());
  WalkAll(*lane, {{101, 1}});
  world.Settle();
  CHECK(world.walked.size() == 1);
  CHECK(world.sink.Values() == Values{{2, 1}, {3, 1}, {101, 1}});
}

TEST_CASE("resync: a driver that does not begin is asked again") {
  World world;
  world.pump->set_direct(true);
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->WantResync();
  world.Tick();
  CHECK(world.wanted == 1);
  world.Tick(500ms);
  CHECK(world.wanted == 1);
  world.Tick(600ms);
  CHECK(world.wanted == 2);
  world.pump->set_direct(false);
  world.Tick(5s);
  CHECK(world.wanted == 2);
}

TEST_CASE("resync: a walk is held back while too much waits, and asked to go on") {
  World world({.max_pending = 100});
  world.pump->set_direct(true);
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  world.sink.mode = FakeSink::Mode::kExhausted;
  REQUIRE(world.Offer({{0, 0}}).ok());
  world.Tick();
  REQUIRE(world.Offer({}, kBatchResyncBegin).ok());
  absl::Status offered;
  std::uint32_t id = 1;
  for (; id < 200 && (offered = world.Offer({{id, 1}})).ok(); ++id) {}
  CHECK(absl::IsResourceExhausted(offered));
  CHECK(id == 52);
  REQUIRE(lane->BeginResync());
  CHECK_FALSE(lane->Walk(Row(1000, 1)));
  CHECK(lane->Put(Row(1001, 1)));  // live records go on
  CHECK(lane->lost() == 0);
  world.Tick();
  CHECK(world.pump->stats().lost() == 0);
  const int wanted = world.wanted;
  world.sink.mode = FakeSink::Mode::kAccept;
  world.Tick();
  world.Tick();
  CHECK(world.wanted == wanted + 1);
  CHECK(world.Offer({{id, 1}}).ok());
  CHECK(lane->Walk(Row(1000, 1)));
}

TEST_CASE("resync: a new term gives up a resync whose begin was sealed, and asks for another") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  REQUIRE(lane->BeginResync());
  REQUIRE(lane->Walk(Row(2, 1)));
  world.Tick();
  REQUIRE(world.pump->SetTerm(2).ok());
  REQUIRE(lane->EndResync());
  world.Tick();
  CHECK(world.pump->stats().resyncs_done == 0);
  REQUIRE(lane->ResyncWanted());
  WalkAll(*lane, {{2, 1}});
  world.Settle();
  CHECK(world.sink.Values() == Values{{2, 1}});
}

TEST_CASE("resync: a walk that waits without a term is sealed whole under the first") {
  World world;
  LanePtr lane(*world.pump->OpenLane());
  world.sink.rows[1] = {.value = 1, .version = {1, 1}};  // from an earlier life of this node
  WalkAll(*lane, {{2, 1}, {3, 1}});
  REQUIRE(lane->Put(Row(2, 2)));
  REQUIRE(lane->Erase(Key(3)));
  world.Tick();
  CHECK(world.sink.offered == 0);
  REQUIRE(world.pump->SetTerm(2).ok());
  world.Settle();
  CHECK(world.sink.Values() == Values{{2, 2}});
  CHECK(world.pump->stats().resyncs_done == 1);
}

TEST_CASE("resync: fenced in the middle, it starts anew under the next term") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  world.Tick();
  REQUIRE(lane->BeginResync());
  world.Tick();
  world.sink.mode = FakeSink::Mode::kAborted;
  REQUIRE(lane->Walk(Row(2, 1)));
  world.Tick();
  REQUIRE(world.stopped.size() == 1);
  REQUIRE(lane->EndResync());
  world.Tick();
  world.sink.mode = FakeSink::Mode::kAccept;
  REQUIRE(world.pump->SetTerm(2).ok());
  world.Settle(10);
  CHECK(world.sink.Values() == Values{{1, 1}, {2, 1}});
  REQUIRE(lane->ResyncWanted());
  WalkAll(*lane, {{2, 1}});
  world.Settle();
  CHECK(world.sink.Values() == Values{{2, 1}});
}

TEST_CASE(
    "resync: a key that waited before the begin and changed after it is newer than the begin") {
  World world;
  LanePtr lane(*world.pump->OpenLane());
  REQUIRE(lane->Put(Row(1, 1)));
  REQUIRE(lane->Put(Row(2, 1)));
  const Ticket ticket = lane->Mark();
  REQUIRE(lane->BeginResync());
  REQUIRE(lane->Walk(Row(1, 1)));
  world.Tick();
  REQUIRE(world.pump->SetTerm(1).ok());
  world.sink.confirm_at_once = false;
  world.Tick();
  world.sink.Confirm(1);  // what stood before the begin
  world.Tick();
  CHECK_FALSE(lane->Confirmed(ticket));  // row 1 came after it
  REQUIRE(lane->EndResync());
  world.sink.confirm_at_once = true;
  world.sink.ConfirmAll();
  world.Settle();
  CHECK(lane->Confirmed(ticket));
  CHECK(world.sink.Values() == Values{{1, 1}});
}

}  // namespace
}  // namespace mimi::testing
