// A box that is closed to us but for its log: iptables logs connections to netlink (NFLOG), ulogd2
// writes them as lines, logger sends them by syslog over UDP, and the shipped pack `iptables` reads
// them. All of these programs are real.

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/builtin/syslog_driver.h"

#include "tests/driver/two_boxes.h"

namespace mimi::testing {
namespace {

// Listens where the box is: what is open belongs to the namespace in which it was opened.
class InsideDriver final : public Driver {
 public:
  InsideDriver(const NetNamespace& where, std::unique_ptr<SyslogDriver> driver)
      : where_(where), driver_(std::move(driver)) {}
  const StateSchema& schema() const override { return driver_->schema(); }
  absl::Status Start(StateSink& sink) override {
    return where_.Inside([&] { return driver_->Start(sink); });
  }
  absl::Status Resync() override { return driver_->Resync(); }
  void Stop() override { driver_->Stop(); }
  Coverage coverage() const override { return driver_->coverage(); }
  DriverState state() const override { return driver_->state(); }
  void Collect(MetricList& metrics) const override { driver_->Collect(metrics); }
  std::uint16_t port() const { return driver_->port(0); }

 private:
  const NetNamespace& where_;
  std::unique_ptr<SyslogDriver> driver_;
};

absl::StatusOr<std::unique_ptr<Driver>> MakeDriver(Box& box, Loop& loop) {
  SyslogDriverOptions options;
  options.listen = {{SyslogTransport::kUdp, "127.0.0.1", 0}};
  options.allow = {"127.0.0.1"};
  options.packs = {"iptables"};
  options.pack_directory = MIMI_TEST_PACKS;
  absl::StatusOr<std::unique_ptr<SyslogDriver>> driver = NewSyslogDriver(options, loop);
  if (!driver.ok()) {
    return driver.status();
  }
  return std::make_unique<InsideDriver>(*box.space, *std::move(driver));
}

// What the operator adds to the box: a rule for begins that names the backend, one for ends.
void LogByIptables(const NetNamespace& box, const std::string& backend) {
  const std::string rule = "iptables -t mangle -A PREROUTING -d 203.0.113.1 ";
  const std::string log = " -j NFLOG --nflog-group 5 --nflog-prefix ";
  box.Run(rule + "-p tcp --syn" + log + "'mimi:" + backend + " ';" +  //
          rule + "-p tcp --tcp-flags FIN FIN" + log + "'mimi-end ';" + rule +
          "-p tcp --tcp-flags RST RST" + log + "'mimi-end ';" + rule +
          "-p udp -m conntrack --ctstate NEW" + log + "'mimi:" + backend + " '");
}

// ulogd's lines go through a pipe to logger, which sends them.
struct LogChain {
  LogChain(const NetNamespace& box, const TemporaryDirectory& directory, std::uint16_t port) {
    const std::string lines = directory.Join("lines");
    REQUIRE(mkfifo(lines.c_str(), 0600) == 0);
    const std::string configuration = directory.Join("ulogd.conf");
    std::ofstream(configuration)
        << "[global]\nlogfile=\"" << directory.Join("ulogd.log") << "\"\n"
        << "stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU\n"
        << "[log1]\ngroup=5\n[emu1]\nfile=\"" << lines << "\"\nsync=1\n";
    sender = box.Spawn({"sh", "-c",
                        "exec logger --udp --server 127.0.0.1 --port " + std::to_string(port) +
                            " --tag ulogd < " + lines});
    ulogd = box.Spawn({"/usr/sbin/ulogd", "-c", configuration});
  }
  Process sender;
  Process ulogd;
};

// Addresses of clients stay as they are at both boxes, so answers have to find their way back.
void NoMasquerade(World& world) {
  for (Box* box : {&world.a, &world.b}) {
    box->space->Run("nft flush chain inet nat post");
  }
}
void AnswerThrough(World& world, const std::string& box) {
  world.server.Run("ip route replace 10.1.0.0/24 via 10.2.0.1 dev s_" + box + " onlink");
}

TEST_CASE("syslog: a connection logged by iptables and ulogd2 goes on at another box") {
  World world(MakeDriver);
  NoMasquerade(world);
  AnswerThrough(world, "a");
  LogByIptables(*world.a.space, "10.2.0.2");
  auto& driver = static_cast<InsideDriver&>(*world.a.driver);
  world.Until("the driver listens", [&] { return driver.port() != 0; });
  const LogChain chain(*world.a.space, world.directory, driver.port());
  world.Listen(80);
  world.Until("B is warm", [&] { return world.b.minion->state().healthy; });
  world.Until("ulogd listens", [&] {
    return world.a.space->Run("cat /proc/net/netfilter/nfnetlink_log").find(" 5 ") !=
           std::string::npos;
  });
  const Traffic echo = world.Open("203.0.113.1", 80);
  const Traffic download = world.Open("203.0.113.1", 80);
  const Traffic upload = world.Open("203.0.113.1", 80);
  const Traffic ends = world.Open("203.0.113.1", 80);
  for (const Traffic* traffic : {&echo, &download, &upload, &ends}) {
    CHECK(traffic->backend == '2');
    CHECK(world.Echoes(*traffic, "hello"));
  }
  world.Until("rows at B", [&] { return world.RowsAt(world.b) == 4; });
  shutdown(ends.client.get(), SHUT_WR);
  world.Until("an end at B", [&] { return world.RowsAt(world.b) == 3; });

  Bulk down(download.server.get(), download.client.get());
  Bulk up(upload.client.get(), upload.server.get());
  const auto pump = [&](std::size_t more) {
    const std::size_t down_to = down.received() + more;
    const std::size_t up_to = up.received() + more;
    world.Until("bulk", [&] {
      down.Step();
      up.Step();
      return down.received() >= down_to && up.received() >= up_to;
    });
  };
  pump(300'000);
  world.PrimaryIsDown();
  AnswerThrough(world, "b");
  CHECK(world.Echoes(echo, "over there"));
  pump(300'000);
  const Traffic born_at_b = world.Open("203.0.113.1", 80);
  CHECK(born_at_b.backend == '3');  // B's own rule: the others went on by what the log said
  CHECK(down.wrong() == 0);
  CHECK(up.wrong() == 0);
  CHECK(driver.state().lost == 0);
  CHECK(driver.state().refused == 0);
}

}  // namespace
}  // namespace mimi::testing
