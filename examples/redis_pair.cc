// A pair over Redis: two programs, on one host or two, that meet only in the server. One is the box
// with the state, the other stands beside it with the same state in its own table.
//
//   redis-server --port 7777 --save '' &
//   build/dev/examples/redis_pair redis://127.0.0.1:7777 box 2000 &
//   build/dev/examples/redis_pair redis://127.0.0.1:7777 minion 2000
//   redis-cli -p 7777 HGETALL 'mimi:{edge1}:pair'
//
// You will see that the box has put its connections, and that the minion has all of them, with the
// first one's backend. Exit code 0: so it was, within 30 seconds. The box goes on until it is
// stopped, as boxes do.

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "mimi/builtin/redis_store.h"
#include "mimi/builtin/table_minion.h"
#include "mimi/engine.h"
#include "mimi/table.h"
#include "mimi/typed.h"

struct LbFlow {
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

static LbFlow FlowOf(unsigned i) {
  return {mimi::Ipv4{{198, 51, 100, 7}}, static_cast<std::uint16_t>(i),
          mimi::Ipv4{{10, 0, 0, static_cast<std::uint8_t>(1 + i % 4)}}};
}

static bool RunUntil(mimi::Engine& engine, mimi::Loop& loop, const std::function<bool()>& done) {
  const auto give_up = loop.now() + std::chrono::seconds(30);
  while (!done() && loop.now() < give_up) {
    pollfd ours{engine.PollFd(), POLLIN, 0};
    poll(&ours, 1, 10);
    engine.RunOnce();
  }
  return done();
}

static int Box(mimi::EngineOptions options, mimi::Loop& loop, unsigned flows) {
  const mimi::StateSchema& schema = mimi::StateSchema::Of<LbFlow>();
  options.primary.lanes = {schema};
  const auto engine = *mimi::NewEngine(std::move(options), loop);
  mimi::Lane* const lane = *engine->OpenLane(mimi::Side::kPrimary, schema);
  const auto walk_if_asked = [&] {  // at the first claim, and whenever the server lost something
    if (lane->ResyncWanted() && lane->BeginResync()) {
      for (unsigned i = 0; i < flows; ++i) {
        lane->Walk(FlowOf(i));
      }
      lane->EndResync();
    }
    return false;
  };
  for (unsigned i = 0; i < flows; ++i) {
    lane->Put(FlowOf(i));  // the packet path: it knows nothing of Redis
  }
  const mimi::Ticket ticket = lane->Mark();
  if (!RunUntil(*engine, loop, [&] { return walk_if_asked() || lane->Confirmed() >= ticket; })) {
    return 1;
  }
  std::printf("the server has all %u connections\n", flows);
  std::fflush(stdout);
  RunUntil(*engine, loop, walk_if_asked);  // a real box: for ever
  return 0;
}

static int Minion(mimi::EngineOptions options, mimi::Loop& loop, unsigned flows) {
  mimi::Table table(mimi::StateSchema::Of<LbFlow>(), {.order = mimi::TableOrder::kArrival});
  const auto minion = mimi::NewTableMinion(table, loop);
  options.minion.minions = {minion.get()};
  const auto engine = *mimi::NewEngine(std::move(options), loop);
  LbFlow first;
  const bool all = RunUntil(*engine, loop, [&] { return table.size() == flows; }) &&
                   mimi::TypedTable<LbFlow>(table).Lookup(FlowOf(0), &first);
  std::printf("the minion has %zu connections; 198.51.100.7:0 -> %s\n", table.size(),
              first.backend_ip.ToString().c_str());
  return all ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    return std::fprintf(stderr, "usage: %s URL box|minion CONNECTIONS\n", argv[0]), 2;
  }
  const auto url = mimi::RedisStoreOptionsFromUrl(argv[1]);
  if (!url.ok()) {
    return std::fprintf(stderr, "%s\n", url.status().ToString().c_str()), 2;
  }
  mimi::RedisStoreOptions redis = *url;
  redis.pair = "edge1";
  const auto loop = *mimi::NewEpollLoop();
  const auto store = mimi::NewRedisStore(redis, *loop);
  if (!store.ok()) {
    return std::fprintf(stderr, "%s\n", store.status().ToString().c_str()), 2;
  }
  mimi::EngineOptions options;
  options.pair = "edge1";
  options.store = store->get();
  const auto flows = static_cast<unsigned>(std::atoi(argv[3]));
  return argv[2] == std::string_view("box") ? Box(std::move(options), *loop, flows)
                                            : Minion(std::move(options), *loop, flows);
}
