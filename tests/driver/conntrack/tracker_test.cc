// What events and walks mean, without a kernel.

#include "src/driver/conntrack/tracker.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "tests/wire/conntrack_events.h"

namespace mimi::internal {
namespace {

constexpr std::uint32_t kClosing = 0x10000000;
constexpr std::uint32_t kMinionPort = 77;

// Everything that comes out, in words: "put 40000 established", "erase 40000", "abrupt 40000".
struct Output final : TrackerOutput {
  void Put(std::span<const std::byte> row) override {
    REQUIRE(DecodeRow(row, &last));
    words.push_back("put " + std::to_string(last.orig_sport.value));
  }
  void Erase(std::span<const std::byte> key, Op op) override {
    Flow flow;
    REQUIRE(DecodeRow(key, &flow));
    words.push_back((op == Op::kErase ? "erase " : "abrupt ") +
                    std::to_string(flow.orig_sport.value));
  }
  std::string Take() {
    std::string text;
    for (const std::string& word : words) {
      text += (text.empty() ? "" : ", ") + word;
    }
    words.clear();
    return text;
  }
  std::vector<std::string> words;
  Flow last;
};

CtEntry Tcp(std::uint16_t port, std::uint32_t id = 1) {
  CtEntry entry;
  entry.present = kCtOrig | kCtReply | kCtId | kCtStatus | kCtTimeout | kCtProtocolState;
  entry.orig = {.src = *Ip::Parse("198.51.100.7"),
                .dst = *Ip::Parse("203.0.113.1"),
                .sport = port,
                .dport = 443,
                .protocol = 6};
  entry.reply = {.src = *Ip::Parse("10.0.0.5"),
                 .dst = *Ip::Parse("198.51.100.7"),
                 .sport = 8443,
                 .dport = port,
                 .protocol = 6};
  entry.id = id;
  entry.status = kIpsConfirmed | kIpsSeenReply | kIpsAssured;
  entry.timeout = 432000;
  entry.protocol_state = 3;
  entry.tcp_orig = {.window_scale = 7, .flags = kTcpWindowScale | kTcpSackPermitted};
  entry.tcp_reply = {.window_scale = 9, .flags = kTcpWindowScale};
  return entry;
}

CtEntry Udp(std::uint16_t port, bool answered = true) {
  CtEntry entry = Tcp(port);
  entry.present &= ~std::uint32_t{kCtProtocolState};
  entry.orig.protocol = entry.reply.protocol = 17;
  entry.status = kIpsConfirmed | (answered ? kIpsSeenReply : 0);
  entry.timeout = 120;
  return entry;
}

struct World {
  explicit World(bool unanswered = false)
      : tracker({.closing_mark = kClosing,
                 .unanswered = unanswered,
                 .echo_ports = {kMinionPort},
                 .seed = 5},
                output) {
    LocalAddresses local;
    local.Add(*Ip::Parse("10.0.0.1"));
    tracker.set_local(local);
    tracker.set_standby_above(500'000);
  }
  std::string Event(CtKind kind, const CtEntry& entry, std::uint32_t port_id = 0) {
    tracker.OnEvent(
        {.kind = kind, .port_id = port_id, .sequence = 0, .dumped = false, .entry = entry});
    return output.Take();
  }
  std::string Assured(const CtEntry& entry) { return Event(CtKind::kUpdate, entry); }
  std::string Closing(CtEntry entry) {
    entry.present = (entry.present | kCtMark) & ~std::uint32_t{kCtProtocolState};
    entry.mark |= kClosing;
    return Event(CtKind::kUpdate, entry);
  }
  std::string Destroy(CtEntry entry, std::uint32_t port_id = 0) {
    entry.status |= kIpsDying;
    return Event(CtKind::kDestroy, entry, port_id);
  }
  std::string Walk(const std::vector<CtEntry>& entries, WalkKind kind = WalkKind::kResync) {
    tracker.BeginWalk(kind);
    for (const CtEntry& entry : entries) {
      tracker.OnWalked(entry);
    }
    tracker.EndWalk();
    while (!tracker.Settle(3)) {}
    return output.Take();
  }

  Output output;
  Tracker tracker;
};

TEST_CASE("tracker: a recorded TCP life is one put and one erase") {
  World world;
  std::string words;
  const auto feed = [&](auto bytes) {  // loopback cannot be a row: other addresses
    for (std::size_t i = 0; i + 4 <= sizeof(bytes.data); ++i) {
      if (std::memcmp(bytes.data + i, "\x7f\0\0\1", 4) == 0) {
        std::memcpy(bytes.data + i, "\xc6\x33\x64\x07", 4);
      }
    }
    NetlinkReader reader(std::as_bytes(std::span(bytes.data)));
    NetlinkMessage message;
    CtMessage event;
    REQUIRE(reader.Next(&message));
    REQUIRE(ParseCtMessage(message, &event) == CtRefusal::kNone);
    event.port_id = 0;
    words += world.output.Take() + "; ";
    world.tracker.OnEvent(event);
  };
  const auto copy = []<std::size_t kSize>(const unsigned char(&bytes)[kSize]) {
    struct {
      unsigned char data[kSize];
    } copied;
    std::memcpy(copied.data, bytes, kSize);
    return copied;
  };
  feed(copy(testing::kNewEvent));
  feed(copy(testing::kAssuredEvent));
  feed(copy(testing::kClosingEvent));
  feed(copy(testing::kDestroyEvent));
  CHECK(words + world.output.Take() == "; ; put 47958; erase 47958; ");
  CHECK(world.tracker.rows() == 0);
  CHECK(world.output.last.idle_timeout == std::chrono::seconds(432000));
  CHECK(world.tracker.counts().ended == 1);
}

TEST_CASE(
    "tracker: a row has the translation, the whole time-out and TCP's memory, and no closing bit") {
  World world;
  CtEntry entry = Tcp(1);
  entry.present |= kCtMark;
  entry.mark = 5;
  CHECK(world.Assured(entry) == "put 1");
  const Flow& flow = world.output.last;
  CHECK(flow.reply_src == *Ip::Parse("10.0.0.5"));
  CHECK(flow.reply_sport == 8443);
  CHECK(flow.idle_timeout == std::chrono::seconds(432000));
  CHECK(TcpWindowScale(flow.proto_orig) == 7);
  CHECK(TcpWindowScale(flow.proto_reply) == 9);
  CHECK(flow.mark == 5);
  CHECK(flow.source == FlowSource::kConntrack);

  entry.present &= ~std::uint32_t{kCtProtocolState};  // as an event of a mark comes
  entry.mark = 6;
  CHECK(world.Event(CtKind::kUpdate, entry) == "put 1");
  CHECK(flow.mark == 6);
  CHECK(flow.state == FlowState::kEstablished);
  CHECK(TcpWindowScale(flow.proto_reply) == 9);
}

TEST_CASE("tracker: what is not complete, the box's own or tied to it is no row") {
  World world;
  CtEntry entry = Tcp(1);
  entry.status &= ~kIpsAssured;
  entry.protocol_state = 1;
  CHECK(world.Event(CtKind::kNew, entry) == "");
  CHECK(world.Destroy(entry) == "");
  CHECK(world.Event(CtKind::kNew, Udp(2, false)) == "");
  CHECK(world.Assured(Udp(2)) == "put 2");
  entry = Tcp(3);
  entry.reply.src = *Ip::Parse("10.0.0.1");
  CHECK(world.Assured(entry) == "");
  entry = Tcp(4);
  entry.status |= kIpsHelper;
  CHECK(world.Assured(entry) == "");
  CHECK(world.Destroy(entry) == "");
  CHECK(world.tracker.counts().not_portable == 1);
  CHECK(world.Walk({entry, Tcp(5)}) == "put 5");
  CHECK(world.tracker.tied() == 1);
  World all(true);
  CHECK(all.Event(CtKind::kNew, Udp(2, false)) == "put 2");
  CHECK(all.output.last.state == FlowState::kNew);
}

TEST_CASE("tracker: what a minion puts there is never published, nor what it takes away") {
  World world;
  CHECK(world.Event(CtKind::kNew, Tcp(1), kMinionPort) == "");
  CHECK(world.Event(CtKind::kUpdate, Tcp(1), 4711) == "");
  CHECK(world.Destroy(Tcp(1), kMinionPort) == "");
  CHECK(world.Assured(Tcp(2)) == "put 2");
  CHECK(world.Destroy(Tcp(2), kMinionPort) == "");
  CHECK(world.tracker.rows() == 0);
  CHECK(world.Assured(Tcp(3)) == "put 3");
  CHECK(world.Destroy(Tcp(3), 4711) == "abrupt 3");  // an operator's `conntrack -D`
}

TEST_CASE("tracker: an end that comes late does not end the successor of its tuple") {
  World world;
  CHECK(world.Assured(Tcp(1, 100)) == "put 1");
  CHECK(world.Assured(Tcp(1, 200)) == "put 1");
  CHECK(world.Destroy(Tcp(1, 100)) == "");
  CHECK(world.Closing(Tcp(1, 100)) == "");
  CHECK(world.tracker.counts().late == 2);
  CHECK(world.tracker.rows() == 1);
  CHECK(world.Closing(Tcp(1, 200)) == "erase 1");
  // A successor in the same memory has the same id; the end of the first has come by then.
  CHECK(world.Assured(Tcp(1, 200)) == "put 1");
  CHECK(world.Destroy(Tcp(1, 200)) == "abrupt 1");
}

TEST_CASE("tracker: ends of flows that came from the other box are told, of demoted ones not") {
  World world;
  CHECK(world.Closing(Tcp(1)) == "erase 1");
  CHECK(world.Destroy(Udp(2)) == "abrupt 2");
  CHECK(world.Destroy(Tcp(3)) == "abrupt 3");
  CtEntry demoted = Tcp(4);
  demoted.protocol_state = 7;
  CHECK(world.Destroy(demoted) == "");
  CHECK(world.tracker.counts().ended_elsewhere == 3);
  // Not even where the driver knows the flow: a box without traffic may see it.
  CHECK(world.Assured(Tcp(5)) == "put 5");
  demoted = Tcp(5);
  demoted.protocol_state = 7;
  CHECK(world.Destroy(demoted) == "abrupt 5");
}

TEST_CASE("tracker: a connection that takes over a closing entry is a row again") {
  World world;
  CHECK(world.Assured(Tcp(1)) == "put 1");
  CHECK(world.Closing(Tcp(1)) == "erase 1");
  CtEntry reopened = Tcp(1);
  reopened.protocol_state = 2;  // SYN/ACK
  reopened.present |= kCtMark;
  CHECK(world.Assured(reopened) == "put 1");
  CHECK(world.output.last.state == FlowState::kEstablished);
  CHECK(world.Closing(Tcp(1)) == "erase 1");
}

TEST_CASE("tracker: SCTP is a row from assured to shutdown") {
  World world;
  CtEntry entry = Tcp(1);
  entry.orig.protocol = entry.reply.protocol = 132;
  entry.protocol_state = kSctpEstablished;
  entry.sctp_tag_orig = 0xabc;
  CHECK(world.Assured(entry) == "put 1");
  CHECK(world.output.last.proto_orig == 0xabc);
  entry.protocol_state = kSctpShutdownSent;
  CHECK(world.Assured(entry) == "erase 1");
}

TEST_CASE(
    "tracker: a walk puts every row and forgets what is gone; standby entries are the other "
    "box's") {
  World world;
  CHECK(world.Assured(Tcp(1)) == "put 1");
  CtEntry standby = Tcp(2);
  standby.timeout = 600'000;
  CtEntry ours = Tcp(3);
  ours.timeout = kOwnStandby + 100;
  CtEntry closing = Tcp(4);
  closing.present |= kCtMark;
  closing.mark = kClosing;
  CtEntry time_wait = Tcp(5);
  time_wait.protocol_state = 7;
  CHECK(world.Walk({Tcp(6), standby, ours, closing, time_wait, Udp(7), Udp(8, false)}) ==
        "put 6, put 3, put 7");
  CHECK(world.tracker.rows() == 3);
  CHECK(world.tracker.standby() == 2);
  CHECK(world.Destroy(Tcp(6)) == "abrupt 6");
}

TEST_CASE("tracker: during a walk events win over what it shows") {
  World world;
  world.tracker.BeginWalk(WalkKind::kResync);
  CHECK(world.Assured(Tcp(1)) == "put 1");
  CHECK(world.Closing(Tcp(2, 20)) == "erase 2");
  CHECK(world.Destroy(Udp(3)) == "abrupt 3");
  CHECK(world.Assured(Tcp(4, 40)) == "put 4");
  CHECK(world.Destroy(Tcp(4, 40)) == "abrupt 4");
  for (const CtEntry& entry : {Tcp(1), Tcp(2, 20), Udp(3), Tcp(4, 40), Tcp(4, 41)}) {
    world.tracker.OnWalked(entry);
  }
  CHECK(world.output.Take() == "put 4");  // a successor of what has ended
  world.tracker.EndWalk();
  CHECK(world.tracker.Settle(100));
  CHECK(world.tracker.rows() == 2);
  CHECK(world.output.Take() == "");
  CHECK(world.Assured(Tcp(2, 20)) == "put 2");
}

TEST_CASE("tracker: what makes no events is looked for, and ends abruptly when it is gone") {
  World world;
  CHECK(world.Walk({Tcp(1), Tcp(2), Tcp(3)}) == "put 1, put 2, put 3");
  CHECK(world.tracker.unheard() == 3);
  CHECK(world.Assured(Tcp(3)) == "put 3");
  CHECK(world.tracker.unheard() == 2);
  CHECK(world.Walk({Tcp(1), Tcp(9)}, WalkKind::kCheck) == "abrupt 2");
  CHECK(world.tracker.rows() == 2);
  CHECK(world.tracker.unheard() == 1);
  world.tracker.BeginWalk(WalkKind::kResync);  // one that is broken off means nothing
  CHECK(world.Destroy(Tcp(1)) == "abrupt 1");
  world.tracker.GiveUpWalk();
  CHECK(world.tracker.rows() == 1);
  CHECK(world.Walk({Tcp(3)}) == "put 3");
  CHECK(world.tracker.rows() == 1);
  CHECK(world.tracker.unheard() == 0);
}

}  // namespace
}  // namespace mimi::internal
