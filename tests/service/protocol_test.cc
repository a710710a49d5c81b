#include <string>

#include <doctest/doctest.h>

#include "src/base/status.h"
#include "src/service/control_protocol.h"
#include "src/service/http_request.h"
#include "src/service/json_writer.h"

namespace mimi::service {
namespace {

TEST_CASE("http: a request is taken when it is whole, and not before") {
  const std::string text =
      "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    const HttpParse parse = ParseHttpRequest(std::string_view(text).substr(0, n));
    CHECK(parse.consumed == 0);
    CHECK(parse.error == 0);
  }
  const HttpParse parse = ParseHttpRequest(text + "GET / HTTP");
  CHECK(parse.consumed == text.size());
  CHECK(parse.request.path == "/metrics");
  CHECK(parse.request.query == "x=1");
  CHECK(parse.request.authorization == "Bearer t");
  CHECK(parse.request.keep_alive);
}

TEST_CASE("http: what is not understood is refused with its code") {
  struct Case {
    const char* text;
    int code;
  };
  for (const Case& each :
       {Case{"GET /\r\n\r\n", 400}, Case{"GET / HTTP/2.0\r\n\r\n", 505},
        Case{"G@T / HTTP/1.1\r\n\r\n", 400}, Case{"GET x HTTP/1.1\r\n\r\n", 400},
        Case{"GET /%zz HTTP/1.1\r\n\r\n", 400}, Case{"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
        Case{"GET / HTTP/1.1\r\n folded\r\n\r\n", 400},
        Case{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413},
        Case{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
        Case{"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", 417}}) {
    CAPTURE(each.text);
    CHECK(ParseHttpRequest(each.text).error == each.code);
  }
  CHECK(ParseHttpRequest("GET / HTTP/1.1\r\nA: " + std::string(kMaxHttpHead, 'x')).error == 431);
}

TEST_CASE("http: connections close when the request says so, or is HTTP/1.0") {
  CHECK_FALSE(ParseHttpRequest("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  CHECK(ParseHttpRequest("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request.keep_alive);
  CHECK_FALSE(
      ParseHttpRequest("GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n").request.keep_alive);
}

TEST_CASE("control: a request with every member") {
  std::uint64_t id = 0;
  const absl::StatusOr<ControlRequest> request =
      ParseControlRequest(R"({"id":7,"verb":"rows","table":"lb.flow","limit":3})", &id);
  REQUIRE(request.ok());
  CHECK(id == 7);
  CHECK(request->verb == ControlVerb::kRows);
  CHECK(request->table == "lb.flow");
  CHECK(request->limit == 3);
}

TEST_CASE("control: what is wrong is named, and answered to its id") {
  std::uint64_t id = 0;
  const auto wrong = [&](std::string_view line) {
    return std::string(Message(ParseControlRequest(line, &id).status()));
  };
  CHECK(wrong(R"({"id":9,"verb":"divret"})") ==
        "verb: there is no \"divret\", did you mean \"divert\"?");
  CHECK(id == 9);
  CHECK(wrong(R"({"verb":"divert","dryrun":true})") == "unknown member \"dryrun\"");
  CHECK(wrong(R"({"verb":"divert","dry_run":1})") == "dry_run: expected true or false");
  CHECK(wrong(R"({"verb":"audit","box":"both"})") == R"(box: expected "primary" or "minion")");
  CHECK_FALSE(wrong("[]").empty());
  CHECK_FALSE(wrong("").empty());
  CHECK_FALSE(wrong(R"({"id":-1,"verb":"ping"})").empty());
  CHECK_FALSE(wrong(std::string(kMaxControlLine + 1, '[')).empty());
}

TEST_CASE("control: errors keep their code on the way") {
  const absl::Status status = Error(absl::StatusCode::kFailedPrecondition, "minion is \"blind\"");
  CHECK(ControlError(4, status) ==
        "{\"id\":4,\"ok\":false,\"code\":\"failed_precondition\","
        "\"message\":\"minion is \\\"blind\\\"\"}\n");
  CHECK(StatusCodeNamed("failed_precondition") == status.code());
}

TEST_CASE("json: members, lists and numbers") {
  JsonWriter json;
  json.BeginObject().Key("a").BeginList().Number(1).Number(2.5).Null().EndList();
  json.Key("b").BeginObject().EndObject().Key("c").Text("\n").EndObject();
  CHECK(json.Take() == R"({"a":[1,2.5,null],"b":{},"c":"\u000a"})");
}

}  // namespace
}  // namespace mimi::service
