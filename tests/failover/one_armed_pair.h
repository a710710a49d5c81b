#ifndef MIMI_TESTS_FAILOVER_ONE_ARMED_PAIR_H_
#define MIMI_TESTS_FAILOVER_ONE_ARMED_PAIR_H_

// A managed pair of Linux boxes before real connections, for tests and benches (root).
//
//   client ── router ── server          203.0.113.1: what the client asks for, at the box
//   translated
//              │  │                     to the server; 198.51.100.1: whom the server answers
//              A  B
//
// The manager's route steering moves both addresses in the router; BFD runs between
// router and A, each end on a LivenessThread. A and B have a conntrack driver and a netfilter
// minion each. Everything but liveness and load runs on the caller's thread.
//
//   OneArmedPair pair({.flows = 100'000});
//   EchoLoad load(pair, 500);
//   pair.BlackHole(true);                          // links stay up, nothing comes out of A
//
// What goes wrong throws std::runtime_error.

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "mimi/builtin/bfd.h"
#include "mimi/builtin/conntrack_driver.h"
#include "mimi/builtin/file_store.h"
#include "mimi/builtin/liveness_thread.h"
#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/netfilter_minion.h"
#include "mimi/builtin/policies.h"
#include "mimi/builtin/steering.h"
#include "mimi/engine.h"
#include "mimi/flow.h"

#include "src/io/netlink_socket.h"
#include "src/wire/ctnetlink.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {

using Clock = std::chrono::steady_clock;

inline void Must(const absl::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}
template <class T>
T Must(absl::StatusOr<T> made) {
  Must(made.status());
  return *std::move(made);
}

