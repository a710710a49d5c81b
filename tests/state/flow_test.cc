#include "mimi/flow.h"

#include <cstddef>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"

namespace mimi {
namespace {

TEST_CASE("flow: the schema has the sizes that the header states") {
  CHECK(FlowSchema().name() == "mimi.flow");
  CHECK(FlowSchema().row_size() == 98);
  CHECK(FlowSchema().key_size() == 39);
  CHECK(FlowSchema().FindField("state")->soft);
  CHECK_FALSE(FlowSchema().FindField("mark")->soft);
  CHECK_FALSE(FlowSchema().FindField("reply_src")->soft);
}

TEST_CASE("flow: a row keeps both tuples") {
  Flow flow;
  flow.zone = 3;
  flow.protocol = IpProtocol::kTcp;
  flow.orig_src = *Ip::Parse("198.51.100.7");
  flow.orig_sport = 40000;
  flow.orig_dst = *Ip::Parse("203.0.113.1");
  flow.orig_dport = 443;
  flow.reply_src = *Ip::Parse("2001:db8::5");
  flow.reply_sport = 8443;
  flow.reply_dst = flow.orig_src;
  flow.reply_dport = flow.orig_sport;
  flow.state = FlowState::kEstablished;
  flow.idle_timeout = std::chrono::minutes(5);
  flow.proto_orig = TcpMemory(0x0b, 7);
  std::vector<std::byte> row(FlowSchema().row_size());
  REQUIRE(EncodeRow(flow, row));
  CHECK(FlowSchema().CheckRow(row).ok());
  Flow back;
  REQUIRE(DecodeRow(row, &back));
  CHECK(back == flow);
  CHECK(TcpFlags(back.proto_orig) == 0x0b);
  CHECK(TcpWindowScale(back.proto_orig) == 7);
}

TEST_CASE("flow: an ICMP request's type and code stand in the destination port") {
  CHECK(IcmpPort(8, 0).value == 0x0800);
  CHECK(IcmpPort(128, 1).value == 0x8001);
}

}  // namespace
}  // namespace mimi
