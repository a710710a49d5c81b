#include "src/state/schema_text.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "mimi/flow.h"
#include "mimi/schema.h"

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi {
namespace {

constexpr std::string_view kLbFlow = R"([schema.lb_flow]
name = "lb.flow"
version = 3
[schema.lb_flow.key]
client_ip = "ipv4"
client_port = "port"
[schema.lb_flow.value]
backend_ip = "ipv4"
state = { type = "enum", values = ["new", "open"], default = "open", soft = true }
label = "text[16]"
anchor = { type = "bytes[2]", default = "0aFF" }
)";

std::string TomlError(std::string_view text) {
  const absl::StatusOr<StateSchema> schema = StateSchema::FromToml(text, "lb.toml");
  CHECK_FALSE(schema.ok());
  return schema.ok() ? "" : std::string(Message(schema.status()));
}

std::string JsonError(std::string_view text) {
  const absl::StatusOr<StateSchema> schema = StateSchema::FromJson(text, "lb.json");
  CHECK_FALSE(schema.ok());
  return schema.ok() ? "" : std::string(Message(schema.status()));
}

TEST_CASE("schema text: a TOML definition is the same schema as one built at run time") {
  const absl::StatusOr<StateSchema> schema = StateSchema::FromToml(kLbFlow, "lb.toml");
  REQUIRE_MESSAGE(schema.ok(), schema.status().ToString());
  const std::byte open[] = {std::byte{1}};
  const std::byte anchor[] = {std::byte{0x0a}, std::byte{0xff}};
  CHECK(*schema == *StateSchema::Builder("lb.flow", 3)
                        .Key("client_ip", FieldType::kIpv4)
                        .Key("client_port", FieldType::kPort)
                        .Value("backend_ip", FieldType::kIpv4)
                        .Value("state", FieldType::kEnum)
                        .Enum({{"new", 0}, {"open", 1}})
                        .Default(open)
                        .Soft()
                        .Value("label", FieldType::kText, 16)
                        .Value("anchor", FieldType::kBytes, 2)
                        .Default(anchor)
                        .Build());
}

TEST_CASE("schema text: fields keep the order in which they were written") {
  const absl::StatusOr<StateSchema> schema = StateSchema::FromToml(R"(
[schema.t]
key.z = "u8"
key.a = "u8"
value.y = "u8"
value.b = "u16"
)");
  REQUIRE_MESSAGE(schema.ok(), schema.status().ToString());
  std::string names;
  for (const Field& field : schema->fields()) {
    names += field.name;
  }
  CHECK(names == "zayb");
}

TEST_CASE("schema text: JSON says the same, as members or as lists") {
  const absl::StatusOr<StateSchema> members = StateSchema::FromJson(R"({"schema": {"lb_flow": {
    "name": "lb.flow", "version": 3,
    "key": {"client_ip": "ipv4", "client_port": "port"},
    "value": {"backend_ip": "ipv4",
              "state": {"type": "enum", "values": {"open": 1, "new": 0}, "default": "open", "soft": true},
              "label": "text[16]", "anchor": {"type": "bytes[2]", "default": "0aff"}}}}})");
  REQUIRE_MESSAGE(members.ok(), members.status().ToString());
  CHECK(*members == *StateSchema::FromToml(kLbFlow));
  const absl::StatusOr<StateSchema> lists =
      StateSchema::FromJson(R"({"schema": {"x": {"key": [{"name": "k", "type": "u8"}],
                                "value": [{"name": "v", "type": "u16", "default": 7}]}}})");
  REQUIRE_MESSAGE(lists.ok(), lists.status().ToString());
  CHECK(lists->name() == "x");
  CHECK(lists->version() == 1);
}

TEST_CASE("schema text: ToJson is read back as the same schema") {
  for (const StateSchema& schema : {FlowSchema(), *StateSchema::FromToml(kLbFlow)}) {
    const std::string json = schema.ToJson();
    CAPTURE(json);
    const absl::StatusOr<StateSchema> back = StateSchema::FromJson(json);
    REQUIRE_MESSAGE(back.ok(), back.status().ToString());
    CHECK(*back == schema);
  }
}

TEST_CASE("schema text: a mistake is told with file, line, column, path and what was meant") {
  CHECK(TomlError("[schema.lb_flow]\n[schema.lb_flow.key]\nclient_ip = \"ip4\"\n") ==
        "lb.toml:3:13: schema.lb_flow.key.client_ip: unknown type \"ip4\", did you mean \"ipv4\"?");
  CHECK(JsonError("{\"schema\": {\"lb_flow\":\n  {\"key\": {\"client_ip\": \"ip4\"}}}}") ==
        "lb.json:2:25: schema.lb_flow.key.client_ip: unknown type \"ip4\", did you mean \"ipv4\"?");
}

