// A Publisher as a program without an engine uses it: typed rows, a lane, the memory store, and a
// sweep.

#include "mimi/publisher.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include <doctest/doctest.h>

#include "mimi/builtin/memory_store.h"
#include "mimi/store.h"
#include "mimi/testing/virtual_loop.h"
#include "mimi/typed.h"

namespace mimi::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT

struct Session {
  static constexpr std::string_view kTable = "test.session";
  Ipv4 client;
  Port port;
  std::uint64_t backend = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(client)), Key(CEREAL_NVP(port)), CEREAL_NVP(backend));
  }
};

struct Other {
  [[maybe_unused]] static constexpr std::string_view kTable = "test.other";
  std::uint64_t id = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(id)));
  }
};

struct Shop {
  Shop() {
    store = *NewMemoryStore({}, loop);
    store->Open(StateSchema::Of<Session>(), [](const absl::Status& status) { CHECK(status.ok()); });
    store->Claim({.origin = origin},
                 [this](absl::StatusOr<Claimed> claim) { term = claim.value().term; });
    loop.RunUntilIdle();
    publisher = *NewPublisher(StateSchema::Of<Session>(), origin, *store, clock,
                              {.ring_slots = 64, .sweep = store.get(), .seed = 1});
    lane.reset(*publisher->OpenLane());
  }
  void Tick() {
    clock.Advance(200us);
    publisher->Tick(clock.now());
    loop.RunUntilIdle();
  }
  std::map<std::uint16_t, std::uint64_t> Stored() {
    std::map<std::uint16_t, std::uint64_t> stored;
    const auto cursor = *store->Snapshot(StateSchema::Of<Session>().table(), [] {});
    while (!cursor->done()) {
      const std::optional<BatchView> batch = *cursor->Next();
      if (!batch) {
        loop.RunUntilIdle();
        continue;
      }
      for (const RecordView record : *batch) {
        if (record.op != Op::kPut) {
          continue;  // a snapshot tells of erased keys as well
        }
        Session session;
        CHECK(DecodeRow(record.row, &session));
        stored[session.port.value] = session.backend;
      }
    }
    return stored;
  }

  VirtualClock clock;
  VirtualLoop loop{clock};
  const Origin origin = OriginOf("edge1");
  std::unique_ptr<StateStore> store;
  std::uint64_t term = 0;
  std::unique_ptr<Publisher> publisher;
  LanePtr lane;
};

TEST_CASE("publisher: typed puts and erases arrive in the memory store") {
  Shop shop;
  REQUIRE(shop.publisher->SetTerm(shop.term).ok());
  CHECK(shop.lane->Put(Session{Ipv4{{192, 0, 2, 1}}, 1000, 1}));
  CHECK(shop.lane->Put(Session{Ipv4{{192, 0, 2, 1}}, 1001, 2}));
  CHECK(shop.lane->Erase(Session{Ipv4{{192, 0, 2, 1}}, 1000, 77}));
  const Ticket ticket = shop.lane->Mark();
  shop.Tick();
  shop.Tick();
  CHECK(shop.lane->Confirmed(ticket));
  CHECK(shop.Stored() == std::map<std::uint16_t, std::uint64_t>{{1001, 2}});
  CHECK(shop.publisher->stats().idle());
}

TEST_CASE("publisher: a struct of another size is refused and counted") {
  Shop shop;
  CHECK_FALSE(shop.lane->Put(Other{}));
  CHECK_FALSE(shop.lane->Erase(Other{}));
  CHECK(shop.lane->lost() == 2);
}

TEST_CASE("publisher: with sweep it erases what a resync did not mention, and nobody else's rows") {
  Shop shop;
  REQUIRE(shop.publisher->SetTerm(shop.term).ok());
  {  // another node's row, under the same term's permission
    BatchBuilder builder(StateSchema::Of<Session>(), OriginOf("edge2"));
    std::byte row[64];
    const Session session{Ipv4{{192, 0, 2, 9}}, 9, 9};
    REQUIRE(EncodeRow(session, row));
    builder.Put({row, TypedRow<Session>::size()});
    REQUIRE(shop.store->Apply(builder.Seal(shop.term, 1, shop.clock.unix_now())).ok());
  }
  for (std::uint16_t port = 1000; port < 1040; ++port) {
    REQUIRE(shop.lane->Put(Session{Ipv4{{192, 0, 2, 1}}, port, port}));
  }
  shop.Tick();
  CHECK(shop.Stored().size() == 41);
  REQUIRE(shop.lane->BeginResync());
  REQUIRE(shop.lane->Walk(Session{Ipv4{{192, 0, 2, 1}}, 1005, 5}));
  REQUIRE(shop.lane->EndResync());
  for (int i = 0; i < 50 && shop.publisher->stats().resyncs_done == 0; ++i) {
    shop.Tick();
  }
  CHECK(shop.publisher->stats().resyncs_done == 1);
  CHECK(shop.publisher->stats().swept == 39);
  CHECK(shop.Stored() == std::map<std::uint16_t, std::uint64_t>{{9, 9}, {1005, 5}});
}

TEST_CASE("publisher: a newer claim fences it, and it says so") {
  Shop shop;
  REQUIRE(shop.publisher->SetTerm(shop.term).ok());
  shop.Tick();
  const std::uint64_t old_term = shop.term;
  shop.store->Claim({.origin = OriginOf("edge2")}, [](const absl::StatusOr<Claimed>&) {});
  shop.loop.RunUntilIdle();
  CHECK(shop.lane->Put(Session{Ipv4{{192, 0, 2, 1}}, 1, 1}));
  shop.Tick();
  CHECK(absl::IsAborted(shop.publisher->status()));
  CHECK(shop.Stored().empty());
  shop.store->Claim({.origin = shop.origin, .floor = old_term},
                    [&](absl::StatusOr<Claimed> claim) { shop.term = claim.value().term; });
  shop.loop.RunUntilIdle();
  REQUIRE(shop.publisher->SetTerm(shop.term).ok());
  shop.Tick();
  CHECK(shop.Stored().size() == 1);
  CHECK(shop.publisher->status().ok());
}

}  // namespace
}  // namespace mimi::testing
