// Erases that are held, as an FSM and through the pump.

#include "src/publish/erase_hold.h"

#include <doctest/doctest.h>

#include "tests/publish/world.h"

namespace mimi::testing {
namespace {

TEST_CASE("erase hold: an erase that ended by protocol passes, an abrupt one waits") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}, {2, 1}}).ok());
  REQUIRE(world.OfferErase(1).ok());
  REQUIRE(world.OfferErase(2, Op::kEraseAbrupt).ok());
  world.Tick();
  CHECK(world.sink.rows.size() == 1);
  CHECK(world.pump->stats().holding == 1);
  CHECK_FALSE(world.pump->stats().idle());
  world.Tick(1900ms);
  CHECK(world.sink.rows.size() == 1);
  world.Tick(200ms);
  CHECK(world.sink.rows.empty());
  CHECK(world.sink.erased[2] == Version{1, 4});
  CHECK(world.pump->stats().holding == 0);
}

TEST_CASE("erase hold: a newer put of the key, mute, a new term or liveness drop what is held") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  for (std::uint32_t id = 1; id <= 4; ++id) {
    REQUIRE(world.Offer({{id, 1}}).ok());
  }
  REQUIRE(world.OfferErase(1, Op::kEraseAbrupt).ok());
  REQUIRE(world.Offer({{1, 2}}).ok());
  CHECK(world.pump->stats().holding == 0);
  REQUIRE(world.OfferErase(2, Op::kEraseAbrupt).ok());
  world.pump->DropHeldErases();
  REQUIRE(world.OfferErase(3, Op::kEraseAbrupt).ok());
  REQUIRE(world.pump->SetTerm(2).ok());
  REQUIRE(world.OfferErase(4, Op::kEraseAbrupt).ok());
  world.pump->Mute();
  CHECK(world.pump->stats().holding == 0);
  CHECK(world.pump->stats().held_erases == 4);
  CHECK(world.pump->stats().dropped_erases == 4);
  REQUIRE(world.pump->SetTerm(2).ok());
  world.Tick(5s);
  CHECK(world.sink.rows.size() == 4);
}

TEST_CASE("erase hold: a dying box's burst is held from 5 % of its rows on") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->set_rows(10000);
  for (std::uint32_t id = 0; id < 2000; ++id) {
    REQUIRE(world.Offer({{id, 1}}).ok());
  }
  for (std::uint32_t id = 0; id < 2000; ++id) {
    REQUIRE(world.OfferErase(id).ok());
  }
  world.Tick();
  CHECK(world.sink.rows.size() == 1501);  // 499 had gone before the 500th made it a burst
  world.pump->DropHeldErases();
  world.Tick(3s);
  CHECK(world.sink.rows.size() == 1501);
}

TEST_CASE(
    "erase hold: a burst of ends that were seen in packets passes, abrupt ones among it wait") {
  World world;
  world.pump->set_direct_ends_sure(true);
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->set_rows(2000);
  for (std::uint32_t id = 0; id < 2000; ++id) {
    REQUIRE(world.Offer({{id, 1}}).ok());
  }
  for (std::uint32_t id = 0; id < 2000; ++id) {
    REQUIRE(world.OfferErase(id, id % 4 == 0 ? Op::kEraseAbrupt : Op::kErase).ok());
  }
  REQUIRE(world.OfferErase(0).ok());  // it has closed after all
  world.Tick();
  CHECK(world.sink.rows.size() == 499);
  CHECK(world.pump->stats().holding == 499);
  world.pump->DropHeldErases();
  world.Tick(3s);
  CHECK(world.sink.rows.size() == 499);
}

TEST_CASE("erase hold: an ordinary rate of erases is no burst") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->set_rows(10000);
  for (std::uint32_t id = 0; id < 2000; ++id) {
    REQUIRE(world.OfferErase(id).ok());
    world.Tick(1ms);  // 1 % in 100 ms
  }
  CHECK(world.pump->stats().held_erases == 0);
}

TEST_CASE("erase hold: a few erases of a small table are no burst") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  world.pump->set_rows(50);
  for (std::uint32_t id = 0; id < 50; ++id) {
    REQUIRE(world.OfferErase(id).ok());
  }
  CHECK(world.pump->stats().held_erases == 0);
}

TEST_CASE("erase hold: it is bounded, and says when it is full") {
  EraseHold hold({}, 2);
  const MonotonicTime now{1h};
  CHECK(hold.Erase(Key(1), Op::kEraseAbrupt, now) == EraseHold::Verdict::kHeld);
  CHECK(hold.Erase(Key(1), Op::kEraseAbrupt, now) == EraseHold::Verdict::kHeld);
  CHECK(hold.Erase(Key(2), Op::kEraseAbrupt, now) == EraseHold::Verdict::kHeld);
  CHECK(hold.Erase(Key(3), Op::kEraseAbrupt, now) == EraseHold::Verdict::kFull);
  CHECK(hold.size() == 2);
  CHECK(hold.Erase(Key(1), Op::kErase, now) == EraseHold::Verdict::kPass);  // surer
  CHECK(hold.size() == 1);
  CHECK(hold.Release(now + 1s).empty());
  CHECK(hold.Release(now + 2s).size() == 4);
  CHECK(hold.empty());
}

TEST_CASE("erase hold: with no linger nothing is held") {
  World world({.erase_linger = 0ms});
  REQUIRE(world.pump->SetTerm(1).ok());
  REQUIRE(world.Offer({{1, 1}}).ok());
  REQUIRE(world.OfferErase(1, Op::kEraseAbrupt).ok());
  world.Tick();
  CHECK(world.sink.rows.empty());
}

}  // namespace
}  // namespace mimi::testing
