#include "mimi/schema.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/state/row.h"

namespace mimi {
namespace {

using Builder = StateSchema::Builder;

StateSchema LbFlow() {
  return *Builder("lb.flow", 1)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Build();
}

// Line by line, the versions of one table as years go by.
StateSchema Line(int values) {
  Builder builder("t", 1);
  builder.Key("k", FieldType::kU8);
  constexpr std::array<const char*, 4> kNames = {"a", "b", "c", "d"};
  for (int i = 0; i < values; ++i) {
    const auto byte = static_cast<std::byte>('A' + i);
    builder.Value(kNames.at(static_cast<std::size_t>(i)), FieldType::kU16)
        .Default(std::array{byte, byte});
  }
  return *builder.Build();
}

std::string Refusal(Builder& builder) {
  const absl::StatusOr<StateSchema> schema = builder.Build();
  REQUIRE_FALSE(schema.ok());
  CHECK(schema.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(Message(schema.status()));
}

TEST_CASE("schema: fields stand behind each other, key first, without gaps") {
  const StateSchema schema = LbFlow();
  CHECK(schema.table() == TableIdOf("lb.flow"));
  CHECK(schema.key_size() == 6);
  CHECK(schema.row_size() == 10);
  CHECK(schema.FindField("client_port")->offset == 4);
  CHECK(schema.FindField("backend_ip")->offset == 6);
  CHECK(schema.FindField("nobody") == nullptr);
}

TEST_CASE("schema: each mistake is named by its path, all in one go") {
  Builder builder("LB", 1);
  builder.Key("a", FieldType::kF64)
      .Value("b", FieldType::kText)
      .Value("b", FieldType::kU8, 4)
      .Key("late", FieldType::kU8)
      .Value("e", FieldType::kEnum)
      .Value("f", FieldType::kEnum)
      .Enum({{"x", 1}, {"x", 1}, {"No", 2}})
      .Value("g", FieldType::kU16)
      .Default(std::array{std::byte{1}});
  const std::string text = Refusal(builder);
  CAPTURE(text);
  for (const char* line : {
           "schema.LB: not a table's name",
           "schema.LB.key.a: f64 cannot be in a key",
           "schema.LB.value.b: text of 0 bytes, expected 1 to 255",
           "schema.LB.value.b: a second field of this name",
           "schema.LB.value.b: u8 takes no size, got 4",
           "schema.LB.key.late: a key field after a value field",
           "schema.LB.value.e: an enum without values",
           "schema.LB.value.f: two values are named \"x\"",
           "schema.LB.value.f: two values have the number 1",
           "schema.LB.value.f: \"No\" cannot be a value's name",
           "schema.LB.value.f: the default is a value that the enum does not list",
           "schema.LB.value.g: a default of 1 bytes, expected 2",
       }) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
}

TEST_CASE("schema: rows and fields have limits") {
  Builder wide("t", 1);
  wide.Key("k", FieldType::kU8);
  for (int i = 0; i < 17; ++i) {
    wide.Value("f" + std::to_string(i), FieldType::kBytes, 255);
  }
  CHECK(Refusal(wide).find("a row of 4336 bytes, at most 4096") != std::string::npos);
  Builder many("t", 1);
  for (int i = 0; i < 1000; ++i) {
    many.Key("f" + std::to_string(i), FieldType::kU8);
  }
  CHECK(Refusal(many).find("more than 128 fields") != std::string::npos);
  Builder none("t", 1);
  none.Value("a", FieldType::kU8);
  CHECK(Refusal(none).find("needs at least one key field") != std::string::npos);
  Builder early("t", 1);
  early.Soft().Key("k", FieldType::kU8);
  CHECK(Refusal(early).find("before the first field") != std::string::npos);
}

TEST_CASE("schema: every prefix of the value fields has the fingerprint of the shorter schema") {
  const StateSchema longest = Line(4);
  REQUIRE(longest.prefixes().size() == 5);
  for (int n = 0; n <= 4; ++n) {
    CAPTURE(n);
    const StateSchema schema = Line(n);
    const StateSchema::Prefix* const prefix = longest.FindPrefix(schema.fingerprint());
    REQUIRE(prefix != nullptr);
    CHECK(prefix->row_size == schema.row_size());
    CHECK(longest.CheckCompatible(schema).ok());
    CHECK(schema.CheckCompatible(longest).ok());
    CHECK((schema == longest) == (n == 4));
  }
  CHECK(Line(2).FindPrefix(longest.fingerprint()) == nullptr);
}

TEST_CASE("schema: the fingerprint leaves out version and soft, and nothing else") {
  const auto fingerprint = [](auto change) {
    Builder builder("t", 1);
    builder.Key("k", FieldType::kU8).Value("e", FieldType::kEnum);
    builder.Enum({{"x", 0}, {"y", 1}});
    change(builder);
    return builder.Build()->fingerprint();
  };
  const std::uint64_t plain = fingerprint([](Builder&) {});
  CHECK(fingerprint([](Builder& b) { b.Soft(); }) == plain);
  CHECK(fingerprint([](Builder& b) { b.Enum({{"y", 1}, {"x", 0}}); }) == plain);  // no order
  CHECK(fingerprint([](Builder& b) { b.Enum({{"x", 0}, {"z", 1}}); }) != plain);
  CHECK(fingerprint([](Builder& b) { b.Default(std::array{std::byte{1}}); }) != plain);
  CHECK(fingerprint([](Builder& b) { b.Value("u", FieldType::kU8); }) != plain);
  CHECK(Builder("t", 2).Key("k", FieldType::kU8).Build()->fingerprint() == Line(0).fingerprint());
  CHECK(Builder("u", 1).Key("k", FieldType::kU8).Build()->fingerprint() != Line(0).fingerprint());
}

TEST_CASE("schema: an incompatible pair names each field that differs") {
  const StateSchema theirs = *Builder("lb.flow", 1)
                                  .Key("client_ip", FieldType::kIpv4)
                                  .Key("client_port", FieldType::kU16)
                                  .Value("backend_ip", FieldType::kIp)
                                  .Build();
  const absl::Status status = LbFlow().CheckCompatible(theirs, "the store");
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(status) ==
        "lb.flow.client_port: is port here, u16 in the store; "
        "lb.flow.backend_ip: is ipv4 here, ip in the store");

  const auto message = [](Builder& other) {
    return std::string(Message(LbFlow().CheckCompatible(*other.Build(), "the store")));
  };
  CHECK(message(Builder("lb.flow", 1).Key("client_ip", FieldType::kIpv4)) ==
        "lb.flow.client_port: is a key field here, missing in the store");
  CHECK(message(Builder("lb.flow", 1)
                    .Key("client_ip", FieldType::kIpv4)
                    .Key("client_port", FieldType::kPort)
                    .Key("vlan", FieldType::kU16)) ==
        "lb.flow.backend_ip: is field backend_ip here, field vlan in the store");
  CHECK(
      message(Builder("lb.flow", 1)
                  .Key("client_ip", FieldType::kIpv4)
                  .Key("client_port", FieldType::kPort)
                  .Value("backend_ip", FieldType::kIpv4)
                  .Default(std::array{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}})) ==
      "lb.flow.backend_ip: is by default 00000000 here, by default 0a000001 in the store");
  CHECK(message(Builder("other", 1).Key("client_ip", FieldType::kIpv4)) ==
        "lb.flow: is a table of another name, other, in the store");
}

TEST_CASE("schema: bytes and back") {
  const StateSchema schema = *Builder("a.b", 77)
                                  .Key("k", FieldType::kText, 9)
                                  .Value("e", FieldType::kEnum)
                                  .Enum({{"x", 3}, {"y", 200}})
                                  .Default(std::array{std::byte{200}})
                                  .Soft()
                                  .Value("b", FieldType::kBytes, 3)
                                  .Build();
  const std::string bytes = schema.Serialize();
  const absl::StatusOr<StateSchema> back = StateSchema::Parse(bytes);
  REQUIRE_MESSAGE(back.ok(), back.status().ToString());
  CHECK(*back == schema);
  CHECK(back->fingerprint() == schema.fingerprint());
  CHECK(back->Serialize() == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(StateSchema::Parse(std::string_view(bytes).substr(0, size)).ok());
  }
  CHECK_FALSE(StateSchema::Parse(bytes + "x").ok());
  // A changed byte gives an error or another schema, never a crash.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const absl::StatusOr<StateSchema> other = StateSchema::Parse(damaged);
      CHECK((!other.ok() || !(*other == schema)));
    }
  }
}

