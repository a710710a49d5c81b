#include "src/cli/status_screen.h"

#include <string>

#include <doctest/doctest.h>

#include "src/service/status_json.h"

namespace mimi::cli {
namespace {

PairStatus OneReadyPair() {
  PairStatus status;
  status.pair = "edge1";
  status.view.minion.readiness = Readiness::kReady;
  status.store.rows = 102'335;
  status.store.term = 3;
  status.managed = true;
  status.primary_source.report.node = 1;
  status.primary_source.report.rows = 102'333;
  status.primary_source.heard = true;
  status.moves.push_back({.at = {},
                          .to = Side::kMinion,
                          .planned = false,
                          .succeeded = true,
                          .took = std::chrono::milliseconds(41),
                          .reason = "bfd down"});
  return status;
}

std::string Screen(const PairStatus& status, bool colour = false) {
  const service::ProcessFacts facts{
      .version = "1", .roles = "manager", .store = "memory:", .manages = true};
  return StatusScreen(*internal::ParseJson(service::StatusToJson(status, facts), "status"), colour);
}

TEST_CASE("status screen: word, traffic, rows and moves are there to see") {
  const std::string screen = Screen(OneReadyPair());
  CHECK(screen.starts_with("edge1   READY   traffic at the primary\n"));
  CHECK(screen.find("driver 102 333  →  store 102 333  →  minion -") != std::string::npos);
  CHECK(screen.find("to the minion   unplanned done      41 ms  bfd down") != std::string::npos);
  CHECK(screen.find("standing by as manager") != std::string::npos);
}

TEST_CASE("status screen: each reason stands on a line of its own") {
  PairStatus status = OneReadyPair();
  status.view.minion.readiness = Readiness::kDegraded;
  status.view.minion.readiness_reason = "3 rows differed; store unreachable";
  const std::string screen = Screen(status);
  CHECK(screen.find("DEGRADED") != std::string::npos);
  CHECK(screen.find("  · 3 rows differed\n  · store unreachable\n") != std::string::npos);
}

TEST_CASE("status screen: without colour there is no escape") {
  CHECK(Screen(OneReadyPair()).find('\x1b') == std::string::npos);
  CHECK(Screen(OneReadyPair(), true).find("\x1b[1;32mREADY") != std::string::npos);
}

TEST_CASE("status screen: a row for people, and what is no row as it is") {
  CHECK(RowLine(R"({"a":"x","b":-3,"c":true})") == "a=x b=-3 c=true\n");
  CHECK(RowLine("nonsense") == "nonsense\n");
}

TEST_CASE("status screen: the status of another version does not break it") {
  CHECK_FALSE(StatusScreen(*internal::ParseJson("{}", "status"), false).empty());
}

}  // namespace
}  // namespace mimi::cli
