#ifndef MIMI_BENCH_NETFILTER_BOXES_H_
#define MIMI_BENCH_NETFILTER_BOXES_H_

// Two boxes in network namespaces with engines on one loop, and the loads that run through the
// first.

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "mimi/builtin/conntrack_driver.h"
#include "mimi/builtin/file_store.h"
#include "mimi/builtin/memory_store.h"
#include "mimi/builtin/netfilter_minion.h"
#include "mimi/engine.h"
#include "mimi/flow.h"

#include "bench/bench.h"
#include "src/base/unique_fd.h"
#include "src/io/netlink_socket.h"
#include "src/wire/ctnetlink.h"
#include "tests/support/net_namespace.h"

namespace mimi::bench {

using testing::Connect;
using testing::NetNamespace;

inline constexpr std::size_t kPorts = 50'000;

inline double ThreadCpu() {
  rusage usage = {};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline double ResidentMiB() {
  std::ifstream file("/proc/self/statm");
  double all = 0;
  double resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

inline void Check(const absl::Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::exit(1);
  }
}

inline void SleepUntil(TimePoint at) {
  std::this_thread::sleep_until(at);
}

inline sockaddr_in At(const char* ip, std::uint16_t port) {
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  inet_pton(AF_INET, ip, &at.sin_addr);
  return at;
}

inline UniqueFd Socket(const NetNamespace& where, int type, int protocol = 0) {
  return UniqueFd(where.Inside([&] { return socket(AF_INET, type, protocol); }));
}

struct Net {
  Net() {
    Connect(client, "c0", a, "a0");
    Connect(a, "a1", server, "s0");
    a.Run("ip addr add 10.1.0.1/16 dev a0; ip addr add 10.2.0.1/24 dev a1");
    client.Run("ip addr add 10.1.0.2/16 dev c0; ip route add default via 10.1.0.1");
    server.Run("ip addr add 10.2.0.2/24 dev s0; ip route add default via 10.2.0.1");
    a.Sysctl("net/ipv4/ip_forward", "1");
    a.Sysctl("net/netfilter/nf_conntrack_udp_timeout", "600");
    b.Sysctl("net/netfilter/nf_conntrack_timestamp", "1");
    client.Sysctl("net/ipv4/ip_local_port_range", "1024 65535");
    client.Sysctl("net/ipv4/tcp_tw_reuse", "1");
    a.Nft(
        "table ip nat {\n chain pre {\n type nat hook prerouting priority dstnat;\n"
        " ip daddr 203.0.113.1 dnat to 10.2.0.2\n }\n}\n");
  }
  NetNamespace client, a, b, server;
};

struct Box {
  std::unique_ptr<NetfilterMinion> minion;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<Engine> engine;
};

/// Where the minion of B runs, and what is between the two.
enum class Minions : std::uint8_t {
  kNone,
  kHere,   ///< in this process, over a memory store
  kChild,  ///< in a process of its own, over a file store
};

class Pair {
 public:
  Pair(const Net& net, Minions minion, ConntrackLatency latency) : minion_(minion) {
    std::filesystem::create_directory(directory_);
    if (minion_ == Minions::kChild) {
      Fork(net);
    }
    a_.driver =
        *NewConntrackDriver({.network_namespace = net.a.path(), .latency = latency}, *loop_);
    MakeStore(&a_);
    EngineOptions options;
    options.store = a_.store.get();
    options.primary.drivers = {a_.driver.get()};
    a_.engine = *NewEngine(std::move(options), *loop_);
    Check(a_.engine->Start());
    if (minion_ == Minions::kHere) {
      MakeMinion(net);
    }
    RunFor(std::chrono::seconds(2));  // loads, the first resync and the first audit are over
  }
  ~Pair() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }
  void RunFor(Duration duration) {
    loop_->At(loop_->now() + duration, [this] { loop_->Stop(); });
    loop_->Run();
  }
  // As a program does: the loop waits, and somebody looks in now and then.
  void RunUntil(const std::function<bool()>& done) {
    std::function<void()> look = [&] {
      if (done()) {
        loop_->Stop();
      } else {
        loop_->At(loop_->now() + std::chrono::milliseconds(50), look);
      }
    };
    look();
    loop_->Run();
  }
  const Driver& driver() const { return *a_.driver; }
  std::uint64_t held() const { return b_.minion->state().rows; }

 private:
  void MakeStore(Box* box) {
    if (minion_ == Minions::kChild) {
      box->store = *NewFileStore({.path = directory_ + "/store"}, *loop_);
    } else {
      box->store = *NewMemoryStore({.repository = repository_}, *loop_);
    }
  }
  void MakeMinion(const Net& net) {
    b_.minion = *NewNetfilterMinion(
        {.network_namespace = net.b.path(), .state_directory = directory_ + "/minion"}, *loop_);
    MakeStore(&b_);
    EngineOptions options;
    options.store = b_.store.get();
    options.minion.minions = {b_.minion.get()};
    b_.engine = *NewEngine(std::move(options), *loop_);
    Check(b_.engine->Start());
  }
  void Fork(const Net& net) {
    const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    sched_param priority = {};
    sched_getparam(0, &priority);
    child_ = fork();
    if (child_ != 0) {
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sched_setscheduler(0, policy, &priority);  // as the parent, also after `chrt --reset-on-fork`
    loop_ = *NewEpollLoop();                   // the parent's epoll set is its own
    MakeMinion(net);
    loop_->Run();
    _exit(0);
  }

  Minions minion_;
  pid_t child_ = 0;
  std::unique_ptr<Loop> loop_ = *NewEpollLoop();
  std::shared_ptr<MemoryRepository> repository_ = NewMemoryRepository({}, *loop_);
  std::string directory_ = "/tmp/mimi-bench-" + std::to_string(getpid());
  Box a_, b_;
};

// UDP questions from ever new ports, each answered at once. Notes when the answer was sent.
class UdpLoad {
 public:
  UdpLoad(const Net& net, double per_second, std::size_t flows)
      : sent(flows), per_second_(per_second), flows_(flows) {
    raw_ = Socket(net.client, SOCK_RAW, IPPROTO_RAW);
    server_ = Socket(net.server, SOCK_DGRAM);
    const sockaddr_in at = At("10.2.0.2", 53);
    const int size = 8 << 20;
    setsockopt(server_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (bind(server_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0) {
      std::perror("bind");
      std::exit(1);
    }
  }
  void Start() {
    thread_ = std::thread([this] { Work(); });
  }
  void Join() { thread_.join(); }
  static std::size_t NumberOf(std::uint32_t address, std::uint16_t port) {
    return ((address & 0xffff) - 0x100) * kPorts + port - 1024;
  }

  std::vector<std::atomic<std::int64_t>> sent;  // by flow
  std::atomic<bool> done{false};

 private:
  void Work() {
    struct {
      iphdr ip;
      udphdr udp;
      std::uint32_t number;
    } packet = {};
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.tot_len = htons(sizeof(packet));
    packet.ip.protocol = IPPROTO_UDP;
    const sockaddr_in to = At("203.0.113.1", 53);
    packet.ip.daddr = to.sin_addr.s_addr;
    packet.udp.dest = htons(53);
    packet.udp.len = htons(sizeof(packet) - sizeof(packet.ip));
    const TimePoint begin = Now();
    constexpr std::size_t kBurst = 5;
    // Bursts in step with whoever reads each millisecond would all wait equally long.
    std::minstd_rand random(1);
    std::exponential_distribution<double> pause(per_second_ / kBurst);
    double at = 0;
    for (std::size_t i = 0; i < flows_; ++i) {
      if (i % kBurst == 0) {
        at += pause(random);
        SleepUntil(begin + std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * at)));
      }
      packet.ip.saddr = htonl(static_cast<std::uint32_t>(0x0a010100U + i / kPorts));
      packet.udp.source = htons(static_cast<std::uint16_t>(1024 + i % kPorts));
      packet.number = static_cast<std::uint32_t>(i);
      (void)sendto(raw_.get(), &packet, sizeof(packet), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof(to));
      Answer();
    }
    done = true;
  }
  void Answer() {
    std::uint32_t number = 0;
    sockaddr_in from = {};
    socklen_t size = sizeof(from);
    while (recvfrom(server_.get(), &number, sizeof(number), MSG_DONTWAIT,
                    reinterpret_cast<sockaddr*>(&from), &size) == sizeof(number)) {
      if (number < flows_) {
        sent[number] = Now().time_since_epoch().count();
      }
      (void)sendto(server_.get(), &number, sizeof(number), 0,
                   reinterpret_cast<const sockaddr*>(&from), size);
    }
  }

  double per_second_;
  std::size_t flows_;
  UniqueFd raw_;
  UniqueFd server_;
  std::thread thread_;
};

// When the entries of a load were made in B's kernel, by B's own account (nf_conntrack_timestamp),
// on the clock of UdpLoad::sent; 0: not there. A thread that listened would take the processor from
// those that are measured.
inline std::vector<std::int64_t> MadeAt(const Net& net, std::size_t flows) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t ahead =
      std::chrono::nanoseconds(wall).count() - Now().time_since_epoch().count();
  std::unique_ptr<NetlinkSocket> socket =
      net.b.Inside([] { return *NetlinkSocket::Open({.batch = 1}); });
  NetlinkWriter writer(64);
  AppendCtDump(writer, 1);
  Check(socket->Send(writer.bytes()));
  std::vector<std::int64_t> made(flows);
  for (bool done = false; !done;) {
    const std::size_t datagrams = *socket->Receive();
    done = datagrams == 0;
    NetlinkReader reader(datagrams == 0 ? std::span<const std::byte>() : socket->datagram(0));
    for (NetlinkMessage message; reader.Next(&message);) {
      CtMessage entry;
      NfnetlinkHeader header;
      std::span<const std::byte> rest;
      if (ParseCtMessage(message, &entry) != CtRefusal::kNone ||
          !ReadNfnetlinkHeader(message.payload, &header, &rest)) {
        continue;
      }
      const auto v4 = entry.entry.orig.src.v4();
      const std::size_t number = UdpLoad::NumberOf(
          static_cast<std::uint32_t>(v4->octets[2] << 8 | v4->octets[3]), entry.entry.orig.sport);
      AttributeReader attributes(rest);
      for (NetlinkAttribute attribute; attributes.Next(&attribute);) {
        // One attribute inside: CTA_TIMESTAMP_START, nanoseconds since 1970.
        if (attribute.type == CTA_TIMESTAMP && attribute.payload.size() >= 12 && number < flows) {
          made[number] =
              static_cast<std::int64_t>(LoadBe<std::uint64_t>(attribute.payload.data() + 4)) -
              ahead;
        }
      }
    }
  }
  return made;
}

// Connections that are opened and closed at once, by one thread, as evenly as it can.
class TcpLoad {
 public:
  TcpLoad(const Net& net, double per_second, std::size_t count)
      : net_(net), per_second_(per_second), count_(count) {
    listener_ = Socket(net.server, SOCK_STREAM);
    const sockaddr_in at = At("10.2.0.2", 80);
    const int on = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0 ||
        listen(listener_.get(), 4096) != 0) {
      std::perror("listen");
      std::exit(1);
    }
  }
  void Start() {
    thread_ = std::thread([this] { Work(); });
  }
  void Join() { thread_.join(); }
  std::atomic<bool> done{false};

 private:
  void Work() {
    const sockaddr_in to = At("203.0.113.1", 80);
    const TimePoint begin = Now();
    for (std::size_t i = 0; i < count_; ++i) {
      SleepUntil(begin + std::chrono::nanoseconds(static_cast<std::int64_t>(
                             1e9 * static_cast<double>(i) / per_second_)));
      const UniqueFd client = Socket(net_.client, SOCK_STREAM);
      if (connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) {
        const UniqueFd server(accept(listener_.get(), nullptr, nullptr));
      }
    }
    done = true;
  }
  const Net& net_;
  double per_second_;
  std::size_t count_;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace mimi::bench

#endif  // MIMI_BENCH_NETFILTER_BOXES_H_
