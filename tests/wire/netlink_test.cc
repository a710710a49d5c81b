#include "src/wire/netlink.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

TEST_CASE("netlink: messages of one buffer are read as they were written") {
  NetlinkWriter writer;
  writer.Begin(0x100, NLM_F_REQUEST, 7);
  AppendNfnetlinkHeader(writer, {.family = 2, .resource = 0x1234});
  const std::size_t nest = writer.BeginNest(3);
  writer.PutBe16(1, 0xabcd);
  writer.PutU8(2, 9);
  writer.EndNest(nest);
  writer.PutBe32(4, 0x01020304);
  writer.End();
  writer.Begin(0x101, 0, 8);
  writer.End();
  CHECK(writer.messages() == 2);

  NetlinkReader reader(writer.bytes());
  NetlinkMessage message;
  REQUIRE(reader.Next(&message));
  CHECK(message.type == 0x100);
  CHECK(message.flags == NLM_F_REQUEST);
  CHECK(message.sequence == 7);
  NfnetlinkHeader header;
  std::span<const std::byte> payload;
  REQUIRE(ReadNfnetlinkHeader(message.payload, &header, &payload));
  CHECK(header.family == 2);
  CHECK(header.resource == 0x1234);
  AttributeReader attributes(payload);
  NetlinkAttribute attribute;
  REQUIRE(attributes.Next(&attribute));
  CHECK(attribute.type == 3);
  AttributeReader inner(attribute.payload);
  REQUIRE(inner.Next(&attribute));
  CHECK(LoadBe<std::uint16_t>(attribute.payload.data()) == 0xabcd);
  REQUIRE(inner.Next(&attribute));
  CHECK(attribute.payload.size() == 1);
  CHECK_FALSE(inner.Next(&attribute));
  CHECK(inner.ok());
  REQUIRE(attributes.Next(&attribute));
  CHECK(LoadBe<std::uint32_t>(attribute.payload.data()) == 0x01020304);
  CHECK_FALSE(attributes.Next(&attribute));
  REQUIRE(reader.Next(&message));
  CHECK(message.sequence == 8);
  CHECK(message.payload.empty());
  CHECK_FALSE(reader.Next(&message));
  CHECK(reader.ok());
}

TEST_CASE("netlink: what is cut anywhere is noticed, and never read beyond") {
  NetlinkWriter writer;
  writer.Begin(0x100, 0, 7);
  writer.PutBe32(4, 1);
  writer.End();
  for (std::size_t size = 1; size < writer.size(); ++size) {
    const std::vector<std::byte> cut(writer.bytes().begin(),
                                     writer.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    NetlinkReader reader(cut);
    NetlinkMessage message;
    CHECK_FALSE(reader.Next(&message));
    CHECK_FALSE(reader.ok());
    const std::span<const std::byte> all = cut;
    AttributeReader attributes(all.subspan(std::min(size, kNetlinkHeaderSize)));
    NetlinkAttribute attribute;
    CHECK_FALSE(attributes.Next(&attribute));
    CHECK(attributes.ok() == (size <= kNetlinkHeaderSize));
  }
}

// An answer of the kernel to a bad request, as NETLINK_CAP_ACK and NETLINK_EXT_ACK shape it.
std::vector<std::byte> Refusal(int error, std::string_view text, std::uint16_t flags) {
  NetlinkWriter writer;
  writer.Begin(NLMSG_ERROR, flags, 5);
  std::byte fixed[4 + kNetlinkHeaderSize] = {};
  internal::Store<std::endian::native>(fixed, static_cast<std::uint32_t>(-error));
  internal::Store<std::endian::native>(fixed + 4, std::uint32_t{100});
  internal::Store<std::endian::native>(fixed + 8, std::uint16_t{0x102});
  internal::Store<std::endian::native>(fixed + 12, std::uint32_t{77});
  writer.Append(fixed);
  const std::string with_end = std::string(text) + '\0';
  writer.Put(NLMSGERR_ATTR_MSG, AsBytes(with_end));
  writer.End();
  return {writer.bytes().begin(), writer.bytes().end()};
}

TEST_CASE("netlink: an error says which request it answers, and why in the kernel's words") {
  const std::vector<std::byte> bytes =
      Refusal(EINVAL, "no such thing", NLM_F_CAPPED | NLM_F_ACK_TLVS);
  NetlinkReader reader(bytes);
  NetlinkMessage message;
  REQUIRE(reader.Next(&message));
  NetlinkError error;
  REQUIRE(ParseNetlinkError(message, &error));
  CHECK(error.error == EINVAL);
  CHECK(error.sequence == 77);
  CHECK(error.type == 0x102);
  CHECK(error.text == "no such thing");
  // A request that is said to be repeated, but is not there, leaves no text.
  const std::vector<std::byte> lying = Refusal(EINVAL, "no such thing", NLM_F_ACK_TLVS);
  NetlinkReader second(lying);
  REQUIRE(second.Next(&message));
  REQUIRE(ParseNetlinkError(message, &error));
  CHECK(error.text.empty());
}

TEST_CASE("netlink: the end of a dump is no error, unless it says so") {
  NetlinkWriter writer;
  for (const std::uint32_t code : {0U, static_cast<std::uint32_t>(-ENOBUFS), 1U << 31}) {
    writer.Begin(NLMSG_DONE, NLM_F_MULTI, 5);
    std::byte fixed[4];
    internal::Store<std::endian::native>(fixed, code);
    writer.Append(fixed);
    writer.End();
  }
  NetlinkReader reader(writer.bytes());
  NetlinkMessage message;
  NetlinkError error;
  REQUIRE(reader.Next(&message));
  REQUIRE(ParseNetlinkError(message, &error));
  CHECK(error.error == 0);
  CHECK(error.sequence == 5);
  REQUIRE(reader.Next(&message));
  REQUIRE(ParseNetlinkError(message, &error));
  CHECK(error.error == ENOBUFS);
  REQUIRE(reader.Next(&message));
  CHECK_FALSE(ParseNetlinkError(message, &error));
}

}  // namespace
}  // namespace mimi
