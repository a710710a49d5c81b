// Logged packets: their netlink messages, and what is read of the packets themselves.

#include "src/wire/nflog.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/wire/ip_packet.h"

namespace mimi {
namespace {

std::vector<std::byte> Hex(std::string_view text) {
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') {
      continue;
    }
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

constexpr std::string_view kTcp =
    "45000034 1c464000 40060000 c6336407 cb007101"  // 198.51.100.7 -> 203.0.113.1
    "9c4001bb 11223344 55667788 8010 01f6 0000 0000";
constexpr std::string_view kTcpTranslated =  // another address, port, TTL and checksum
    "45000034 1c464000 3f06abcd 0a000001 0a000005"
    "c350 20fb 11223344 55667788 8010 01f6 1234 0000";
constexpr std::string_view kUdp6 =
    "60012345 0010 11 40 20010db8000000000000000000000007 20010db8000000000000000000000001"
    "d431 0035 0010 abcd 0102030405060708";

TEST_CASE("ip packet: a translated packet has the fingerprint of the one before") {
  IpPacket before;
  IpPacket after;
  REQUIRE(ParseIpPacket(Hex(kTcp), &before) == IpRefusal::kNone);
  REQUIRE(ParseIpPacket(Hex(kTcpTranslated), &after) == IpRefusal::kNone);
  CHECK(before.src == *Ip::Parse("198.51.100.7"));
  CHECK(before.dst == *Ip::Parse("203.0.113.1"));
  CHECK(before.sport == 40000);
  CHECK(before.dport == 443);
  CHECK(before.tcp_flags == kTcpAck);
  CHECK(after.dst == *Ip::Parse("10.0.0.5"));
  CHECK(after.dport == 8443);
  CHECK(before.fingerprint == after.fingerprint);
  std::vector<std::byte> other = Hex(kTcp);
  other[27] ^= std::byte{1};  // the last of its sequence number
  REQUIRE(ParseIpPacket(other, &after) == IpRefusal::kNone);
  CHECK(before.fingerprint != after.fingerprint);
}

TEST_CASE("ip packet: IPv6 with and without extension headers, ICMP") {
  IpPacket packet;
  REQUIRE(ParseIpPacket(Hex(kUdp6), &packet) == IpRefusal::kNone);
  CHECK(packet.protocol == 17);
  CHECK(packet.src == *Ip::Parse("2001:db8::7"));
  CHECK(packet.sport == 0xd431);
  CHECK(packet.dport == 53);
  std::vector<std::byte> extended = Hex(kUdp6);
  const std::vector<std::byte> options = Hex("1100010400000000");
  extended[6] = std::byte{60};
  extended.insert(extended.begin() + 40, options.begin(), options.end());
  REQUIRE(ParseIpPacket(extended, &packet) == IpRefusal::kNone);
  CHECK(packet.dport == 53);
  REQUIRE(ParseIpPacket(Hex("4500001c00010000 40010000 c6336407 cb007101 0800 0000 004d 0001"),
                        &packet) == IpRefusal::kNone);
  CHECK(packet.sport == 77);
  CHECK(packet.dport == 0x800);
}

TEST_CASE("ip packet: what is cut, a fragment or something else is refused by name") {
  IpPacket packet;
  const std::vector<std::byte> whole = Hex(kTcp);
  for (std::size_t size = 0; size < 34; ++size) {
    CHECK(ParseIpPacket(std::span(whole).first(size), &packet) == IpRefusal::kTruncated);
  }
  CHECK(ParseIpPacket(std::span(whole).first(34), &packet) == IpRefusal::kNone);
  const std::vector<std::byte> six = Hex(kUdp6);
  for (std::size_t size = 0; size < 48; ++size) {
    CHECK(ParseIpPacket(std::span(six).first(size), &packet) == IpRefusal::kTruncated);
  }
  std::vector<std::byte> bytes = whole;
  bytes[7] = std::byte{9};
  CHECK(ParseIpPacket(bytes, &packet) == IpRefusal::kFragment);
  bytes = whole;
  bytes[9] = std::byte{89};
  CHECK(ParseIpPacket(bytes, &packet) == IpRefusal::kUnknown);
  bytes[0] = std::byte{0x55};
  CHECK(ParseIpPacket(bytes, &packet) == IpRefusal::kNotIp);
}

TEST_CASE("nflog: packets of a batch come out as they went in, damage is refused by name") {
  NetlinkWriter writer;
  const std::vector<std::byte> payload = Hex(kTcp);
  AppendNflogPacket(writer, {.group = 7, .sequence = 9, .payload = payload});
  AppendNflogPacket(writer, {.group = 8, .sequence = {}, .payload = payload});
  AppendNflogPacket(writer, {.group = 8, .sequence = {}, .payload = {}});
  AppendNflogBind(writer, {.group = 7}, 1);
  NetlinkReader reader(writer.bytes());
  NetlinkMessage message;
  NflogPacket packet;
  REQUIRE(reader.Next(&message));
  REQUIRE(ParseNflogPacket(message, &packet) == NflogRefusal::kNone);
  CHECK(packet.group == 7);
  CHECK(packet.sequence == 9);
  CHECK(std::equal(packet.payload.begin(), packet.payload.end(), payload.begin(), payload.end()));
  message.payload = message.payload.first(3);
  CHECK(ParseNflogPacket(message, &packet) == NflogRefusal::kTruncated);
  REQUIRE(reader.Next(&message));
  REQUIRE(ParseNflogPacket(message, &packet) == NflogRefusal::kNone);
  CHECK(!packet.sequence.has_value());
  REQUIRE(reader.Next(&message));
  CHECK(ParseNflogPacket(message, &packet) == NflogRefusal::kNoPayload);
  for (std::uint32_t i = 0; i < kNflogBindMessages; ++i) {
    REQUIRE(reader.Next(&message));
    CHECK(ParseNflogPacket(message, &packet) == NflogRefusal::kNotNflog);
    CHECK(message.sequence == 1 + i);
  }
  CHECK(!reader.Next(&message));
}

}  // namespace
}  // namespace mimi
