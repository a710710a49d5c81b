#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "mimi/types.h"

namespace mimi {
namespace {

TEST_CASE("ip: IPv4 is dotted decimal and nothing else") {
  CHECK(Ipv4::Parse("192.0.2.1")->octets == std::array<std::uint8_t, 4>{192, 0, 2, 1});
  CHECK(Ipv4::Parse("255.255.255.255")->ToString() == "255.255.255.255");
  for (const char* wrong : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ", " 1.2.3.4", "::1",
                            "1.2.3.04", "0x1.2.3.4", "1.2.3.-4", "a"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Ipv4::Parse(wrong));
  }
  CHECK_FALSE(Ipv4::Parse(std::string("1.2.3.4\0", 8)));
  CHECK_FALSE(Ipv4::Parse(std::string(1000, '1')));
}

TEST_CASE("ip: IPv6 is written as RFC 5952 says") {
  for (const auto& form : {
           std::pair{"::", "::"},
           {"::1", "::1"},
           {"1::", "1::"},
           {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
           {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero group is not worth "::"
           {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run
           {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of equals
           {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
           {"::102:304", "::102:304"},
           {"fe80:0:0:0:1:2:3:4", "fe80::1:2:3:4"},
       }) {
    CAPTURE(form.first);
    REQUIRE(Ipv6::Parse(form.first));
    CHECK(Ipv6::Parse(form.first)->ToString() == form.second);
    CHECK(Ipv6::Parse(form.second) == Ipv6::Parse(form.first));
  }
  for (const char* wrong : {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0",
                            "12345::", "1.2.3.4", "::g"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Ipv6::Parse(wrong));
  }
}

TEST_CASE("ip: an address of either family has one encoding") {
  const Ip v4 = *Ip::Parse("192.0.2.1");
  CHECK(v4 == Ip(*Ipv4::Parse("192.0.2.1")));
  CHECK(v4 == *Ip::Parse("::ffff:192.0.2.1"));
  CHECK(v4.is_v4());
  CHECK(v4.v4() == Ipv4::Parse("192.0.2.1"));
  CHECK(v4.ToString() == "192.0.2.1");
  const Ip v6 = *Ip::Parse("2001:db8::1");
  CHECK_FALSE(v6.is_v4());
  CHECK_FALSE(v6.v4());
  CHECK(v6.ToString() == "2001:db8::1");
  CHECK(Ip().ToString() == "::");
  CHECK_FALSE(Ip::Parse("host"));
}

TEST_CASE("ip: a MAC address has six pairs with one kind of separator") {
  CHECK(Mac::Parse("02:00:5e:00:53:Ff")->ToString() == "02:00:5e:00:53:ff");
  CHECK(Mac::Parse("02-00-5e-00-53-01")->octets[5] == 1);
  for (const char* wrong : {"", "02:00:5e:00:53", "02:00:5e:00:53:01:02", "02:00-5e:00:53:01",
                            "0g:00:5e:00:53:01", "02.00.5e.00.53.01", "02:00:5e:00:53:0"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Mac::Parse(wrong));
  }
}

TEST_CASE("types: text holds what fits and no NUL") {
  Text<4> text = std::string_view("abcdef");
  CHECK(text.view() == "abcd");
  CHECK(text.TryAssign("xy"));
  CHECK(text.view() == "xy");
  CHECK_FALSE(text.TryAssign("12345"));
  CHECK_FALSE(text.TryAssign(std::string_view("a\0b", 3)));
  CHECK(text.view() == "xy");
}

}  // namespace
}  // namespace mimi
