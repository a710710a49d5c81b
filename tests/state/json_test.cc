#include "mimi/json.h"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/flow.h"

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi {
namespace {

StateSchema Everything() {
  return *StateSchema::Builder("t.all", 1)
              .Key("k", FieldType::kU8)
              .Value("u16", FieldType::kU16)
              .Value("u64", FieldType::kU64)
              .Value("i64", FieldType::kI64)
              .Value("f64", FieldType::kF64)
              .Value("flag", FieldType::kBool)
              .Value("ipv4", FieldType::kIpv4)
              .Value("ipv6", FieldType::kIpv6)
              .Value("ip", FieldType::kIp)
              .Value("mac", FieldType::kMac)
              .Value("port", FieldType::kPort)
              .Value("protocol", FieldType::kIpProtocol)
              .Value("time", FieldType::kTime)
              .Value("idle", FieldType::kDuration)
              .Value("state", FieldType::kEnum)
              .Enum({{"new", 0}, {"open", 9}})
              .Value("bytes", FieldType::kBytes, 2)
              .Value("text", FieldType::kText, 6)
              .Build();
}

constexpr std::string_view kRow =
    R"({"k":1,"u16":65535,"u64":18446744073709551615,"i64":-9223372036854775808,"f64":-0.0,)"
    R"("flag":true,"ipv4":"192.0.2.1","ipv6":"2001:db8::1","ip":"198.51.100.7",)"
    R"("mac":"02:00:5e:00:53:01","port":443,"protocol":"tcp","time":"2023-11-14T22:13:20.5Z",)"
    R"("idle":"1500ms","state":"open","bytes":"0aff","text":"a\"\u0001ö"})";

std::string Error(std::string_view text) {
  const auto row = RowFromJson(Everything(), text);
  CHECK_FALSE(row.ok());
  return row.ok() ? "" : std::string(Message(row.status()));
}

TEST_CASE("json: a row of every type, to text and back") {
  const StateSchema schema = Everything();
  const auto row = RowFromJson(schema, kRow);
  REQUIRE_MESSAGE(row.ok(), row.status().ToString());
  CHECK(schema.CheckRow(*row).ok());
  CHECK(RowToJson(schema, *row) == kRow);
}

TEST_CASE("json: floating-point numbers come back to the bit") {
  const StateSchema schema =
      *StateSchema::Builder("t", 1).Key("k", FieldType::kU8).Value("f", FieldType::kF64).Build();
  for (const double value :
       {0.1, 1e300, 5e-324, -0.0, 3.0, 1e17, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    std::vector<std::byte> row(9);
    StoreLe(row.data() + 1, std::bit_cast<std::uint64_t>(value));
    const std::string json = RowToJson(schema, row);
    CAPTURE(json);
    const auto back = RowFromJson(schema, json);
    REQUIRE_MESSAGE(back.ok(), back.status().ToString());
    CHECK(*back == row);
  }
}

TEST_CASE("json: value fields left out have their defaults, key fields must be there") {
  const auto row = RowFromJson(FlowSchema(), R"({"zone":1,"protocol":17,"orig_src":"10.0.0.1",
      "orig_sport":53,"orig_dst":"::1","orig_dport":53})");
  REQUIRE_MESSAGE(row.ok(), row.status().ToString());
  Flow flow;
  REQUIRE(DecodeRow(*row, &flow));
  CHECK(flow.protocol == IpProtocol::kUdp);
  CHECK(flow.confidence == 100);
  CHECK(Error("{}") == "row:1:1: t.all.k: missing, and part of the key");
}