TEST_CASE("schema text: every kind of mistake has a message") {
  const auto with = [](std::string_view fields) {
    return TomlError(std::string("[schema.t]\nkey.k = \"u8\"\n") + std::string(fields));
  };
  CHECK(with("vaule.a = \"u8\"") ==
        "lb.toml:3:1: schema.t: unknown member \"vaule\", did you mean \"value\"?");
  CHECK(with("value.a = {typ = \"u8\"}").find("unknown member \"typ\", did you mean \"type\"?") !=
        std::string::npos);
  CHECK(with("value.a = \"text\"") ==
        "lb.toml:3:11: schema.t.value.a: \"text\" needs a size: \"text[16]\"");
  CHECK(with("value.a = \"u8[4]\"") ==
        "lb.toml:3:11: schema.t.value.a: \"u8[4]\" takes no size, expected \"u8\"");
  CHECK(with("value.a = \"text[256]\"").find("with N from 1 to 255") != std::string::npos);
  CHECK(with("value.a = \"text[-1]\"").find("with N from 1 to 255") != std::string::npos);
  CHECK(with("value.a = 7") == "lb.toml:3:11: schema.t.value.a: expected a type, got an integer");
  CHECK(with("value.a = {type = \"u8\", default = 256}") ==
        "lb.toml:3:35: schema.t.value.a.default: 256 is not in 0 to 255");
  CHECK(with("value.a = {type = \"enum\", values = [\"new\"], default = \"nwe\"}") ==
        "lb.toml:3:55: schema.t.value.a.default: expected one of new, got \"nwe\", did you mean "
        "\"new\"?");
  CHECK(with("value.a = \"enum\"").find("schema.t.value.a: an enum without values") !=
        std::string::npos);
  CHECK(with("value.k = \"u8\"") == "lb.toml:3:7: schema.t.value.k: a second field of this name");
  CHECK(with("value.K = \"u8\"").find("lb.toml:3:7: schema.t.value.K: not a name") == 0);
  CHECK(with("value.a = 1979-05-27").find("expected a type, got a date or time") !=
        std::string::npos);
  CHECK(with("version = -1").find("schema.t.version: expected an integer of 32 bits") !=
        std::string::npos);
  CHECK(TomlError("[schema.t]\nvalue.a = \"u8\"").find("needs at least one key field") !=
        std::string::npos);
  CHECK(TomlError("[shema.t]\n").find("unknown member \"shema\"") != std::string::npos);
  CHECK(TomlError("") == "lb.toml:1:1: schema: 0 schemas, expected one");
  CHECK(TomlError("a = [").find("lb.toml:1:") == 0);
  CHECK(TomlError("schema = 1").find("schema: expected a table of schemas") != std::string::npos);
  CHECK(JsonError("{\"schema\": {\"t\": {\"key\": 1}}}").find("expected a table or a list") !=
        std::string::npos);
  CHECK(JsonError("{\"schema\": }").find("lb.json:1:12: ") == 0);
  CHECK(JsonError("{\"schema\": 1, \"schema\": 2}") == "lb.json:1:15: a second \"schema\"");
  CHECK(JsonError("[]") == "lb.json:1:1: schema: 0 schemas, expected one");
}

TEST_CASE("schema text: hostile texts are refused before they cost anything") {
  CHECK(JsonError(std::string(2 << 20, ' ')).find("at most 1048576 are read") != std::string::npos);
  CHECK(JsonError(std::string(100'000, '[')).find("nested more than 16 deep") != std::string::npos);
  std::string many = "[";
  for (int i = 0; i < 70'000; ++i) {
    many += "0,";
  }
  CHECK(JsonError(many).find("more than 65536 values") != std::string::npos);
  CHECK(TomlError("a = " + std::string(100'000, '[')).find("lb.toml:1:") == 0);
  CHECK(JsonError("{\"\xff\": 1}").find("lb.json:1:") == 0);
}

TEST_CASE("schema text: a text may hold several schemas beside other things") {
  const auto schemas = SchemasFromToml(
      "[pair.a]\nx = 1\n[schema.a]\nkey.k = \"u8\"\n[schema.b]\nkey.k = \"u8\"\n", "mimi.toml");
  REQUIRE_MESSAGE(schemas.ok(), schemas.status().ToString());
  REQUIRE(schemas->size() == 2);
  CHECK((*schemas)[1].name() == "b");
  CHECK_FALSE(
      SchemasFromToml("[schema.a]\nkey.k = \"u8\"\n[schema.b]\nname = \"a\"\nkey.k = \"u8\"\n",
                      "mimi.toml")
          .ok());
  CHECK(SchemasFromJson("{}", "mimi.json")->empty());
}

}  // namespace
}  // namespace mimi
