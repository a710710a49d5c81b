// What a Put costs the packet thread, and what the pump costs its loop.
//
// A packet thread on one core does about 135 ns of other work per packet, and puts one 64-byte
// record (a 13-byte key), typed; the pump drains on another core, with default options, into a sink
// that copies each batch. `publish.put_ns` is the difference between that loop with and without the
// Put, taken in turns, so that both see the same machine.
//
// Allocations are those of the packet thread, by the counting operator new of bench.h. System calls
// are counted by a seccomp filter on that thread that traps every one of them.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "mimi/publisher.h"
#include "mimi/typed.h"

#include "bench/bench.h"

namespace mimi {
namespace {

struct BenchFlow {
  static constexpr std::string_view kTable = "bench.flow";
  Ipv4 source_ip, target_ip;
  Port source_port, target_port;
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint64_t packets = 0, bytes = 0, first_seen = 0, last_seen = 0, window = 0, cookie = 0;
  std::uint16_t mark = 0;
  std::uint8_t state = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(source_ip)), Key(CEREAL_NVP(target_ip)), Key(CEREAL_NVP(source_port)),
       Key(CEREAL_NVP(target_port)), Key(CEREAL_NVP(protocol)), CEREAL_NVP(packets),
       CEREAL_NVP(bytes), CEREAL_NVP(first_seen), CEREAL_NVP(last_seen), CEREAL_NVP(window),
       CEREAL_NVP(cookie), CEREAL_NVP(mark), CEREAL_NVP(state));
  }
};

// Takes a copy of each batch, and confirms it.
class CopySink final : public StateSink {
 public:
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    if (at_ + batch.bytes().size() > buffer_.size()) {
      at_ = 0;
    }
    std::memcpy(buffer_.data() + at_, batch.bytes().data(), batch.bytes().size());
    at_ += batch.bytes().size();
    records_ += batch.size();
    return ++position_;
  }
  Position confirmed() const override { return position_; }
  std::uint64_t records() const { return records_; }

 private:
  std::vector<std::byte> buffer_ = std::vector<std::byte>(std::size_t{16} << 20);
  std::size_t at_ = 0;
  Position position_ = 0;
  std::uint64_t records_ = 0;
};