TEST_CASE("json: what is wrong is told with its place") {
  CHECK(Error(R"({"k":1,"u16":65536})") == "row:1:14: t.all.u16: 65536 is not in 0 to 65535");
  CHECK(Error(R"({"k":-1})") == "row:1:6: t.all.k: -1 is not in 0 to 255");
  CHECK(Error(R"({"k":1.0})") == "row:1:6: t.all.k: expected an integer, got a number");
  CHECK(Error(R"({"k":1,"i64":9223372036854775808})").find("does not fit") != std::string::npos);
  CHECK(Error(R"({"k":1,"ipv4":"1.2.3"})") ==
        "row:1:15: t.all.ipv4: expected an IPv4 address, got \"1.2.3\"");
  CHECK(Error(R"({"k":1,"prot":1})") ==
        "row:1:8: t.all: no field \"prot\", did you mean \"port\"?");
  CHECK(Error(R"({"k":1,"k":1})") == "row:1:8: a second \"k\"");
  CHECK(Error(R"({"k":1,"flag":1})").find("expected true or false") != std::string::npos);
  CHECK(Error(R"({"k":1,"state":"opne"})").find("did you mean \"open\"?") != std::string::npos);
  CHECK(Error(R"({"k":1,"bytes":"0a"})").find("2 bytes as 4 hexadecimal digits") !=
        std::string::npos);
  CHECK(Error(R"({"k":1,"text":"1234567"})").find("text of at most 6 bytes") != std::string::npos);
  CHECK(Error(R"({"k":1,"text":"a\u0000"})").find("without NUL") != std::string::npos);
  CHECK(Error(R"({"k":1,"time":"2023-02-30T00:00:00Z"})").find("expected a time") !=
        std::string::npos);
  CHECK(Error(R"({"k":1,"idle":"1 year"})").find("expected a duration") != std::string::npos);
  CHECK(Error(R"({"k":1,"protocol":"tpc"})").find("IP protocol") != std::string::npos);
  CHECK(Error("[1]").find("expected an object") != std::string::npos);
  CHECK(Error("{\"k\":1").find("row:1:") == 0);
  CHECK(Error(R"({"k":[[[[1]]]]})").find("nested more than 3 deep") != std::string::npos);
  CHECK(Error(std::string(300'000, ' ')).find("at most 262144") != std::string::npos);
  // Two mistakes, two lines.
  CHECK(Error(R"({"k":1,"u16":-1,"mac":"x"})").find('\n') != std::string::npos);
}

TEST_CASE("json: a row that breaks its own rules is still shown as JSON") {
  const StateSchema schema = *StateSchema::Builder("t", 1)
                                  .Key("k", FieldType::kU8)
                                  .Value("e", FieldType::kEnum)
                                  .Enum({{"x", 0}})
                                  .Value("t", FieldType::kText, 2)
                                  .Build();
  CHECK(RowToJson(schema, AsBytes("\x01\x07\xff!")) == R"({"k":1,"e":7,"t":"\ufffd!"})");
  CHECK(RowToJson(schema, AsBytes("\x01")) == R"({"k":1})");
  CHECK(RowToJson(schema, {}) == "{}");
}

TEST_CASE("json: records, both ways") {
  const StateSchema schema =
      *StateSchema::Builder("t", 1).Key("k", FieldType::kU8).Value("v", FieldType::kU8).Build();
  BatchBuilder builder(schema, 0xABC);
  REQUIRE(builder.Put(AsBytes("\x01\x02")));
  REQUIRE(builder.Erase(AsBytes("\x03")));
  const BatchView batch = builder.Seal(7, 41, UnixTime());
  const std::string put = RecordToJson(schema, batch[0]);
  const std::string erase = RecordToJson(schema, batch[1]);
  CHECK(put ==
        R"({"op":"put","origin":"0000000000000abc","term":7,"sequence":41,"row":{"k":1,"v":2}})");
  CHECK(erase ==
        R"({"op":"erase","origin":"0000000000000abc","term":7,"sequence":42,"key":{"k":3}})");
  for (std::size_t i = 0; i < 2; ++i) {
    const auto record = RecordFromJson(schema, i == 0 ? put : erase);
    REQUIRE_MESSAGE(record.ok(), record.status().ToString());
    const RecordView view = record->view(1);
    CHECK(view.op == batch[i].op);
    CHECK(view.origin == batch[i].origin);
    CHECK(view.version == batch[i].version);
    CHECK(AsText(view.key) == AsText(batch[i].key));
  }
  CHECK_FALSE(RecordFromJson(schema, R"({"op":"put","key":{"k":3}})").ok());
  CHECK_FALSE(RecordFromJson(schema, R"({"op":"erase","key":{"k":3,"v":1}})").ok());
  CHECK_FALSE(RecordFromJson(schema, R"({"op":"erase","key":{"k":3},"origin":"xyz"})").ok());
  CHECK_FALSE(RecordFromJson(schema, R"({"op":"erase","key":{"k":3},"term":-1})").ok());
  CHECK_FALSE(RecordFromJson(schema, R"({"op":"erase","key":{"k":3},"trem":1})").ok());
  CHECK_FALSE(RecordFromJson(schema, R"([1])").ok());
}

}  // namespace
}  // namespace mimi
