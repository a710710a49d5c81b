// The minion in namespaces of its own: the contract, and what it does to the kernel's table.

#include "mimi/builtin/netfilter_minion.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/contract/minion_contract.h"
#include "mimi/flow.h"

#include "src/base/status.h"
#include "tests/store/temporary_directory.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {
namespace {

Ip Address(std::uint32_t number) {
  return Ipv4{{10, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
               static_cast<std::uint8_t>(number)}};
}

Flow LoadBalanced(std::uint32_t client, std::uint32_t backend) {
  Flow flow;
  flow.protocol = IpProtocol::kTcp;
  flow.orig_src = Address(client);
  flow.orig_sport = static_cast<std::uint16_t>(1024 + client % 50'000);
  flow.orig_dst = *Ip::Parse("203.0.113.1");
  flow.orig_dport = 443;
  flow.reply_src =
      Ipv4{{172, 16, static_cast<std::uint8_t>(backend >> 8), static_cast<std::uint8_t>(backend)}};
  flow.reply_sport = 8443;
  flow.reply_dst = flow.orig_src;
  flow.reply_dport = flow.orig_sport;
  flow.state = FlowState::kEstablished;
  return flow;
}

std::vector<std::byte> RowOf(const Flow& flow) {
  std::vector<std::byte> row(FlowSchema().row_size());
  REQUIRE(EncodeRow(flow, row));
  return row;
}

class NetfilterMinionUnderTest : public contract::MinionUnderTest {
 public:
  explicit NetfilterMinionUnderTest(std::size_t max_rows = 0) {
    absl::StatusOr<std::unique_ptr<NetfilterMinion>> minion =
        NewNetfilterMinion({.pair = "test",
                            .network_namespace = box.path(),
                            .state_directory = directory.Join("state"),
                            .max_rows = max_rows},
                           *loop_);
    REQUIRE_MESSAGE(minion.ok(), minion.status().ToString());
    minion_ = *std::move(minion);
  }
  Loop& loop() override { return *loop_; }
  Minion& minion() override { return *minion_; }
  std::vector<std::byte> Row(std::uint32_t id, std::uint32_t generation) override {
    Flow flow = LoadBalanced(id, generation);
    flow.mark = generation;
    return RowOf(flow);
  }

  NetNamespace box;
  TemporaryDirectory directory;

 private:
  std::unique_ptr<Loop> loop_ = *NewEpollLoop();
  std::unique_ptr<NetfilterMinion> minion_;
};

class SmallNetfilterMinion : public NetfilterMinionUnderTest {
 public:
  SmallNetfilterMinion() : NetfilterMinionUnderTest(300) {}
  std::optional<std::size_t> capacity() override { return 300; }
};

MIMI_MINION_CONTRACT("netfilter minion", [] { return std::make_unique<SmallNetfilterMinion>(); })

// A minion whose kernel table can be looked at.
struct Rig {
  Rig() : bench([this] { return Make(); }) {}
  std::unique_ptr<contract::MinionUnderTest> Make() {
    auto made = std::make_unique<NetfilterMinionUnderTest>();
    under_test = made.get();
    return made;
  }
  void Apply(const std::vector<Flow>& puts, const std::vector<Flow>& erases = {}) {
    BatchBuilder builder(FlowSchema(), 1);
    for (const Flow& flow : erases) {
      std::vector<std::byte> key(FlowSchema().key_size());
      REQUIRE(EncodeKey(flow, key));
      REQUIRE(builder.Erase(key));
    }
    for (const Flow& flow : puts) {
      REQUIRE(builder.Put(RowOf(flow)));
    }
    const absl::Status status = bench.Apply(builder.Seal(1, 1, UnixTime(Duration(1))));
    REQUIRE_MESSAGE(status.ok(), status.ToString());
  }
  std::string Kernel(const std::string& what = "-L") const {
    return under_test->box.Run("conntrack " + what + " 2>/dev/null || true");
  }
  bool Has(const std::string& words) const { return Kernel().find(words) != std::string::npos; }

  NetfilterMinionUnderTest* under_test = nullptr;
  contract::MinionBench bench;
};

TEST_CASE("netfilter minion: a row is an assured entry that is translated and lasts") {
  Rig rig;
  rig.Apply({LoadBalanced(7, 5)});
  const std::string entry = rig.Kernel();
  INFO(entry);
  CHECK(entry.find("ESTABLISHED src=10.0.0.7 dst=203.0.113.1 sport=1031 dport=443 "
                   "src=172.16.0.5 dst=10.0.0.7 sport=8443 dport=1031 [ASSURED]") !=
        std::string::npos);
  CHECK(entry.find(" 6047") != std::string::npos);  // seconds: a week
}

TEST_CASE("netfilter minion: the end of a TCP flow demotes it, and it can come back") {
  Rig rig;
  rig.Apply({LoadBalanced(7, 5)});
  rig.Apply({}, {LoadBalanced(7, 5)});
  CHECK(rig.Has("TIME_WAIT src=10.0.0.7"));
  CHECK(rig.bench.Audit()->empty());
  CHECK(rig.bench.minion.state().rows == 0);
  rig.Apply({LoadBalanced(7, 6)});
  CHECK(rig.Has("ESTABLISHED src=10.0.0.7 dst=203.0.113.1 sport=1031 dport=443 src=172.16.0.6"));
  CHECK(rig.bench.minion.state().refused == 0);

  Flow closing = LoadBalanced(7, 6);
  closing.state = FlowState::kFinWait;
  rig.Apply({closing});
  CHECK(rig.Has("TIME_WAIT src=10.0.0.7"));
}

TEST_CASE("netfilter minion: a tuple is freed for a newer row, unless its flow has traffic here") {
  Rig rig;
  Flow first = LoadBalanced(7, 5);
  first.reply_dst = *Ip::Parse("192.0.2.1");
  first.reply_dport = 5000;
  Flow second = LoadBalanced(8, 5);
  second.reply_dst = first.reply_dst;
  second.reply_dport = first.reply_dport;
  rig.Apply({first});
  rig.Apply({second});  // before the end of the first, which the other box has had already
  CHECK(rig.Has("src=10.0.0.8"));
  CHECK(!rig.Has("src=10.0.0.7"));
  CHECK(rig.bench.minion.state().rows == 1);
  rig.Apply({}, {first});
  CHECK(rig.Has("ESTABLISHED src=10.0.0.8"));
  CHECK(rig.bench.minion.state().refused == 0);

  REQUIRE(rig.bench.Do(&Minion::Activate).ok());
  rig.Kernel("-U -p tcp --orig-src 10.0.0.8 --timeout 100");  // as a packet would
  rig.Apply({first});
  CHECK(rig.bench.minion.state().refused == 1);
  CHECK(rig.Has("ESTABLISHED src=10.0.0.8"));
  CHECK(!rig.Has("src=10.0.0.7"));
  rig.Apply({first}, {second});
  CHECK(rig.Has("ESTABLISHED src=10.0.0.8"));  // it has traffic here, whatever the other box says
}

TEST_CASE("netfilter minion: every protocol and kind of translation, and zones") {
  Rig rig;
  std::vector<Flow> flows;
  Flow flow = LoadBalanced(1, 1);
  flow.protocol = IpProtocol::kUdp;
  flows.push_back(flow);  // destination
  flow.zone = 7;
  flows.push_back(flow);
  flow = LoadBalanced(2, 1);
  flow.protocol = IpProtocol::kSctp;
  flow.proto_orig = 0xabc;
  flow.proto_reply = 0xdef;
  flows.push_back(flow);
  flow = LoadBalanced(3, 1);
  flow.reply_dst = *Ip::Parse("192.0.2.1");
  flow.reply_dport = 1025;
  flows.push_back(flow);  // both
  flow.orig_sport = 1;
  flow.reply_src = flow.orig_dst;
  flow.reply_sport = flow.orig_dport;
  flow.reply_dport = 1026;
  flows.push_back(flow);  // source
  flow = LoadBalanced(4, 1);
  flow.reply_src = flow.orig_dst;
  flow.reply_sport = flow.orig_dport;
  flows.push_back(flow);  // none: a plain firewall
  flow.orig_src = *Ip::Parse("2001:db8::7");
  flow.orig_dst = *Ip::Parse("2001:db8:1::1");
  flow.reply_src = *Ip::Parse("fd00::5");
  flow.reply_dst = flow.orig_src;
  flows.push_back(flow);
  flow = Flow();
  flow.protocol = IpProtocol::kIcmp;
  flow.orig_src = Address(9);
  flow.orig_sport = 77;
  flow.orig_dst = *Ip::Parse("203.0.113.1");
  flow.orig_dport = IcmpPort(8, 0);
  flow.reply_src = *Ip::Parse("172.16.0.1");
  flow.reply_sport = 78;
  flow.reply_dst = *Ip::Parse("192.0.2.1");
  flow.reply_dport = IcmpPort(0, 0);
  flow.state = FlowState::kEstablished;
  flows.push_back(flow);

  rig.Apply(flows);
  contract::MinionBench::Rows expected;
  for (const Flow& one : flows) {
    const std::string row = rig.bench.Visible(RowOf(one));
    expected[row.substr(0, FlowSchema().key_size())] = row;
  }
  INFO(rig.Kernel());
  rig.bench.CheckHolds(expected);
  rig.Apply({}, flows);
  rig.bench.CheckHolds({});
}

TEST_CASE("netfilter minion: what others did to the table is put right") {
  Rig rig;
  rig.Apply({LoadBalanced(7, 5), LoadBalanced(8, 5)});
  rig.Kernel("-F");
  rig.Apply({LoadBalanced(7, 5)});  // an update, as far as the minion knows
  CHECK(rig.Has("src=10.0.0.7"));
  rig.under_test->box.Run(
      "conntrack -D -s 10.0.0.7 2>/dev/null; conntrack -I -p tcp -s 10.0.0.9 -d 203.0.113.1 "
      "--sport 1033 --dport 443 --timeout 60 --state ESTABLISHED -u SEEN_REPLY,ASSURED "
      "2>/dev/null");
  rig.Apply({LoadBalanced(9, 5)});  // there already, without translation
  CHECK(rig.Has("src=172.16.0.5 dst=10.0.0.9"));
  CHECK(rig.bench.minion.state().refused == 0);
}

TEST_CASE("netfilter minion: nothing is gone after its end, and a new one goes on") {
  NetNamespace box;
  TemporaryDirectory directory;
  const std::unique_ptr<Loop> loop = *NewEpollLoop();
  const NetfilterMinionOptions options = {
      .pair = "test", .network_namespace = box.path(), .state_directory = directory.Join("state")};
  CHECK(absl::IsNotFound(RemoveNetfilterMinion(options)));
  for (int life = 0; life < 2; ++life) {
    std::unique_ptr<NetfilterMinion> minion = *NewNetfilterMinion(options, *loop);
    std::optional<absl::Status> warm;
    minion->Warm([&](const absl::Status& status) { warm = status; });
    while (!warm.has_value()) {
      loop->RunOnce();
    }
    REQUIRE_MESSAGE(warm->ok(), warm->ToString());
    BatchBuilder builder(FlowSchema(), 1);
    REQUIRE(builder.Put(RowOf(LoadBalanced(7, static_cast<std::uint32_t>(5 + life)))));
    REQUIRE(minion->Apply(builder.Seal(1, 1, UnixTime(Duration(1)))).ok());
    minion.reset();
    CHECK(box.Run("conntrack -L 2>/dev/null").find("src=172.16.0." + std::to_string(5 + life)) !=
          std::string::npos);
    const absl::StatusOr<std::vector<NetfilterCheck>> checks = CheckNetfilterMinion(options);
    REQUIRE(checks.ok());
    for (const NetfilterCheck& check : *checks) {
      CHECK_MESSAGE(check.good, check.what);
    }
  }
  box.Run("conntrack -U -p tcp -s 10.0.0.7 --timeout 100 2>/dev/null");  // as traffic does
  const absl::Status refused = RemoveNetfilterMinion(options);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(refused).find("1 flows") == 0);
  CHECK(RemoveNetfilterMinion(options, true).ok());
  CHECK(box.Run("nft list tables").empty());
  CHECK(box.Sysctl("net/netfilter/nf_conntrack_tcp_loose") == "1");
}

}  // namespace
}  // namespace mimi::testing
