// The paper's load balancer in one program: a primary that publishes which backend each client has,
// and a minion that holds that state ready to take the traffic over.
//
//   build/dev/examples/quickstart
//
// You will see 1000 connections flow from primary to minion, a planned divert with each of its
// steps, and the minion's table answer for one client. Exit code 0 when all of it happened.

#include <cstdio>
#include <functional>

#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/policies.h"
#include "mimi/builtin/table_minion.h"
#include "mimi/engine.h"
#include "mimi/table.h"
#include "mimi/typed.h"

struct LbFlow {  // one connection: what the load balancer must remember
  static constexpr std::string_view kTable = "lb.flow";
  mimi::Ipv4 client_ip;
  mimi::Port client_port;
  mimi::Ipv4 backend_ip;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(mimi::Key(CEREAL_NVP(client_ip)), mimi::Key(CEREAL_NVP(client_port)),
       CEREAL_NVP(backend_ip));
  }
};

static LbFlow FlowOf(std::uint16_t port) {
  const auto backend = static_cast<std::uint8_t>(1 + port % 4);
  return {mimi::Ipv4{{198, 51, 100, 7}}, port, mimi::Ipv4{{10, 0, 0, backend}}};
}

// How traffic moves. A real one speaks to a switch or a routing table; this one says what it would
// do.
class PrintedSteering final : public mimi::Steering {
 public:
  std::string_view name() const override { return "printed"; }
  void Divert(Guard guard, StatusCallback done) override { Move(mimi::Side::kMinion, guard, done); }
  void Restore(Guard guard, StatusCallback done) override {
    Move(mimi::Side::kPrimary, guard, done);
  }
  void Observe(ObserveCallback done) override {
    loop_.Post([this, done] { done(traffic_); });
  }
  explicit PrintedSteering(mimi::Loop& loop) : loop_(loop) {}

 private:
  void Move(mimi::Side to, const Guard& guard, const StatusCallback& done) {
    const bool may = guard();  // false: this manager may not act any more
    traffic_ = may ? to : traffic_;
    std::printf("  traffic moves to the %s\n", mimi::SideName(traffic_).data());
    loop_.Post([done, may] { done(may ? absl::OkStatus() : absl::AbortedError("not acting")); });
  }
  mimi::Loop& loop_;
  mimi::Side traffic_ = mimi::Side::kPrimary;
};

int main() {
  const mimi::StateSchema& schema = mimi::StateSchema::Of<LbFlow>();
  const std::unique_ptr<mimi::Loop> loop = *mimi::NewEpollLoop();
  const std::unique_ptr<mimi::StateStore> store = *mimi::NewMemoryStore({}, *loop);
  mimi::Table table(schema, {.order = mimi::TableOrder::kArrival});
  const std::unique_ptr<mimi::Minion> minion = mimi::NewTableMinion(table, *loop);
  const std::unique_ptr<mimi::FailoverPolicy> policy = mimi::NewManualPolicy();
  PrintedSteering steering(*loop);

  mimi::EngineOptions options;
  options.pair = "edge1";
  options.store = store.get();
  options.primary.lanes = {schema};
  options.minion.minions = {minion.get()};
  options.manager.emplace();
  options.manager->policy = policy.get();
  options.manager->steering = &steering;
  options.manager->on_step = [](mimi::Side, mimi::Step step, mimi::StepEdge edge) {
    std::printf("  %s %s\n", edge == mimi::StepEdge::kAfter ? "after" : "before",
                mimi::StepName(step).data());
  };
  const std::unique_ptr<mimi::Engine> engine = *mimi::NewEngine(std::move(options), *loop);
  mimi::Lane* lane = *engine->OpenLane(mimi::Side::kPrimary, schema);

  const auto deadline = loop->now() + std::chrono::seconds(20);
  const auto run_until = [&](const std::function<bool()>& done) {
    do {
      engine->RunOnce();
      if (lane->ResyncWanted() && lane->BeginResync()) {  // at its first claim, and after a loss
        for (std::uint16_t port = 1; port <= 1000; ++port) {
          lane->Walk(FlowOf(port));  // no room is no loss, but this ring has room
        }
        lane->EndResync();
      }
    } while (!done() && loop->now() < deadline);
    return done();
  };

  for (std::uint16_t port = 1; port <= 1000; ++port) {
    lane->Put(FlowOf(port));  // the packet path: no lock, no system call
  }
  if (!run_until([&] { return table.size() == 1000; })) {
    return 1;
  }
  std::printf("1000 connections were put at the primary, and are at the minion\n");

  // An operator asks; a pair that is not ready yet says why, and is asked again.
  absl::Status moved = absl::UnavailableError("not asked");
  for (bool asked = false; !moved.ok() && loop->now() < deadline; asked = false) {
    engine->Divert([&](absl::Status status) { moved = status, asked = true; });
    run_until([&] { return asked; });
  }
  std::printf("divert: %s\n", moved.ToString().c_str());

  LbFlow found;
  const bool known = mimi::TypedTable<LbFlow>(table).Lookup(FlowOf(443), &found);
  std::printf("client 198.51.100.7:443 -> backend %s\n", found.backend_ip.ToString().c_str());
  lane->Close();
  return moved.ok() && known ? 0 : 1;
}