void Pin(int cpu) {
  if (std::thread::hardware_concurrency() < 2) {
    return;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  (void)::sched_setaffinity(0, sizeof(set), &set);
}

double ThreadCpuSeconds() {
  timespec time{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// A publisher whose pump runs on a thread of its own, on core 1.
class PumpThread {
 public:
  PumpThread() {
    publisher_ =
        *NewPublisher(StateSchema::Of<BenchFlow>(), OriginOf("bench"), sink_, SystemClock(), {});
    lane_.reset(*publisher_->OpenLane());
    (void)publisher_->SetTerm(1);
    thread_ = std::thread([this] { Loop(); });
  }
  ~PumpThread() { Stop(); }

  Lane& lane() { return *lane_; }

  // After it the counts below stand still.
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  std::uint64_t taken() const { return sink_.records(); }
  double cpu_seconds() const { return cpu_seconds_; }

 private:
  void Loop() {
    Pin(1);
    while (!stop_ || !publisher_->stats().idle()) {
      publisher_->Tick(bench::Now());
      std::this_thread::sleep_until(publisher_->NextDeadline());
    }
    publisher_->Tick(bench::Now());
    cpu_seconds_ = ThreadCpuSeconds();
  }

  CopySink sink_;
  std::unique_ptr<Publisher> publisher_;
  LanePtr lane_;
  std::atomic<bool> stop_ = false;
  double cpu_seconds_ = 0;
  std::thread thread_;
};

// The other work of a packet: a chain of dependent steps, calibrated to about 135 ns.
class Packet {
 public:
  Packet() {
    constexpr int kTrial = 2000000;
    const bench::TimePoint start = bench::Now();
    steps_ = kTrial;
    Work(1);
    steps_ = std::max(1, static_cast<int>(135.0 * kTrial / bench::NanosecondsSince(start)));
  }
  std::uint64_t Work(std::uint64_t seed) {
    for (int i = 0; i < steps_; ++i) {
      seed = (seed ^ (seed >> 29)) * 0x9E3779B97F4A7C15U;
    }
    bench::Keep(seed);
    return seed;
  }

 private:
  int steps_ = 1;
};

BenchFlow FlowOf(std::uint64_t n) {
  BenchFlow flow;
  const auto id = static_cast<std::uint32_t>(n * 2654435761U) % 1000000;
  std::memcpy(flow.source_ip.octets.data(), &id, 4);
  flow.target_ip = Ipv4{{192, 0, 2, 1}};
  flow.source_port = static_cast<std::uint16_t>(id);
  flow.target_port = 443;
  flow.packets = n;
  flow.bytes = n * 100;
  flow.last_seen = n;
  return flow;
}

// Nanoseconds per packet.
double Packets(Packet& packet, std::size_t count, Lane* lane) {
  const bench::TimePoint start = bench::Now();
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = packet.Work(state);
    BenchFlow flow = FlowOf(state);
    if (lane != nullptr) {
      (void)lane->Put(flow);
    } else {
      bench::Keep(flow);
    }
  }
  return bench::NanosecondsSince(start) / static_cast<double>(count);
}

double PutCost(bench::Bench& bench, Packet& packet) {
  PumpThread pump;
  Pin(0);
  std::vector<double> differences;
  for (int turn = 0; turn < 31; ++turn) {
    const std::size_t count = bench.Scale(200000);
    const double without = Packets(packet, count, nullptr);
    differences.push_back(Packets(packet, count, &pump.lane()) - without);
  }
  std::ranges::nth_element(differences, differences.begin() + 15);
  if (pump.lane().lost() > 0 && !bench.smoke()) {
    std::printf("{\"note\": \"publish.put_ns\", \"lost\": %llu}\n",
                static_cast<unsigned long long>(pump.lane().lost()));
  }
  return differences[15];
}

std::atomic<std::uint64_t> system_calls = 0;

// From here on every system call of this thread is trapped, counted and not made, but for the one
// with which it ends. False where the kernel has no seccomp.
bool TrapSystemCalls() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    system_calls.fetch_add(1);
  };
  (void)::sigaction(SIGSYS, &action, nullptr);
  std::array filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

void CountCosts(bench::Bench& bench, Packet& packet) {
  PumpThread pump;
  double allocations = 0;
  bool trapped = false;
  std::thread producer([&] {
    Pin(0);
    trapped = TrapSystemCalls();
    const std::uint64_t first = bench::ThreadAllocationCount();
    (void)Packets(packet, bench.Scale(2000000), &pump.lane());
    allocations = static_cast<double>(bench::ThreadAllocationCount() - first);
    if (trapped) {
      (void)::syscall(SYS_exit, 0);  // without the system calls of an ordinary end
    }
  });
  producer.join();
  bench.Report("publish.put_allocations", "count", {allocations});
  if (trapped) {
    bench.Report("publish.put_syscalls", "count", {static_cast<double>(system_calls.load())});
  }
}

// 5M Puts/s, evenly, for 10 s.
void AtRate(bench::Bench& bench) {
  constexpr std::int64_t kEvery = 200;  // ns
  const std::size_t count = bench.Scale(50000000);
  PumpThread pump;
  Pin(0);
  std::vector<std::uint32_t> histogram(100000);  // ns; the last takes the rest
  const bench::TimePoint start = bench::Now();
  bench::TimePoint now = start;
  for (std::size_t i = 0; i < count; ++i) {
    const bench::TimePoint due =
        start + std::chrono::nanoseconds(static_cast<std::int64_t>(i) * kEvery);
    while (now < due) {
      now = bench::Now();
    }
    const BenchFlow flow = FlowOf(i);
    const bench::TimePoint before = bench::Now();
    (void)pump.lane().Put(flow);
    now = bench::Now();
    const auto took = static_cast<std::size_t>((now - before).count());
    ++histogram[std::min(took, histogram.size() - 1)];
  }
  const double seconds = bench::SecondsSince(start);
  const std::uint64_t lost = pump.lane().lost();
  pump.Stop();
  std::size_t above = count / 1000;
  std::size_t p999 = histogram.size() - 1;
  for (std::size_t seen = 0; p999 > 0 && (seen += histogram[p999]) <= above;) {
    --p999;
  }
  bench.Report("publish.rate", "M/s", {static_cast<double>(count) / seconds / 1e6});
  bench.Report("publish.put_p999_ns", "ns", {static_cast<double>(p999)});
  bench.Report("publish.lost_at_5mps", "count", {static_cast<double>(lost)});
  bench.Report(
      "publish.pump_ns", "ns",
      {pump.cpu_seconds() * 1e9 / static_cast<double>(std::max<std::uint64_t>(pump.taken(), 1))});
  if (pump.taken() + lost != count) {
    bench.Fail("publish: records that were neither sent nor counted as lost");
  }
}

}  // namespace
}  // namespace mimi

void BenchMain(mimi::bench::Bench& bench) {
  mimi::Pin(0);
  mimi::Packet packet;
  bench.Run("publish.put_ns", "ns", [&] { return mimi::PutCost(bench, packet); });
  if (bench.Wants("publish.put_allocations") || bench.Wants("publish.put_syscalls")) {
    mimi::CountCosts(bench, packet);
  }
  if (bench.Wants("publish.put_p999_ns") || bench.Wants("publish.lost_at_5mps") ||
      bench.Wants("publish.pump_ns")) {
    mimi::AtRate(bench);
  }
}
