#include "mimi/typed.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "src/base/bytes.h"

namespace {

enum class LbState : std::uint8_t { kNew = 0, kOpen = 1, kClosing = 7 };

}  // namespace

template <>
struct mimi::EnumNames<LbState> {
  static constexpr EnumName<LbState> kNames[] = {
      {"new", LbState::kNew}, {"open", LbState::kOpen}, {"closing", LbState::kClosing}};
};

namespace mimi {
namespace {

struct LbFlow {
  static constexpr std::string_view kTable = "lb.flow";
  Ipv4 client_ip;
  Port client_port;
  Ipv4 backend_ip;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(client_ip)), Key(CEREAL_NVP(client_port)), CEREAL_NVP(backend_ip));
  }
};

// Every type that a struct can have.
struct Everything {
  static constexpr std::string_view kTable = "test.everything";
  static constexpr std::uint32_t kTableVersion = 9;
  std::uint8_t a8 = 0;
  std::uint16_t a16 = 0;
  std::uint32_t a32 = 7;
  std::uint64_t a64 = 0;
  std::int64_t i64 = -5;
  double f64 = 0.5;
  bool flag = true;
  Ipv4 ipv4;
  Ipv6 ipv6;
  Ip ip;
  Mac mac;
  Port port = 80;
  IpProtocol protocol = IpProtocol::kTcp;
  UnixTime time{};
  Duration idle = std::chrono::seconds(30);
  LbState state = LbState::kOpen;
  Bytes<3> bytes{};
  Text<5> text = std::string_view("abc");

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(a8)), Key(CEREAL_NVP(a16)));
    ar& CEREAL_NVP(a32) & CEREAL_NVP(a64);
    ar(CEREAL_NVP(i64), CEREAL_NVP(f64), CEREAL_NVP(flag), CEREAL_NVP(ipv4), CEREAL_NVP(ipv6),
       CEREAL_NVP(ip), CEREAL_NVP(mac), CEREAL_NVP(port), CEREAL_NVP(protocol), CEREAL_NVP(time),
       Soft(CEREAL_NVP(idle)), CEREAL_NVP(state), CEREAL_NVP(bytes), CEREAL_NVP(text));
  }
  friend bool operator==(const Everything&, const Everything&) = default;
};

Everything Sample() {
  Everything e;
  e.a8 = 1;
  e.a16 = 0x0203;
  e.a32 = 0x04050607;
  e.a64 = 0x08090A0B0C0D0E0F;
  e.i64 = -2;
  e.f64 = -1.5;
  e.flag = false;
  e.ipv4 = *Ipv4::Parse("192.0.2.1");
  e.ipv6 = *Ipv6::Parse("2001:db8::1");
  e.ip = *Ip::Parse("198.51.100.7");
  e.mac = *Mac::Parse("02:00:5e:00:53:01");
  e.port = 443;
  e.protocol = IpProtocol::kUdp;
  e.time = UnixTime(Duration(1'700'000'000'123'456'789));
  e.idle = Duration(-1);
  e.state = LbState::kClosing;
  e.bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  e.text = std::string_view("hallo");
  return e;
}

TEST_CASE("typed: a struct's schema has its fields, in order, with its defaults") {
  const StateSchema& schema = StateSchema::Of<Everything>();
  CHECK(schema.name() == "test.everything");
  CHECK(schema.version() == 9);
  REQUIRE(schema.fields().size() == 18);
  CHECK(schema.key_size() == 3);
  CHECK(schema.row_size() == TypedRow<Everything>::size());
  CHECK(TypedRow<Everything>::key_size() == 3);
  CHECK(schema.FindField("idle")->soft);
  CHECK(schema.FindField("text")->size == 5);
  CHECK(schema.FindField("port")->default_value ==
        std::vector<std::byte>{std::byte{80}, std::byte{0}});
  CHECK(schema.FindField("state")->values.size() == 3);
  // A struct's defaults are the schema's.
  std::vector<std::byte> row(schema.row_size());
  REQUIRE(EncodeRow(Everything(), row));
  CHECK(std::vector(schema.default_row().begin(), schema.default_row().end()) == row);
  // The same by hand.
  const absl::StatusOr<StateSchema> by_hand = StateSchema::Builder("lb.flow", 1)
                                                  .Key("client_ip", FieldType::kIpv4)
                                                  .Key("client_port", FieldType::kPort)
                                                  .Value("backend_ip", FieldType::kIpv4)
                                                  .Build();
  CHECK(StateSchema::Of<LbFlow>() == *by_hand);
}

