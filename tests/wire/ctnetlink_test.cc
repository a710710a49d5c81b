#include "src/wire/ctnetlink.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "tests/wire/conntrack_events.h"

namespace mimi {
namespace {

CtEntry TcpEntry() {
  CtEntry entry;
  entry.present = kCtOrig | kCtReply | kCtId | kCtStatus | kCtTimeout | kCtMark | kCtProtocolState;
  entry.orig = {*Ip::Parse("198.51.100.7"), *Ip::Parse("203.0.113.1"), 40000, 443, 6};
  entry.reply = {*Ip::Parse("10.0.0.5"), *Ip::Parse("10.0.0.1"), 8443, 50123, 6};
  entry.id = 0xdeadbeef;
  entry.zone = 9;
  entry.status = kIpsConfirmed | kIpsAssured | kIpsSeenReply;
  entry.timeout = 432000;
  entry.mark = 0x10000007;
  entry.protocol_state = 3;
  entry.tcp_orig = {7, 0x23};
  entry.tcp_reply = {9, 0x03};
  return entry;
}

CtEntry Entry(const char* src, const char* dst, std::uint8_t protocol) {
  CtEntry entry;
  entry.present = kCtOrig | kCtReply | kCtStatus | kCtTimeout;
  entry.orig = {*Ip::Parse(src), *Ip::Parse(dst), 1000, 2000, protocol};
  entry.reply = entry.orig.Inverse();
  entry.status = kIpsConfirmed;
  entry.timeout = 30;
  return entry;
}

std::vector<std::byte> Sent(const CtMessage& message) {
  NetlinkWriter writer;
  AppendCtMessage(writer, message);
  return {writer.bytes().begin(), writer.bytes().end()};
}

CtRefusal Parse(std::span<const std::byte> bytes, CtMessage* out) {
  NetlinkReader reader(bytes);
  NetlinkMessage message;
  return reader.Next(&message) ? ParseCtMessage(message, out) : CtRefusal::kTruncated;
}

TEST_CASE("ctnetlink: what is written is read back, for every kind, family and protocol") {
  std::vector<CtEntry> entries = {TcpEntry()};
  for (const int protocol : {1, 6, 17, 47, 132}) {
    entries.push_back(Entry("192.0.2.1", "192.0.2.2", static_cast<std::uint8_t>(protocol)));
  }
  for (const int protocol : {6, 17, 58, 132}) {
    entries.push_back(Entry("2001:db8::1", "2001:db8::2", static_cast<std::uint8_t>(protocol)));
  }
  entries.push_back(Entry("192.0.2.1", "192.0.2.2", 132));
  entries.back().present |=
      kCtProtocolState | kCtHelper | kCtMaster | kCtSequenceAdjustment | kCtSynproxy;
  entries.back().protocol_state = kSctpEstablished;
  entries.back().sctp_tag_orig = 0x11223344;
  entries.back().sctp_tag_reply = 0x55667788;
  for (const CtEntry& entry : entries) {
    for (const CtKind kind : {CtKind::kNew, CtKind::kUpdate, CtKind::kDestroy}) {
      CtMessage read;
      REQUIRE(Parse(Sent({kind, 4711, 0, false, entry}), &read) == CtRefusal::kNone);
      CHECK(read.kind == kind);
      CHECK(read.port_id == 4711);
      CHECK(read.entry == entry);
    }
    CtMessage read;
    REQUIRE(Parse(Sent({CtKind::kNew, 1, 12, true, entry}), &read) == CtRefusal::kNone);
    CHECK(read.kind == CtKind::kNew);
    CHECK(read.dumped);
    CHECK(read.sequence == 12);
  }
}

TEST_CASE("ctnetlink: the events of a real kernel are understood") {
  CtMessage event;
  REQUIRE(Parse(std::as_bytes(std::span(testing::kNewEvent)), &event) == CtRefusal::kNone);
  CHECK(event.kind == CtKind::kNew);
  CHECK(event.entry.has(kCtOrig | kCtReply | kCtId | kCtStatus | kCtTimeout | kCtProtocolState));
  CHECK(event.entry.orig.src == *Ip::Parse("127.0.0.1"));
  CHECK(event.entry.orig.dport == 5001);
  CHECK(event.entry.reply == event.entry.orig.Inverse());
  CHECK(event.entry.protocol_state == 1);
  CHECK(event.entry.timeout == 120);
  const std::uint32_t id = event.entry.id;

  REQUIRE(Parse(std::as_bytes(std::span(testing::kAssuredEvent)), &event) == CtRefusal::kNone);
  CHECK(event.kind == CtKind::kUpdate);
  CHECK(event.port_id == 0);
  CHECK(event.entry.id == id);
  CHECK((event.entry.status & kIpsAssured) != 0);
  CHECK(event.entry.protocol_state == 3);
  CHECK(event.entry.tcp_orig.window_scale == 10);
  CHECK(event.entry.tcp_reply.flags == 0x23);

  REQUIRE(Parse(std::as_bytes(std::span(testing::kClosingEvent)), &event) == CtRefusal::kNone);
  CHECK(event.kind == CtKind::kUpdate);
  CHECK(event.entry.mark == 0x10000000);

  REQUIRE(Parse(std::as_bytes(std::span(testing::kDestroyEvent)), &event) == CtRefusal::kNone);
  CHECK(event.kind == CtKind::kDestroy);
  CHECK(event.port_id != 0);
  CHECK(event.entry.id == id);
  CHECK(event.entry.protocol_state == 7);
}

TEST_CASE(
    "ctnetlink: a message cut at any byte is refused, and so is one whose inner lengths lie") {
  const std::vector<std::byte> whole = Sent({CtKind::kUpdate, 0, 0, false, TcpEntry()});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // Cut, and the outer length set right, so that only attributes can tell.
    std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CtMessage event;
    CHECK(Parse(cut, &event) != CtRefusal::kNone);
    if (size >= kNetlinkHeaderSize) {
      internal::Store<std::endian::native>(cut.data(), static_cast<std::uint32_t>(size));
      const CtRefusal refusal = Parse(cut, &event);
      // Only where a top-level attribute ends by chance there is nothing to notice.
      if (refusal == CtRefusal::kNone) {
        CHECK(event.entry.has(kCtOrig));
      }
    }
  }
  std::size_t refused = 0;
  for (std::size_t at = kNetlinkHeaderSize + kNfnetlinkHeaderSize; at < whole.size(); ++at) {
    std::vector<std::byte> bent = whole;
    bent[at] = std::byte{0xff};
    CtMessage event;
    refused += Parse(bent, &event) != CtRefusal::kNone ? 1U : 0U;
  }
  CHECK(refused > 50);
}

TEST_CASE("ctnetlink: other subsystems' messages and wrong sizes have their reasons") {
  CtMessage event;
  NetlinkWriter writer;
  writer.Begin(0x0400, 0, 0);
  writer.End();
  CHECK(Parse(writer.bytes(), &event) == CtRefusal::kNotConntrack);
  writer.Clear();
  writer.Begin(0x0100, 0, 0);
  writer.End();
  CHECK(Parse(writer.bytes(), &event) == CtRefusal::kTruncated);
  writer.Clear();
  writer.Begin(0x0100, 0, 0);
  AppendNfnetlinkHeader(writer, {});
  writer.PutBe16(CTA_MARK, 1);
  writer.End();
  CHECK(Parse(writer.bytes(), &event) == CtRefusal::kBadAttribute);
  writer.Clear();
  writer.Begin(0x0100, 0, 0);
  AppendNfnetlinkHeader(writer, {});
  writer.End();
  CHECK(Parse(writer.bytes(), &event) == CtRefusal::kNoTuple);
  CHECK(CtRefusalName(CtRefusal::kNoTuple) == "no_tuple");
}

// The attributes of the first message, by type; nested ones by the path of types.
std::span<const std::byte> Find(std::span<const std::byte> message,
                                std::vector<std::uint16_t> path) {
  NetlinkReader reader(message);
  NetlinkMessage first;
  REQUIRE(reader.Next(&first));
  std::span<const std::byte> at = first.payload.subspan(kNfnetlinkHeaderSize);
  for (const std::uint16_t type : path) {
    AttributeReader attributes(at);
    NetlinkAttribute attribute;
    bool found = false;
    while (!found && attributes.Next(&attribute)) {
      found = attribute.type == type;
    }
    if (!found) {
      return {};
    }
    at = attribute.payload;
  }
  return at;
}

TEST_CASE("ctnetlink: a create sends the plain inverse as reply, and the translation apart") {
  NetlinkWriter writer;
  AppendCtCreate(writer, TcpEntry(), 1);
  CtMessage request;
  REQUIRE(Parse(writer.bytes(), &request) == CtRefusal::kNone);
  CHECK(request.entry.orig == TcpEntry().orig);
  CHECK(request.entry.reply == TcpEntry().orig.Inverse());
  CHECK(request.entry.zone == 9);
  const auto min_to = Find(writer.bytes(), {CTA_NAT_DST, CTA_NAT_V4_MINIP});
  const auto max_to = Find(writer.bytes(), {CTA_NAT_DST, CTA_NAT_V4_MAXIP});
  REQUIRE(min_to.size() == 4);
  CHECK(LoadBe<std::uint32_t>(min_to.data()) == 0x0a000005);
  CHECK(LoadBe<std::uint32_t>(max_to.data()) == 0x0a000005);
  const auto port = Find(writer.bytes(), {CTA_NAT_SRC, CTA_NAT_PROTO, CTA_PROTONAT_PORT_MIN});
  REQUIRE(port.size() == 2);
  CHECK(LoadBe<std::uint16_t>(port.data()) == 50123);
}

TEST_CASE("ctnetlink: both halves of a translation are said, also where nothing is translated") {
  NetlinkWriter writer;
  CtEntry entry = Entry("2001:db8::1", "2001:db8::2", 17);
  AppendCtCreate(writer, entry, 1);
  const auto source = Find(writer.bytes(), {CTA_NAT_SRC, CTA_NAT_V6_MINIP});
  REQUIRE(source.size() == 16);
  CHECK(source.back() == std::byte{1});
  const auto port = Find(writer.bytes(), {CTA_NAT_SRC, CTA_NAT_PROTO, CTA_PROTONAT_PORT_MIN});
  REQUIRE(port.size() == 2);
  CHECK(LoadBe<std::uint16_t>(port.data()) == entry.orig.sport);
  const auto destination = Find(writer.bytes(), {CTA_NAT_DST, CTA_NAT_V6_MAXIP});
  REQUIRE(destination.size() == 16);
  CHECK(destination.back() == std::byte{2});
  writer.Clear();
  entry.reply.dport = 3333;  // masquerade
  AppendCtCreate(writer, entry, 1);
  CHECK(LoadBe<std::uint16_t>(
            Find(writer.bytes(), {CTA_NAT_SRC, CTA_NAT_PROTO, CTA_PROTONAT_PORT_MAX}).data()) ==
        3333);
  writer.Clear();
  entry = Entry("192.0.2.1", "192.0.2.2", 1);
  entry.orig.dport = 8 << 8;
  entry.reply = entry.orig.Inverse();
  CHECK(entry.reply.dport == 0);
  CHECK(entry.reply.sport == 1000);
  entry.reply.sport = 77;  // the identifier that the responder sees
  AppendCtCreate(writer, entry, 1);
  const auto id = Find(writer.bytes(), {CTA_NAT_SRC, CTA_NAT_PROTO, CTA_PROTONAT_PORT_MIN});
  REQUIRE(id.size() == 2);
  CHECK(LoadBe<std::uint16_t>(id.data()) == 77);
  CHECK(Find(writer.bytes(), {CTA_NAT_DST, CTA_NAT_PROTO}).empty());
}

TEST_CASE("ctnetlink: an update sends what is asked for and nothing else; a delete its id if any") {
  NetlinkWriter writer;
  AppendCtUpdate(writer, TcpEntry(), kCtTimeout, 1);
  CtMessage request;
  REQUIRE(Parse(writer.bytes(), &request) == CtRefusal::kNone);
  CHECK(request.entry.present == (kCtOrig | kCtTimeout));
  CHECK(request.entry.timeout == 432000);
  writer.Clear();
  AppendCtDelete(writer, TcpEntry().orig, 9, 0xdeadbeef, 2);
  REQUIRE(Parse(writer.bytes(), &request) == CtRefusal::kNone);
  CHECK(request.kind == CtKind::kDestroy);
  CHECK(request.entry.id == 0xdeadbeef);
  CHECK(request.entry.zone == 9);
  writer.Clear();
  AppendCtDelete(writer, TcpEntry().orig, 0, std::nullopt, 2);
  REQUIRE(Parse(writer.bytes(), &request) == CtRefusal::kNone);
  CHECK_FALSE(request.entry.has(kCtId));
}

TEST_CASE("ctnetlink: an entry becomes a flow, and the flow the entry that carries it on") {
  const Flow flow = FlowFromCt(TcpEntry(), ~0x10000000U);
  CHECK(flow.zone == 9);
  CHECK(flow.protocol == IpProtocol::kTcp);
  CHECK(flow.orig_dport == Port(443));
  CHECK(flow.reply_src == *Ip::Parse("10.0.0.5"));
  CHECK(flow.reply_dport == Port(50123));
  CHECK(flow.state == FlowState::kEstablished);
  CHECK(flow.mark == 7);
  CHECK(flow.proto_orig == TcpMemory(kTcpWindowScale | kTcpSackPermitted, 7));
  CHECK(flow.source == FlowSource::kConntrack);

  const CtEntry copy = CtFromFlow(flow);
  CHECK(SameTranslation(copy, TcpEntry()));
  CHECK(copy.status == (kIpsConfirmed | kIpsSeenReply | kIpsAssured));
  CHECK(copy.protocol_state == 3);
  CHECK(copy.tcp_orig == CtTcpDirection{7, kTcpBeLiberal | kTcpWindowScale | kTcpSackPermitted});
  CHECK(copy.tcp_reply.window_scale == 9);
  CHECK_FALSE(copy.has(kCtTimeout));
}

TEST_CASE("ctnetlink: flows without TCP are new until the responder has answered") {
  CtEntry entry = Entry("2001:db8::1", "2001:db8::2", 17);
  CHECK(FlowFromCt(entry).state == FlowState::kNew);
  CHECK(CtFromFlow(FlowFromCt(entry)).status == kIpsConfirmed);
  entry.status |= kIpsSeenReply;
  CHECK(FlowFromCt(entry).state == FlowState::kEstablished);
  CtEntry sctp = Entry("192.0.2.1", "192.0.2.2", 132);
  sctp.present |= kCtProtocolState;
  sctp.status |= kIpsAssured | kIpsSeenReply;
  sctp.protocol_state = kSctpEstablished;
  sctp.sctp_tag_orig = 5;
  sctp.sctp_tag_reply = 6;
  CHECK(FlowFromCt(sctp).state == FlowState::kEstablished);
  CHECK(CtFromFlow(FlowFromCt(sctp)).sctp_tag_reply == 6);
  sctp.protocol_state = kSctpShutdownSent;
  CHECK(FlowFromCt(sctp).state == FlowState::kClose);
}

}  // namespace
}  // namespace mimi
