// Key() and Soft() go unnoticed by cereal's own archives, and our value types read as people write
// them.

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>

#include <cereal/archives/binary.hpp>
#include <cereal/archives/json.hpp>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/archives/xml.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/vector.hpp>
#include <doctest/doctest.h>

#include "mimi/flow.h"
#include "mimi/typed.h"

namespace mimi {
namespace {

struct Marked {
  Ipv4 ipv4;
  Port port;
  Mac mac;
  Ip ip;
  Ipv6 ipv6;
  Text<5> text;
  std::uint8_t small = 0;
  IpProtocol protocol = IpProtocol::kNone;
  Bytes<2> bytes{};
  Duration idle{};
  UnixTime time{};

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(ipv4)), Key(CEREAL_NVP(port)), CEREAL_NVP(mac), CEREAL_NVP(ip),
       CEREAL_NVP(ipv6), Soft(CEREAL_NVP(text)), CEREAL_NVP(small), CEREAL_NVP(protocol),
       CEREAL_NVP(bytes), CEREAL_NVP(idle), CEREAL_NVP(time));
  }
  friend bool operator==(const Marked&, const Marked&) = default;
};

// The same without any mark, and without our types where it matters.
struct Unmarked {
  std::string ipv4;
  std::uint16_t port = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(CEREAL_NVP(ipv4), CEREAL_NVP(port));
  }
};
struct MarkedPair {
  Ipv4 ipv4;
  Port port;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(ipv4)), Soft(CEREAL_NVP(port)));
  }
};

Marked Sample() {
  Marked sample;
  sample.ipv4 = *Ipv4::Parse("192.0.2.1");
  sample.port = 443;
  sample.mac = *Mac::Parse("02:00:5e:00:53:01");
  sample.ip = *Ip::Parse("198.51.100.7");
  sample.ipv6 = *Ipv6::Parse("2001:db8::1");
  sample.text = std::string_view("abc");
  sample.small = 200;
  sample.protocol = IpProtocol::kTcp;
  sample.bytes = {std::byte{1}, std::byte{255}};
  sample.idle = std::chrono::seconds(3);
  sample.time = UnixTime(Duration(1'700'000'000'123'456'789));
  return sample;
}

template <class Output, class Input, class T>
T RoundTrip(const T& value, std::string* written = nullptr) {
  std::stringstream stream;
  {
    Output archive(stream);
    archive(cereal::make_nvp("value", value));
  }
  if (written != nullptr) {
    *written = stream.str();
  }
  T back;
  Input archive(stream);
  archive(cereal::make_nvp("value", back));
  return back;
}

TEST_CASE("cereal: a marked struct goes through every archive of cereal") {
  CHECK(RoundTrip<cereal::BinaryOutputArchive, cereal::BinaryInputArchive>(Sample()) == Sample());
  CHECK(RoundTrip<cereal::PortableBinaryOutputArchive, cereal::PortableBinaryInputArchive>(
            Sample()) == Sample());
  CHECK(RoundTrip<cereal::JSONOutputArchive, cereal::JSONInputArchive>(Sample()) == Sample());
  CHECK(RoundTrip<cereal::XMLOutputArchive, cereal::XMLInputArchive>(Sample()) == Sample());
}

TEST_CASE("cereal: Flow goes through binary and JSON") {
  Flow flow;
  flow.protocol = IpProtocol::kTcp;
  flow.orig_src = *Ip::Parse("2001:db8::1");
  flow.state = FlowState::kEstablished;
  flow.idle_timeout = std::chrono::minutes(5);
  CHECK(RoundTrip<cereal::BinaryOutputArchive, cereal::BinaryInputArchive>(flow) == flow);
  CHECK(RoundTrip<cereal::JSONOutputArchive, cereal::JSONInputArchive>(flow) == flow);
}

TEST_CASE("cereal: the marks leave no trace in JSON and XML, and addresses are text") {
  MarkedPair marked;
  marked.ipv4 = *Ipv4::Parse("192.0.2.1");
  marked.port = 443;
  const Unmarked unmarked{"192.0.2.1", 443};
  std::string with;
  std::string without;
  RoundTrip<cereal::JSONOutputArchive, cereal::JSONInputArchive>(marked, &with);
  RoundTrip<cereal::JSONOutputArchive, cereal::JSONInputArchive>(unmarked, &without);
  CHECK(with == without);
  RoundTrip<cereal::XMLOutputArchive, cereal::XMLInputArchive>(marked, &with);
  RoundTrip<cereal::XMLOutputArchive, cereal::XMLInputArchive>(unmarked, &without);
  CHECK(with == without);
}

TEST_CASE("cereal: binary archives hold the bytes of an address and nothing else") {
  std::ostringstream stream;
  cereal::BinaryOutputArchive archive(stream);
  archive(*Ipv4::Parse("1.2.3.4"), *Mac::Parse("05:06:07:08:09:0a"),
          Text<2>(std::string_view("b")));
  CHECK(stream.str() == std::string("\1\2\3\4\5\6\7\10\11\12b\0", 12));
}

TEST_CASE("cereal: text that is no address is refused the way cereal refuses") {
  const auto load = [](const char* json) {
    std::istringstream stream(json);
    cereal::JSONInputArchive archive(stream);
    MarkedPair pair;
    archive(cereal::make_nvp("value", pair));
  };
  CHECK_NOTHROW(load(R"({"value":{"ipv4":"1.2.3.4","port":1}})"));
  CHECK_THROWS_AS(load(R"({"value":{"ipv4":"1.2.3","port":1}})"), cereal::Exception);
  CHECK_THROWS_AS(load(R"({"value":{"port":1}})"), cereal::Exception);
  std::istringstream stream(R"({"value":"abcdef"})");
  cereal::JSONInputArchive archive(stream);
  Text<5> text;
  CHECK_THROWS_AS(archive(cereal::make_nvp("value", text)), cereal::Exception);
}

}  // namespace
}  // namespace mimi
