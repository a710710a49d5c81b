// Lanes with real threads: what ThreadSanitizer shall see.

#include <atomic>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/publish/world.h"

namespace mimi::testing {
namespace {

// A packet thread with `rows` keys of its own, which walks when it is asked.
void Produce(Lane* lane, std::uint32_t first, std::uint32_t rows, int rounds,
             std::atomic<bool>* stop, std::map<std::uint32_t, std::uint64_t>* truth) {
  std::uint64_t value = 0;
  auto walk = truth->end();
  bool walking = false;
  const auto go_on = [&] {
    if (lane->ResyncWanted() && lane->BeginResync()) {
      walking = true;
      walk = truth->begin();
    }
    while (walking && walk != truth->end() && lane->Walk(Row(walk->first, walk->second))) {
      ++walk;
    }
    if (walking && walk == truth->end() && lane->EndResync()) {
      walking = false;
    }
  };
  for (int round = 0; round < rounds; ++round) {
    for (std::uint32_t id = first; id < first + rows; ++id) {
      if (walking) {
        break;  // iterators: this source walks, then goes on
      }
      if ((round + static_cast<int>(id)) % 7 == 0) {
        truth->erase(id);
        (void)lane->Erase(Key(id));
      } else {
        (*truth)[id] = ++value;
        (void)lane->Put(Row(id, value));
      }
    }
    go_on();
  }
  while (!stop->load()) {
    go_on();
    std::this_thread::yield();
  }
  lane->Close();
}

TEST_CASE("lanes: threads that lose, walk and close leave the sink equal to what they hold") {
  constexpr int kProducers = 2;
  World world({.ring_slots = 64, .resync_min = 1ms, .resync_max = 2ms});
  REQUIRE(world.pump->SetTerm(1).ok());
  std::vector<std::map<std::uint32_t, std::uint64_t>> truths(kProducers);
  std::vector<std::thread> threads;
  std::atomic<bool> stop = false;
  for (std::uint32_t i = 0; i < kProducers; ++i) {
    threads.emplace_back(Produce, *world.pump->OpenLane(), i * 1000, 100, 200, &stop, &truths[i]);
  }
  // Ends when losses have stopped and the resync that repairs them is done.
  PublisherStats stats;
  for (int quiet = 0; quiet < 200;) {
    world.Tick();
    stats = world.pump->stats();
    quiet = stats.resync_wanted || !world.pump->drained() ? 0 : quiet + 1;
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  world.Settle();
  std::map<std::uint32_t, std::uint64_t> all;
  for (const auto& truth : truths) {
    all.insert(truth.begin(), truth.end());
  }
  CHECK(world.sink.Values() == all);
  CHECK(world.sink.gaps == 0);
  MESSAGE("lost " << stats.lost_ring_full << ", resyncs " << stats.resyncs_done);
}

TEST_CASE("lanes: a thread that ends without closing its lane harms nothing") {
  World world;
  REQUIRE(world.pump->SetTerm(1).ok());
  Lane* const lane = *world.pump->OpenLane();
  LanePtr other(*world.pump->OpenLane());
  std::thread([lane] {
    for (std::uint32_t id = 0; id < 100; ++id) {
      (void)lane->Put(Row(id, 1));
    }
    (void)lane->Claim();
  }).join();
  REQUIRE(other->Put(Row(1000, 1)));
  world.Settle();
  CHECK(world.sink.rows.size() == 101);
  lane->Close();  // by whoever notices
  world.Tick();
  CHECK(world.pump->stats().lanes == 1);
}

TEST_CASE("lanes: output commit, closing and the end of the pump race with nobody") {
  for (int i = 0; i < 20; ++i) {
    auto world = std::make_unique<World>(PublisherOptions{.ring_slots = 256, .wake = i % 2 == 1});
    REQUIRE(world->pump->SetTerm(1).ok());
    Lane* const lane = *world->pump->OpenLane();
    std::atomic<bool> confirmed = false;
    std::thread producer([lane, &confirmed] {
      for (std::uint32_t n = 0; n < 500; ++n) {
        while (!lane->Put(Row(n, n))) {
          std::this_thread::yield();
        }
      }
      confirmed = lane->Flush(lane->Mark(), std::chrono::steady_clock::now() + 60s);
      lane->Close();
    });
    for (int quiet = 0; i % 4 == 0 && !confirmed; ++quiet) {
      world->Tick();
      std::this_thread::yield();
    }
    while (i % 4 != 0 && world->sink.rows.size() < 500) {
      world->Tick();
      std::this_thread::yield();
    }
    while (i % 4 != 0 && !world->pump->drained()) {
      world->Tick();
    }
    world->Tick();
    world.reset();  // perhaps before the lane is closed
    producer.join();
    CHECK(confirmed);
  }
}

}  // namespace
}  // namespace mimi::testing
