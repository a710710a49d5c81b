#include "src/config/config.h"

#include <string>

#include <doctest/doctest.h>

#include "src/base/status.h"
#include "src/cli/kinds.h"

namespace mimi {
namespace {

using config::Config;
using config::ReadConfig;
using config::Role;

constexpr std::string_view kSmallest = R"([pair]
name = "edge1"
[store]
url = "memory:"
[primary.driver]
kind = "rows_file"
path = "rows"
[minion]
kind = "table"
)";

absl::StatusOr<Config> Read(const std::string& text, config::Roles roles = 0) {
  return ReadConfig(text, "edge1.toml", cli::AllKinds(), roles);
}

std::string WrongOf(const std::string& text, config::Roles roles = 0) {
  return std::string(Message(Read(text, roles).status()));
}

bool Contains(std::string_view text, std::string_view part) {
  if (text.find(part) == std::string_view::npos) {
    MESSAGE(std::string(text));
    return false;
  }
  return true;
}

TEST_CASE("config: nine lines are a pair, with a default for everything else") {
  const absl::StatusOr<Config> config = Read(std::string(kSmallest));
  REQUIRE_MESSAGE(config.ok(), std::string(Message(config.status())));
  CHECK(config->pair == "edge1");
  CHECK(config->primary.node == "edge1.primary");
  CHECK(config->primary.drivers.size() == 1);
  CHECK(config->minion.minions.size() == 1);
  CHECK(Has(config->roles, Role::kDriver));
  CHECK(Has(config->roles, Role::kMinion));
  CHECK_FALSE(Has(config->roles, Role::kManager));
  CHECK(config->engine.max_staleness == std::chrono::seconds(1));
}

TEST_CASE("config: a misspelt key is an error with its place and what was meant") {
  const std::string wrong = WrongOf(std::string(kSmallest) + "[http]\nlisten_at = 1\n");
  CHECK(Contains(wrong, "edge1.toml:11:1: http: unknown key \"listen_at\""));
  CHECK(Contains(WrongOf("[piar]\nname = \"x\"\n"), "did you mean \"pair\"?"));
}

TEST_CASE("config: an unknown kind names those that there are") {
  std::string text(kSmallest);
  text.replace(text.find("\"table\""), 7, "\"tabel\"");
  const std::string wrong = WrongOf(text);
  CHECK(Contains(wrong, "edge1.toml:9:8: minion.kind: unknown kind \"tabel\", did you mean"));
  CHECK(Contains(wrong, "did you mean \"table\"?"));
}

TEST_CASE("config: wrong types and ranges say what was expected and what was seen") {
  std::string text(kSmallest);
  const auto with = [&](const std::string& line) {
    return WrongOf("[pair]\nname = \"edge1\"\n" + line + text.substr(text.find("[store]")));
  };
  CHECK(Contains(with("blind_after = 3\n"), "edge1.toml:3:15: pair.blind_after: expected a time"));
  CHECK(Contains(with("blind_after = \"3 sec\"\n"), "got \"3 sec\""));
  CHECK(Contains(with("max_rows = 0\n"), "expected an integer from 1 to"));
  CHECK(Contains(with("report_every = \"4s\"\n"), "must be shorter than blind_after"));
  CHECK(Contains(with("max_rows = 12e3\n"), "got a number"));
}

TEST_CASE("config: every mistake is told at once") {
  const std::string wrong = WrongOf("[pair]\nname = \"a b\"\n[store]\nurl = \"fil:x\"\n");
  CHECK(Contains(wrong, "pair.name: expected up to 63 letters"));
  CHECK(Contains(wrong, "store.url: unknown url \"fil\", did you mean \"file\"?"));
}

TEST_CASE("config: a role without its section is refused, and roles can be chosen") {
  CHECK(Contains(WrongOf(std::string(kSmallest), static_cast<config::Roles>(Role::kManager)),
                 "\"manager\" is to run here, but the file has nothing for it: [manager]"));
  const absl::StatusOr<Config> config = Read("roles = [\"minion\"]\n" + std::string(kSmallest));
  REQUIRE(config.ok());
  CHECK(config::RolesText(config->roles) == "minion");
  CHECK(Contains(WrongOf("roles = [\"driver\", \"minoin\"]\n" + std::string(kSmallest)),
                 "did you mean \"minion\"?"));
}

TEST_CASE("config: a table that no schema describes is refused") {
  std::string text(kSmallest);
  text += "table = \"lb.flow\"\n";
  CHECK(Contains(WrongOf(text), "no schema \"lb.flow\" in this file; there is \"mimi.flow\""));
  text += "[schema.lb_flow]\nname = \"lb.flow\"\n[schema.lb_flow.key]\nip = \"ipv4\"\n";
  CHECK(Read(text).ok());
}

TEST_CASE("config: liveness without a manager is refused") {
  CHECK(Contains(WrongOf(std::string(kSmallest) + "[[liveness]]\nkind = \"bfd\"\n"),
                 "is for a manager, but there is no section [manager]"));
}

TEST_CASE("config: a password in a URL is not shown") {
  CHECK(config::WithoutPassword("redis://u:secret@host:6379/0") == "redis://…@host:6379/0");
  CHECK(config::WithoutPassword("redis-sentinel://u:p@h/m?sentinel_password=q&db=1") ==
        "redis-sentinel://…@h/m?sentinel_…&db=1");
  CHECK(config::WithoutPassword("file:/a@b") == "file:/a@b");
}

TEST_CASE("config: endpoints and sizes") {
  using config::ParseEndpoint;
  CHECK(FormatEndpoint(*ParseEndpoint("127.0.0.1:80")) == "127.0.0.1:80");
  CHECK(FormatEndpoint(*ParseEndpoint("[2001:db8::1]:514")) == "[2001:db8::1]:514");
  CHECK(FormatEndpoint(*ParseEndpoint("*:514")) == "*:514");
  for (const char* wrong : {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
                            "[127.0.0.1]:80", "host:80", "127.0.0.1:+1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseEndpoint(wrong).has_value());
  }
  CHECK(config::ParseSize("64 MiB") == std::uint64_t{64} << 20);
  CHECK(config::ParseSize("4096") == 4096U);
  CHECK_FALSE(config::ParseSize("4 miles").has_value());
  CHECK_FALSE(config::ParseSize("18446744073709551615 GiB").has_value());
}

}  // namespace
}  // namespace mimi