TEST_CASE("schema: a row is checked against what its fields can hold") {
  const StateSchema schema = *Builder("t", 1)
                                  .Key("k", FieldType::kU8)
                                  .Value("flag", FieldType::kBool)
                                  .Value("e", FieldType::kEnum)
                                  .Enum({{"x", 0}, {"y", 7}})
                                  .Value("text", FieldType::kText, 4)
                                  .Build();
  const auto check = [&](std::string_view row) {
    return std::string(Message(schema.CheckRow(AsBytes(row))));
  };
  using namespace std::string_literals;
  CHECK(check("k\x01\x07"s + "abcd") == "");
  CHECK(check("k\x00\x00"s + "a\0\0\0"s) == "");
  CHECK(check("k") == "");      // the key alone
  CHECK(check("k\x01") == "");  // an older program's
  CHECK(check("k\x02") == "t.flag: a bool that is neither 0 nor 1");
  CHECK(check("k\x01\x03") == "t.e: a value that the enum does not list");
  CHECK(check("k\x01\x07"s + "a\0b\0"s) == "t.text: text that goes on after its first NUL");
  CHECK(check("k\x01\x07"s + "a\xff\0\0"s) == "t.text: text that is not UTF-8");
  CHECK(check("k\x01\x07"s + "ab") ==
        "t: a row of 5 bytes, expected 7 (or fewer, ending with a value field)");
}

TEST_CASE("row: an older program between two newer ones loses nothing") {
  const StateSchema newer = Line(3);
  const StateSchema older = Line(1);
  using namespace std::string_literals;
  const std::string stored = "kaabbcc";  // a newer program's row
  const std::string change = "kxx";      // what the older one knows of it, changed
  REQUIRE(stored.size() == newer.row_size());
  REQUIRE(change.size() == older.row_size());
  std::vector<std::byte> row(newer.row_size());
  ExtendRow(newer, AsBytes(change), AsBytes(stored), row);
  CHECK(AsText(row) == "kxxbbcc");
  // A new row of the older program: the defaults of the newer.
  ExtendRow(newer, AsBytes(change), {}, row);
  CHECK(AsText(row) == "kxxBBCC");
  // The stored row is of an age in between.
  ExtendRow(newer, AsBytes("k"), AsBytes("kaabb"), row);
  CHECK(AsText(row) == "kaabbCC");
  // Where the row is, in place.
  std::vector<std::byte> in_place(AsBytes(stored).begin(), AsBytes(stored).end());
  ExtendRow(newer, AsBytes(change), in_place, in_place);
  CHECK(AsText(in_place) == "kxxbbcc");
  // The older program reads the newer row: its fields, and the rest is not its business.
  std::vector<std::byte> cut(older.row_size());
  ExtendRow(older, AsBytes(stored), {}, cut);
  CHECK(AsText(cut) == "kaa");
}

}  // namespace
}  // namespace mimi
