#include "src/io/netlink_socket.h"

#include <linux/netlink.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "src/io/network_namespace.h"
#include "src/wire/ctnetlink.h"
#include "tests/support/net_namespace.h"

namespace mimi {
namespace {

struct Answers {
  std::vector<CtMessage> entries;
  std::vector<int> errors;
};

// Everything that arrives until `acks` requests were answered.
Answers ReadUntil(NetlinkSocket& socket, std::size_t acks) {
  Answers answers;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (answers.errors.size() < acks && std::chrono::steady_clock::now() < end) {
    const auto count = socket.Receive();
    REQUIRE(count.ok());
    for (std::size_t i = 0; i < *count; ++i) {
      NetlinkReader reader(socket.datagram(i));
      for (NetlinkMessage message; reader.Next(&message);) {
        NetlinkError error;
        CtMessage entry;
        if (ParseNetlinkError(message, &error)) {
          answers.errors.push_back(error.error);
        } else if (ParseCtMessage(message, &entry) == CtRefusal::kNone) {
          answers.entries.push_back(entry);
        }
      }
    }
  }
  REQUIRE(answers.errors.size() == acks);
  return answers;
}

Flow BalancedFlow() {
  Flow flow;
  flow.protocol = IpProtocol::kTcp;
  flow.orig_src = *Ip::Parse("198.51.100.7");
  flow.orig_sport = 40000;
  flow.orig_dst = *Ip::Parse("203.0.113.1");
  flow.orig_dport = 443;
  flow.reply_src = *Ip::Parse("10.0.0.5");
  flow.reply_sport = 8443;
  flow.reply_dst = *Ip::Parse("10.0.0.1");
  flow.reply_dport = 50123;
  flow.state = FlowState::kEstablished;
  flow.mark = 5;
  return flow;
}

TEST_CASE("netlink socket: the kernel takes our entries, translates them, and shows them again") {
  const testing::NetNamespace box;
  box.Nft(
      "table ip nat { chain pre { type nat hook prerouting priority dstnat; ct state new; }; }");
  std::unique_ptr<NetlinkSocket> socket = box.Inside([] { return *NetlinkSocket::Open({}); });
  CHECK(socket->port_id() != 0);
  CHECK(socket->receive_buffer() >= std::size_t{8} << 20);  // root may go beyond rmem_max

  NetlinkWriter writer;
  CtEntry entry = CtFromFlow(BalancedFlow());
  entry.timeout = 600;
  entry.present |= kCtTimeout;
  AppendCtCreate(writer, entry, 1, NLM_F_ACK);
  AppendCtCreate(writer, entry, 2, NLM_F_ACK);  // it is there
  AppendCtDump(writer, 3);
  REQUIRE(socket->Send(writer.bytes()).ok());
  const Answers made = ReadUntil(*socket, 3);
  CHECK(made.errors == std::vector<int>{0, EEXIST, 0});
  REQUIRE(made.entries.size() == 1);
  const CtEntry held = made.entries[0].entry;
  CHECK(SameTranslation(held, entry));
  CHECK((held.status & (kIpsSourceNat | kIpsDestinationNat)) ==
        (kIpsSourceNat | kIpsDestinationNat));
  CHECK(held.protocol_state == 3);
  CHECK(held.mark == 5);

  writer.Clear();
  entry.timeout = 30;
  entry.protocol_state = 7;
  AppendCtUpdate(writer, entry, kCtTimeout | kCtProtocolState, 4, NLM_F_ACK);
  AppendCtDelete(writer, entry.orig, 0, held.id + 1, 5, NLM_F_ACK);
  AppendCtDelete(writer, entry.orig, 0, held.id, 6, NLM_F_ACK);
  REQUIRE(socket->Send(writer.bytes()).ok());
  CHECK(ReadUntil(*socket, 3).errors == std::vector<int>{0, ENOENT, 0});
}

TEST_CASE("netlink socket: events beyond a tiny buffer are counted as lost") {
  const testing::NetNamespace box;
  std::unique_ptr<NetlinkSocket> events =
      box.Inside([] { return *NetlinkSocket::Open({.receive_buffer = 1, .groups = {1}}); });
  std::unique_ptr<NetlinkSocket> requests = box.Inside([] { return *NetlinkSocket::Open({}); });
  NetlinkWriter writer;
  CtEntry entry = CtFromFlow(BalancedFlow());
  entry.timeout = 600;
  entry.present |= kCtTimeout;
  for (std::uint16_t port = 1; port <= 200; ++port) {
    entry.orig.sport = port;
    entry.reply.dport = port;
    AppendCtCreate(writer, entry, port);
  }
  REQUIRE(requests->Send(writer.bytes()).ok());
  REQUIRE(events->Receive().ok());
  while (*events->Receive() > 0) {}
  CHECK(events->overruns() >= 1);
}

TEST_CASE("network namespace: one that is not there, or a program that fails, is said by name") {
  CHECK(NetworkNamespace::Open("no such name").status().code() == absl::StatusCode::kNotFound);
  const testing::NetNamespace box;
  const auto inside = NetworkNamespace::Open(box.path());
  REQUIRE(inside.ok());
  CHECK(*inside->RunProgram({"cat"}, "words") == "words");
  CHECK(inside->RunProgram({"nft", "-f", "-"}, "nonsense here").status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(inside->RunProgram({"/no/such/program"}, "").status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace mimi
