// What is asked of the kernel is read back as it was written; what it is not is refused. Frames of
// announcements are compared with the pictures of their standards.
#include "src/wire/rtnetlink.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/wire/arp_nd.h"

namespace {

using namespace mimi::internal;
using mimi::Ip;
using mimi::Ipv4;
using mimi::Ipv6;
using mimi::Mac;
using mimi::NetlinkMessage;
using mimi::NetlinkReader;
using mimi::NetlinkWriter;

NetlinkMessage First(const NetlinkWriter& writer) {
  NetlinkReader reader(writer.bytes());
  NetlinkMessage message;
  REQUIRE(reader.Next(&message));
  return message;
}

const Mac kOwner = *Mac::Parse("02:00:00:00:00:01");
const Mac kSender = *Mac::Parse("02:00:00:00:00:02");

}  // namespace

TEST_CASE("rtnetlink: a route is read as it was written") {
  for (const RtRoute& route :
       {RtRoute{.destination = *Ip::Parse("203.0.113.0"),
       .length = 24,
       .table = 1000,
       .metric = 7,
       .gateway = *Ip::Parse("10.0.0.1"),
       .interface = 3},
        RtRoute{.destination = *Ip::Parse("0.0.0.0"), .gateway = *Ip::Parse("fd00::1")},
        RtRoute{.destination = *Ip::Parse("2001:db8::"), .length = 32, .interface = 9}}) {
    NetlinkWriter writer;
    AppendRoute(writer, route, 5);
    const NetlinkMessage message = First(writer);
    CHECK(message.type == RTM_NEWROUTE);
    CHECK(message.sequence == 5);
    CHECK(message.flags == (NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE));
    RtRoute read;
    REQUIRE(ParseRoute(message, &read));
    CHECK(read == route);
    RtNextHop hop;
    CHECK_FALSE(ParseNextHop(message, &hop));
  }
}

TEST_CASE(
    "rtnetlink: a route that is cut anywhere is refused or read short, never beyond its end") {
  NetlinkWriter writer;
  AppendRoute(writer, {.destination = *Ip::Parse("203.0.113.0"), .length = 24}, 1);
  NetlinkMessage message = First(writer);
  const std::span<const std::byte> whole = message.payload;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    message.payload = cut;
    RtRoute read;
    (void)ParseRoute(message, &read);  // AddressSanitizer watches
  }
}

TEST_CASE("rtnetlink: an address of the wrong size is refused") {
  NetlinkWriter writer;
  writer.Begin(RTM_NEWADDR, 0, 1);
  const std::byte header[8] = {std::byte{2}, std::byte{24}};
  writer.Append(header);
  writer.PutU8(2, 1);
  writer.End();
  RtAddress address;
  CHECK_FALSE(ParseAddress(First(writer), &address));
}

TEST_CASE("arp: an announcement has the owner in it, and the sender on it") {
  const auto frame = GratuitousArp(kSender, kOwner, *Ipv4::Parse("192.0.2.1"), ArpForm::kReply);
  const auto at = [&](std::size_t offset, const auto& octets) {
    return std::ranges::equal(std::as_bytes(std::span(octets)),
                              std::span(frame).subspan(offset, octets.size()));
  };
  CHECK(frame[0] == std::byte{0xff});
  CHECK(at(6, kSender.octets));
  CHECK(mimi::LoadBe<std::uint16_t>(&frame[12]) == 0x0806);
  CHECK(mimi::LoadBe<std::uint16_t>(&frame[20]) == 2);  // reply
  CHECK(at(22, kOwner.octets));
  CHECK(at(28, Ipv4::Parse("192.0.2.1")->octets));
  CHECK(at(32, kOwner.octets));
  CHECK(at(38, Ipv4::Parse("192.0.2.1")->octets));
}

TEST_CASE("neighbour advertisement: override, router if it is one, and the checksum is right") {
  for (const bool router : {false, true}) {
    const auto frame =
        UnsolicitedAdvertisement(kSender, kOwner, *Ipv6::Parse("2001:db8::1"), router);
    CHECK(frame[21] == std::byte{255});
    CHECK(frame[54] == std::byte{136});
    CHECK(frame[58] == (router ? std::byte{0xa0} : std::byte{0x20}));
    std::uint32_t sum = 58 + 32;
    for (std::size_t i = 22; i < frame.size(); i += 2) {
      sum += mimi::LoadBe<std::uint16_t>(&frame[i]);
    }
    CHECK((sum & 0xffff) + (sum >> 16) == 0xffff);
  }
}
