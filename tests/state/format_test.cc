// The vectors in FORMAT.md are what the code does: they are read from that file. They were computed
// by another program, from the text alone.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/json.h"
#include "mimi/record.h"
#include "mimi/schema.h"

#include "src/base/bytes.h"

namespace mimi {
namespace {

constexpr UnixTime kTime{Duration{1'700'000'000'000'000'000}};

// The fenced blocks of the file by what stands behind their fence: "hex row".
std::map<std::string, std::string> ReadBlocks() {
  std::ifstream file(MIMI_FORMAT_MD);
  REQUIRE_MESSAGE(file, MIMI_FORMAT_MD);
  std::map<std::string, std::string> blocks;
  std::string line;
  std::string* open = nullptr;
  while (std::getline(file, line)) {
    if (line.starts_with("```")) {
      open = open == nullptr ? &blocks[line.substr(3)] : nullptr;
    } else if (open != nullptr) {
      *open += line.substr(0, line.find('#')) + "\n";
    }
  }
  return blocks;
}

std::string Block(const std::string& name) {
  const auto blocks = ReadBlocks();
  REQUIRE_MESSAGE(blocks.contains(name), name);
  std::string block = blocks.at(name);
  block.erase(block.find_last_not_of('\n') + 1);
  return block;
}

std::string FromHex(const std::string& name) {
  std::istringstream words(Block("hex " + name));
  std::string bytes;
  std::string word;
  while (words >> word) {
    bytes.push_back(static_cast<char>(std::stoi(word, nullptr, 16)));
  }
  REQUIRE_FALSE(bytes.empty());
  return bytes;
}

std::uint64_t Value(const std::string& name) {
  return std::stoull(Block("value " + name), nullptr, 16);
}

StateSchema LbFlow() {
  const std::byte open[] = {std::byte{1}};
  return *StateSchema::Builder("lb.flow", 3)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Value("state", FieldType::kEnum)
              .Enum({{"new", 0}, {"open", 1}})
              .Default(open)
              .Soft()
              .Build();
}

TEST_CASE("format: the schema's bytes") {
  CHECK(LbFlow().Serialize() == FromHex("schema"));
  const absl::StatusOr<StateSchema> parsed = StateSchema::Parse(FromHex("schema"));
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().ToString());
  CHECK(*parsed == LbFlow());
}

TEST_CASE("format: table, origin and fingerprints") {
  CHECK(LbFlow().table() == Value("table"));
  CHECK(OriginOf("edge1") == Value("origin"));
  const StateSchema schema = LbFlow();
  std::ostringstream prefixes;
  for (const StateSchema::Prefix& prefix : schema.prefixes()) {
    prefixes << "0x" << std::hex;
    prefixes.width(16);
    prefixes.fill('0');
    prefixes << prefix.fingerprint << ' ' << std::dec << prefix.row_size << '\n';
  }
  CHECK(prefixes.str() == Block("value prefixes") + "\n");
}

TEST_CASE("format: batches") {
  const std::string row = FromHex("row");
  BatchBuilder builder(LbFlow(), OriginOf("edge1"));
  REQUIRE(builder.Put(AsBytes(row)));
  REQUIRE(builder.Erase(AsBytes(row).first(6)));
  CHECK(AsText(builder.Seal(7, 41, kTime).bytes()) == FromHex("batch"));

  builder.Clear();
  builder.set_flags(kBatchHeartbeat);
  CHECK(AsText(builder.Seal(7, 43, kTime + std::chrono::milliseconds(250)).bytes()) ==
        FromHex("heartbeat"));

  BatchBuilder snapshot(LbFlow(), 0);
  const std::string sealed = FromHex("batch");
  const absl::StatusOr<BatchView> batch = BatchView::Parse(AsBytes(sealed));
  REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
  REQUIRE(snapshot.AppendVersioned((*batch)[0]));
  CHECK(AsText(snapshot.Seal(0, 0, kTime).bytes()) == FromHex("versioned"));
}

TEST_CASE("format: JSON") {
  const StateSchema schema = LbFlow();
  const std::string row = FromHex("row");
  CHECK(RowToJson(schema, AsBytes(row)) == Block("json row"));
  const auto parsed = RowFromJson(schema, Block("json row"));
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().ToString());
  CHECK(AsText(*parsed) == row);

  const std::string sealed = FromHex("batch");
  const absl::StatusOr<BatchView> batch = BatchView::Parse(AsBytes(sealed));
  REQUIRE(batch.ok());
  CHECK(RecordToJson(schema, (*batch)[0]) == Block("json record"));

  CHECK(schema.ToJson() == Block("json definition"));
  const absl::StatusOr<StateSchema> defined = StateSchema::FromJson(Block("json definition"));
  REQUIRE_MESSAGE(defined.ok(), defined.status().ToString());
  CHECK(*defined == schema);
}

}  // namespace
}  // namespace mimi