TEST_CASE("typed: a row holds each field where the schema says") {
  const StateSchema& schema = StateSchema::Of<Everything>();
  std::vector<std::byte> row(schema.row_size());
  REQUIRE(EncodeRow(Sample(), row));
  CHECK(schema.CheckRow(row).ok());
  const auto at = [&](std::string_view name) {
    const Field* const field = schema.FindField(name);
    return std::string(AsText(std::span<const std::byte>(row).subspan(field->offset, field->size)));
  };
  using namespace std::string_literals;
  CHECK(at("a8") == "\x01");
  CHECK(at("a16") == "\x03\x02");
  CHECK(at("a32") == "\x07\x06\x05\x04");
  CHECK(at("a64") == "\x0F\x0E\x0D\x0C\x0B\x0A\x09\x08");
  CHECK(at("i64") == "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  CHECK(at("f64") == "\0\0\0\0\0\0\xF8\xBF"s);
  CHECK(at("flag") == "\0"s);
  CHECK(at("ipv4") == "\xC0\0\x02\x01"s);
  CHECK(at("ipv6") == "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s);
  CHECK(at("ip") == "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC6\x33\x64\x07"s);
  CHECK(at("mac") == "\x02\0\x5E\0\x53\x01"s);
  CHECK(at("port") == "\xBB\x01");
  CHECK(at("protocol") == "\x11");
  CHECK(at("idle") == "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  CHECK(at("state") == "\x07");
  CHECK(at("bytes") == "\x01\x02\x03");
  CHECK(at("text") == "hallo");

  Everything back;
  REQUIRE(DecodeRow(row, &back));
  CHECK(back == Sample());

  std::array<std::byte, 3> key;
  REQUIRE(EncodeKey(Sample(), key));
  CHECK(AsText(key) == AsText(row).substr(0, 3));
  CHECK_FALSE(EncodeKey(Sample(), std::span(key).first(2)));
  CHECK_FALSE(EncodeRow(Sample(), std::span(row).first(row.size() - 1)));
}

TEST_CASE("typed: a shorter row leaves defaults, a longer one is cut, a torn one is refused") {
  const StateSchema& schema = StateSchema::Of<Everything>();
  std::vector<std::byte> row(schema.row_size());
  REQUIRE(EncodeRow(Sample(), row));
  std::size_t whole = 0;
  for (std::size_t size = 0; size < row.size(); ++size) {
    CAPTURE(size);
    Everything back = Sample();
    const bool ok = DecodeRow(std::span<const std::byte>(row).first(size), &back);
    const bool ends_with_field = std::ranges::any_of(
        schema.prefixes(), [&](const auto& prefix) { return prefix.row_size == size; });
    CHECK(ok == ends_with_field);
    if (ok) {
      ++whole;
      CHECK(back.a16 == Sample().a16);
      CHECK(back.text == Everything().text);
      CHECK(back.state ==
            (size > schema.FindField("state")->offset ? LbState::kClosing : LbState::kOpen));
    }
  }
  CHECK(whole == 16);  // from the key alone to all value fields but the last
  row.resize(row.size() + 100);
  Everything back;
  CHECK(DecodeRow(row, &back));
  CHECK(back == Sample());
}

struct KeyAfterValue {
  static constexpr std::string_view kTable = "Bad Name";
  std::uint8_t a = 0;
  std::uint8_t b = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(a)), CEREAL_NVP(b), Key(cereal::make_nvp("a", b)));
  }
};

TEST_CASE("typed: a struct that cannot be a row says every reason") {
  const absl::StatusOr<StateSchema> schema = SchemaOf<KeyAfterValue>();
  REQUIRE_FALSE(schema.ok());
  const std::string text(schema.status().message());
  CAPTURE(text);
  CHECK(text.find("not a table's name") != std::string::npos);
  CHECK(text.find("key.a: a second field of this name") != std::string::npos);
  CHECK(text.find("key.a: a key field after a value field") != std::string::npos);
}

// Fields that are not public, and a serialize beside the struct.
class Private {
 public:
  static constexpr std::string_view kTable = "test.private";
  explicit Private(std::uint32_t n = 0) : n_(n) {}
  std::uint32_t n() const { return n_; }

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(cereal::make_nvp("n", n_)));
  }
  std::uint32_t n_;
};

struct Foreign {
  std::uint32_t n = 0;
};
template <class Archive>
void serialize(Archive& ar, Foreign& value) {
  ar(Key(cereal::make_nvp("n", value.n)));
}

TEST_CASE(
    "typed: private fields, and a serialize function beside the struct, work as with cereal") {
  std::array<std::byte, 4> row;
  REQUIRE(EncodeRow(Private(0x01020304), row));
  CHECK(AsText(row) == "\x04\x03\x02\x01");
  Private back;
  REQUIRE(DecodeRow(row, &back));
  CHECK(back.n() == 0x01020304);
  CHECK(StateSchema::Of<Private>().name() == "test.private");
  Foreign foreign;
  REQUIRE(DecodeRow(row, &foreign));
  CHECK(foreign.n == 0x01020304);
  CHECK(SchemaOf<Foreign>("test.foreign", 1)->fields().size() == 1);
}

}  // namespace
}  // namespace mimi
