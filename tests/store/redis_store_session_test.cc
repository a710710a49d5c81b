// The session with redis-cli in docs/redis.md is what one sees.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "mimi/types.h"

#include "tests/store/redis_store_under_test.h"

namespace mimi {
namespace {

StateSchema LbFlow() {
  return *StateSchema::Builder("lb.flow", 3)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Build();
}

std::vector<std::byte> Row(std::uint8_t client) {
  std::vector<std::byte> row;
  for (const unsigned byte : {198U, 51U, 100U, unsigned{client}, 0x40U, 0x9cU, 10U, 0U, 0U, 5U}) {
    row.push_back(static_cast<std::byte>(byte));
  }
  return row;
}

void WriteRows(contract::Bench& bench, const RedisServer& server) {
  const StateSchema schema = LbFlow();
  contract::Node node(bench, schema, "edge1");
  BatchBuilder builder(schema, node.origin);
  REQUIRE(builder.Put(Row(7)));
  REQUIRE(builder.Put(Row(8)));
  REQUIRE(bench.Apply(*node.store, builder.Seal(node.claim.term, 1, UnixTime())).ok());
  builder.Clear();
  const std::vector<std::byte> gone = Row(7);
  REQUIRE(builder.Erase(std::span(gone).first(6)));
  REQUIRE(builder.Put(Row(9)));
  REQUIRE(bench.Apply(*node.store, builder.Seal(node.claim.term, 3, UnixTime())).ok());
  // The keeper gets round to it within a second or so.
  REQUIRE(bench.Until([&] {
    return server.Run("HGET mimi:{edge1}:pair position").find("4") != std::string::npos;
  }));
}

std::string RunCli(const RedisServer& server, const std::string& form, const std::string& command) {
  const std::string line =
      "redis-cli " + form + " -s '" + server.socket() + "' " + command + " 2>&1";
  FILE* const pipe = popen(line.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char block[4096];
  for (std::size_t got = 0; (got = fread(block, 1, sizeof block, pipe)) > 0;) {
    output.append(block, got);
  }
  pclose(pipe);
  return output;
}

// The session behind `begin` in docs/redis.md, and what one sees when it is typed.
void Replay(const RedisServer& server, const std::string& begin, const std::string& form,
            int least) {
  std::ifstream file(MIMI_SOURCE_DIR "/docs/redis.md");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::size_t at = text.find(begin);
  REQUIRE(at != std::string::npos);
  at += begin.size();
  const std::string session = text.substr(at, text.find("```", at) - at);
  std::string seen;
  int commands = 0;
  for (std::size_t line = 0; line < session.size();) {
    const std::size_t end = session.find('\n', line);
    if (session.compare(line, 2, "> ") == 0) {
      const std::string command = session.substr(line + 2, end - line - 2);
      seen += "> " + command + "\n" + RunCli(server, form, command);
      ++commands;
    }
    line = end + 1;
  }
  CHECK(commands >= least);
  CHECK(seen == session);
}

TEST_CASE("redis store: the session in docs/redis.md is what redis-cli shows") {
  const RedisServer server;
  RedisBench bench(RedisBench::Options(server));
  WriteRows(bench, server);
  Replay(server, "```redis-cli\n", "--no-raw", 6);
}

TEST_CASE("redis store: the session with rows as JSON in docs/redis.md is what redis-cli shows") {
  const RedisServer server;
  RedisStoreOptions options = RedisBench::Options(server);
  options.rows = RedisStoreOptions::Rows::kJson;
  RedisBench bench(options);
  WriteRows(bench, server);
  Replay(server, "```redis-cli --raw\n", "--raw", 2);
}

}  // namespace
}  // namespace mimi
