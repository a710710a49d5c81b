// A VNF that stands beside the firmware of firmware_lb: it follows the store on disc that the
// firmware writes, in another process, and takes over when the firmware dies.
//
//   build/dev/examples/firmware_lb /tmp/edge1 20000 10000 60 &
//   build/dev/examples/vnf_link /tmp/edge1 20000
//   kill -9 %1
//
// You will see when its table holds all connections, "traffic moves to the minion" about two
// seconds after the kill, and every connection found then. Exit code 0: none is missing.

#include <poll.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "mimi/builtin/file_store.h"
#include "mimi/builtin/policies.h"
#include "mimi/builtin/table_minion.h"
#include "mimi/engine.h"
#include "mimi/table.h"
#include "mimi/typed.h"

struct LbFlow {  // the firmware's table
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

class PrintedSteering final : public mimi::Steering {  // says what a real one would do
 public:
  explicit PrintedSteering(mimi::Loop& loop) : loop_(loop) {}
  std::string_view name() const override { return "printed"; }
  void Divert(Guard guard, StatusCallback done) override { Move(mimi::Side::kMinion, guard, done); }
  void Restore(Guard guard, StatusCallback done) override {
    Move(mimi::Side::kPrimary, guard, done);
  }
  void Observe(ObserveCallback done) override {
    loop_.Post([this, done] { done(traffic); });
  }
  mimi::Side traffic = mimi::Side::kPrimary;

 private:
  void Move(mimi::Side to, const Guard& guard, const StatusCallback& done) {
    const bool may = guard();
    if (may && traffic != to) {
      std::printf("traffic moves to the %s\n", mimi::SideName(to).data());
    }
    traffic = may ? to : traffic;
    loop_.Post([done, may] { done(may ? absl::OkStatus() : absl::AbortedError("not acting")); });
  }
  mimi::Loop& loop_;
};

static LbFlow FlowOf(unsigned i) {  // connection i of the firmware
  const auto high = static_cast<std::uint8_t>(i >> 16);
  return {mimi::Ipv4{{198, 51, high, 7}}, static_cast<std::uint16_t>(i), {}};
}

int main(int argc, char** argv) {
  const unsigned flows = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 20000;
  const auto loop = *mimi::NewEpollLoop();
  auto store = mimi::NewFileStore({.path = argc > 1 ? argv[1] : "/tmp/mimi-edge1"}, *loop);
  if (!store.ok()) {
    return std::fprintf(stderr, "%s\n", store.status().ToString().c_str()), 1;
  }
  mimi::Table table(mimi::StateSchema::Of<LbFlow>(), {.order = mimi::TableOrder::kArrival});
  const auto minion = mimi::NewTableMinion(table, *loop);
  const auto policy = mimi::NewImmediatePolicy();
  PrintedSteering steering(*loop);

  mimi::EngineOptions options;
  options.pair = "edge1";
  options.store = store->get();
  options.minion.minions = {minion.get()};
  options.manager.emplace();
  options.manager->policy = policy.get();
  options.manager->steering = &steering;
  options.manager->source_silence = std::chrono::seconds(2);
  auto engine = *mimi::NewEngine(std::move(options), *loop);

  std::atomic<std::uint64_t> packets{0}, stop{0};
  std::thread packet_thread([&] {  // each packet: one lookup, no lock, no system call
    const mimi::TypedTable<LbFlow> known(table);
    for (unsigned i = 0; stop == 0; i = i + 1 < flows ? i + 1 : 0) {
      LbFlow flow;
      packets += known.Lookup(FlowOf(i), &flow) ? 1U : 0U;
    }
  });
  bool shown = false;
  const auto give_up = loop->now() + std::chrono::minutes(2);
  while (engine->status().view.phase != mimi::Phase::kOnMinion && loop->now() < give_up) {
    pollfd ours{engine->PollFd(), POLLIN, 0};
    poll(&ours, 1, 100);
    engine->RunOnce();
    if (!shown && table.size() == flows) {
      shown = std::printf("the table holds all %u connections\n", flows) > 0;
      std::fflush(stdout);
    }
  }
  stop = 1;
  packet_thread.join();
  unsigned found = 0;
  for (unsigned i = 0; i < flows; ++i) {
    LbFlow flow;
    found += mimi::TypedTable<LbFlow>(table).Lookup(FlowOf(i), &flow) ? 1U : 0U;
  }
  std::printf("%llu packets found their connection; rows: %zu; found: %u of %u\n",
              static_cast<unsigned long long>(packets), table.size(), found, flows);
  return steering.traffic == mimi::Side::kMinion && found == flows ? 0 : 1;
}
