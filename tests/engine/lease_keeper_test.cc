#include "src/engine/lease_keeper.h"

#include <chrono>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/testing/virtual_loop.h"

namespace mimi::internal {
namespace {

using std::chrono::seconds;

// Grants at once what the test says.
class FakeLease final : public Lease {
 public:
  explicit FakeLease(const Clock& clock) : clock_(clock) {}
  void Acquire(Duration ttl, GrantCallback done) override {
    done(LeaseGrant{term, clock_.now() + ttl});
  }
  void Renew(Duration ttl, GrantCallback done) override { Acquire(ttl, std::move(done)); }
  void Release() override {}

  std::uint64_t term = 1;

 private:
  const Clock& clock_;
};

TEST_CASE("lease keeper: a repository that was replaced counts terms from 1 again") {
  VirtualClock clock;
  FakeLease lease(clock);
  LeaseKeeper keeper(lease, seconds(3), clock, [] {});
  lease.term = 7;
  keeper.Start();
  keeper.Tick();
  REQUIRE(keeper.held());
  REQUIRE(keeper.term() == 7);

  clock.Advance(seconds(4));  // this process stood still, and the repository was replaced
  lease.term = 1;
  CHECK_FALSE(keeper.held());
  keeper.Tick();
  CHECK(keeper.held());
  CHECK(keeper.term() == 1);
}

TEST_CASE("lease keeper: an older term never replaces one that is valid") {
  VirtualClock clock;
  FakeLease lease(clock);
  LeaseKeeper keeper(lease, seconds(3), clock, [] {});
  lease.term = 7;
  keeper.Start();
  keeper.Tick();
  clock.Advance(seconds(1));
  lease.term = 6;
  keeper.Tick();
  CHECK(keeper.term() == 7);
}

}  // namespace
}  // namespace mimi::internal