// Gone with its owner. (tests/store has one for tests alone.)
class OwnDirectory {
 public:
  OwnDirectory() : path_((std::filesystem::temp_directory_path() / "mimi-pair-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error(path_ + ": cannot be made");
    }
  }
  ~OwnDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;
  std::string Join(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct OneArmedOptions {
  std::size_t flows = 0;    ///< in A's kernel before anybody looks
  bool file_store = false;  ///< with an fsync for each batch; else in memory
  /// Of BFD, times three. What the kernel forwards between namespaces is done at normal priority,
  /// so on a machine that is crowded by others 10 ms tell of that, and not of mimi.
  Duration interval = std::chrono::milliseconds(10);
};

class OneArmedPair {
 public:
  explicit OneArmedPair(const OneArmedOptions& options = {}) : options_(options) {
    MakeNetwork();
    Inject(options.flows);
    netlink_ = a_.Inside([] { return *NetlinkSocket::Open({.protocol = NETLINK_ROUTE}); });
    steering_ = Must(NewRouteSteering(
        {.prefixes = {{*Ip::Parse("203.0.113.1"), 32}, {*Ip::Parse("198.51.100.1"), 32}},
         .primary = {.gateway = *Ip::Parse("10.9.1.1")},
         .minion = {.gateway = *Ip::Parse("10.9.2.1")},
         .network_namespace = router_.path()},
        *loop_));
    MakeEngine(engines_[0], Side::kPrimary);
    MakeEngine(engines_[1], Side::kMinion);
    boxes_watch_ = Watch(a_, "10.9.1.1", "10.9.1.2", [](const LivenessEvent&) {});
    watch_ = Watch(router_, "10.9.1.2", "10.9.1.1", [this](const LivenessEvent& event) {
      downs_ += event.health == Health::kDown ? 1 : 0;
      manager().Report(event);
    });
    Until("the minion to be ready", [this] { return Ready(Side::kMinion); });
  }
  ~OneArmedPair() {
    watch_->Stop();
    boxes_watch_->Stop();
  }

  const NetNamespace& client() const { return client_; }
  const NetNamespace& server() const { return server_; }
  Engine& manager() { return *engines_[1].engine; }
  std::uint64_t rows(Side side) const {
    return engines_[side == Side::kPrimary ? 0 : 1].minion->state().rows;
  }
  /// How often the primary was called dead.
  int downs() const { return downs_; }
  std::string scheduling() const { return std::string(watch_->scheduling()); }
  /// When the newest decision to move was taken: right before its redirect began.
  Clock::time_point decided() const { return decided_; }

  bool Ready(Side standby) {
    return manager().status().view.box(standby).readiness == Readiness::kReady;
  }
  bool PrimaryIsUp() { return manager().status().view.primary.health == Health::kUp; }

  void RunOnce() {
    pollfd readable = {.fd = loop_->PollFd(), .events = POLLIN, .revents = 0};
    poll(&readable, 1, 1);
    loop_->RunOnce();
  }
  void RunFor(Duration duration) {
    const auto end = Clock::now() + duration;
    while (Clock::now() < end) {
      RunOnce();
    }
  }
  void Until(std::string_view what, const std::function<bool()>& done,
             Duration most = std::chrono::seconds(60)) {
    const auto end = Clock::now() + most;
    while (!done()) {
      if (Clock::now() > end) {
        throw std::runtime_error("not in time: " + std::string(what) + "\n" + events_);
      }
      RunOnce();
    }
  }

  /// Nothing that A forwards or sends finds a way any more; its links stay up.
  void BlackHole(bool on) {
    NetlinkWriter writer(128);
    const int flags = NLM_F_REQUEST | NLM_F_ACK | (on ? NLM_F_CREATE | NLM_F_EXCL : 0);
    writer.Begin(on ? RTM_NEWRULE : RTM_DELRULE, static_cast<std::uint16_t>(flags), 1);
    fib_rule_hdr rule = {};
    rule.family = AF_INET;
    rule.action = FR_ACT_BLACKHOLE;
    writer.Append(std::as_bytes(std::span(&rule, 1)));
    writer.PutU32(FRA_PRIORITY, 1);  // behind the table of its own addresses
    writer.End();
    Must(netlink_->Send(writer.bytes()));  // done when this returns
  }
  /// A planned move, once it is allowed.
  absl::Status Move(Side to) {
    Until("a move to be allowed", [&] { return manager().Preview(to).ok(); });
    std::optional<absl::Status> end;
    const auto done = [&end](const absl::Status& status) {
      end = status;
    };
    to == Side::kMinion ? manager().Divert(done) : manager().Restore(done);
    Until("the move", [&end] { return end.has_value(); });
    return *end;
  }
  AuditResult Audit(Side side) {
    std::optional<absl::StatusOr<AuditResult>> end;
    engines_[side == Side::kPrimary ? 0 : 1].engine->Audit(
        side, [&end](const absl::StatusOr<AuditResult>& result) { end = result; });
    Until("the audit", [&end] { return end.has_value(); });
    return Must(*std::move(end));
  }

 private:
  struct Box {
    std::unique_ptr<NetfilterMinion> minion;
    std::unique_ptr<Driver> driver;
    std::unique_ptr<StateStore> store;
    std::unique_ptr<Engine> engine;
  };

  void MakeNetwork() {
    Connect(client_, "eth0", router_, "users");
    Connect(server_, "eth0", router_, "servers");
    Connect(a_, "eth0", router_, "to_a");
    Connect(b_, "eth0", router_, "to_b");
    client_.Run("ip addr add 10.1.0.2/24 dev eth0; ip route add default via 10.1.0.1");
    server_.Run("ip addr add 10.2.0.2/24 dev eth0; ip route add default via 10.2.0.1");
    router_.Run(
        "ip addr add 10.1.0.1/24 dev users; ip addr add 10.2.0.1/24 dev servers;"
        "ip addr add 10.9.1.2/24 dev to_a; ip addr add 10.9.2.2/24 dev to_b;"
        "ip route add 203.0.113.1/32 via 10.9.1.1; ip route add 198.51.100.1/32 via 10.9.1.1");
    MakeForwarder(router_, {"all", "users", "servers", "to_a", "to_b"});
    MakeBox(a_, "10.9.1");
    MakeBox(b_, "10.9.2");
  }
  static void MakeForwarder(const NetNamespace& box, std::initializer_list<const char*> devices) {
    box.Sysctl("net/ipv4/ip_forward", "1");
    for (const std::string device : devices) {
      box.Sysctl("net/ipv4/conf/" + device + "/rp_filter", "0");
      box.Sysctl("net/ipv4/conf/" + device + "/send_redirects", "0");
    }
  }
  static void MakeBox(const NetNamespace& box, const std::string& network) {
    box.Run("ip addr add " + network + ".1/24 dev eth0; ip route add default via " + network +
            ".2");
    MakeForwarder(box, {"all", "eth0"});
    box.Nft(
        "table ip nat {\n"
        " chain pre {\n  type nat hook prerouting priority dstnat;\n"
        "  ip daddr 203.0.113.1 dnat to 10.2.0.2\n }\n"
        " chain post {\n  type nat hook postrouting priority srcnat;\n"
        "  ip daddr 10.2.0.2 snat to 198.51.100.1\n }\n}\n");
  }

  // Connections of others, as if they had been there for long.
  void Inject(std::size_t flows) {
    const std::unique_ptr<NetlinkSocket> socket =
        a_.Inside([] { return *NetlinkSocket::Open({}); });
    NetlinkWriter writer;
    for (std::size_t i = 0; i < flows; ++i) {
      Flow flow;
      flow.protocol = IpProtocol::kTcp;
      flow.orig_src =
          Ipv4{{10, 50, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8)}};
      flow.orig_sport = static_cast<std::uint16_t>(1024 + (i & 0xff));
      flow.orig_dst = *Ip::Parse("203.0.113.1");
      flow.orig_dport = 443;
      flow.reply_src = *Ip::Parse("10.2.0.2");
      flow.reply_sport = 8443;
      flow.reply_dst = flow.orig_src;
      flow.reply_dport = flow.orig_sport;
      flow.state = FlowState::kEstablished;
      CtEntry entry = CtFromFlow(flow);
      entry.timeout = 400'000;
      entry.present |= kCtTimeout;
      AppendCtCreate(writer, entry, 1);
      if (writer.size() > 30'000 || i + 1 == flows) {
        Must(socket->Send(writer.bytes()));
        writer.Clear();
      }
    }
  }

  std::unique_ptr<LivenessThread> Watch(const NetNamespace& where, const char* local,
                                        const char* peer,
                                        std::function<void(const LivenessEvent&)> report) const {
    std::unique_ptr<LivenessThread> thread = Must(NewLivenessThread());
    BfdOptions options;
    options.peer = *Ip::Parse(peer);
    options.port_options.local = *Ip::Parse(local);
    options.desired_min_tx = options.required_min_rx = options_.interval;
    thread->Add(where.Inside([&] { return Must(NewBfd(options, thread->loop())); }));
    Must(thread->Start(std::move(report)));
    return thread;
  }

  void MakeEngine(Box& box, Side side) {
    const bool primary = side == Side::kPrimary;
    const NetNamespace& space = primary ? a_ : b_;
    const std::string node = primary ? "pair.primary" : "pair.minion";
    box.minion = Must(NewNetfilterMinion({.node = node,
                                          .network_namespace = space.path(),
                                          .state_directory = directory_.Join(node),
                                          .reserve_percent = 1},
                                         *loop_));
    box.driver = Must(NewConntrackDriver(
        {.network_namespace = space.path(), .echo_ports = {box.minion->port_id()}}, *loop_));
    if (options_.file_store) {
      box.store = Must(NewFileStore(
          {.path = directory_.Join("store"), .fsync = FileStoreOptions::Fsync::kEveryBatch},
          *loop_));
    } else {
      box.store = Must(NewMemoryStore({.repository = repository_}, *loop_));
    }
    EngineOptions options;
    options.store = box.store.get();
    options.on_event = [this, side](const PairEvent& event) {
      events_ += std::string(SideName(side)) + ": " + event.kind + ": " + event.detail + "\n";
    };
    BoxOptions& mine = primary ? options.primary : options.minion;
    mine.node = node;
    mine.drivers = {box.driver.get()};
    mine.minions = {box.minion.get()};
    if (!primary) {
      options.manager.emplace();
      options.manager->policy = policy_.get();
      options.manager->steering = steering_.get();
      options.manager->on_step = [this](Side, Step step, StepEdge edge) {
        if (step == Step::kSteer && edge == StepEdge::kBefore) {
          decided_ = Clock::now();
        }
      };
    }
    box.engine = Must(NewEngine(std::move(options), *loop_));
    Must(box.engine->Start());
  }

  const OneArmedOptions options_;
  NetNamespace client_, server_, router_, a_, b_;
  OwnDirectory directory_;
  std::unique_ptr<Loop> loop_ = *NewEpollLoop();
  std::shared_ptr<MemoryRepository> repository_ = NewMemoryRepository({}, *loop_);
  std::unique_ptr<FailoverPolicy> policy_ = NewImmediatePolicy();
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<NetlinkSocket> netlink_;
  std::string events_;
  Clock::time_point decided_{};
  Box engines_[2];
  std::atomic<int> downs_{0};
  std::unique_ptr<LivenessThread> boxes_watch_, watch_;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_FAILOVER_ONE_ARMED_PAIR_H_
