#include "src/service/http_server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/service/control_protocol.h"
#include "src/service/http_request.h"
#include "src/service/json_writer.h"
#include "src/service/prometheus_text.h"

namespace mimi::service {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

// Takes the same time wherever the texts differ.
bool SameToken(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= unsigned{static_cast<unsigned char>(a[i])} ^
                  unsigned { static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]) };
  }
  return difference == 0;
}

class Exchange final : public StreamHandler {
 public:
  Exchange(StreamConnection& connection, const HttpServerOptions& options, const PairDoors& doors)
      : connection_(connection), options_(options), doors_(doors) {}
  ~Exchange() override { *alive_ = false; }

  void OnInput(std::string& input) override {
    while (!closed_ && !input.empty()) {
      const HttpParse parse = ParseHttpRequest(input);
      if (parse.error != 0) {
        closed_ = true;
        connection_.Send(
            HttpResponse(parse.error, kText, fmt::format("{}\n", HttpReason(parse.error)), false));
        connection_.Close();
        break;
      }
      if (parse.consumed == 0) {
        return;
      }
      input.erase(0, parse.consumed);
      Answer(parse.request);
    }
    input.clear();
  }

 private:
  void Answer(const HttpRequest& request) {
    if (request.method == "GET" || request.method == "HEAD") {
      return Read(request);
    }
    if (request.method != "POST") {
      return Respond(request, 405, kText, "GET, HEAD and POST are spoken here\n");
    }
    if (options_.token.empty()) {
      return Respond(request, 403, kText, "read-only: no token_file is configured\n");
    }
    constexpr std::string_view kBearer = "Bearer ";
    const std::string_view given = request.authorization;
    if (!given.starts_with(kBearer) || !SameToken(given.substr(kBearer.size()), options_.token)) {
      return Respond(request, 401, kText, "needs the token of token_file\n");
    }
    Act(request);
  }

  void Read(const HttpRequest& request) {
    if (request.path == "/metrics") {
      return Respond(request, 200, kPrometheusType, MetricsText(doors_));
    }
    if (request.path == "/status") {
      return Respond(request, 200, kJson, StatusText(doors_) + "\n");
    }
    if (request.path == "/healthz") {
      return Respond(request, 200, kText, "ok\n");
    }
    if (request.path == "/readyz") {
      const PairWord word = WordOf(doors_.engine->status());
      const bool ready = word.readiness == Readiness::kReady;
      return Respond(request, ready ? 200 : 503, kText,
                     fmt::format("{}{}{}\n", ReadinessName(word.readiness),
                                 word.reason.empty() ? "" : ": ", word.reason));
    }
    if (request.path == "/events") {
      std::string lines;
      for (const std::string& line : doors_.events->last()) {
        lines += line + "\n";
      }
      return Respond(request, 200, "application/jsonl", lines);
    }
    Respond(request, 404, kText,
            "/metrics, /status, /events, /healthz, /readyz; POST /divert, /restore, /audit\n");
  }

  void Act(const HttpRequest& request) {
    const bool divert = request.path == "/divert";
    if (divert || request.path == "/restore") {
      if (request.query == "dry_run") {
        const absl::StatusOr<MovePreview> preview =
            doors_.engine->Preview(divert ? Side::kMinion : Side::kPrimary);
        return RespondLater(preview.status(), preview.ok() ? PreviewToJson(*preview) : "");
      }
      auto done = [this, alive = alive_](const absl::Status& status) {
        if (*alive) {
          RespondLater(status, StatusText(doors_));
        }
      };
      closed_ = true;  // one move per connection
      return divert ? doors_.engine->Divert(done) : doors_.engine->Restore(done);
    }
    if (request.path == "/audit") {
      closed_ = true;
      return doors_.engine->Audit(
          request.query == "box=primary" ? Side::kPrimary : Side::kMinion,
          [this, alive = alive_](const absl::StatusOr<AuditResult>& result) {
            if (*alive) {
              RespondLater(result.status(), result.ok() ? AuditToJson(*result) : "");
            }
          });
    }
    Respond(request, 404, kText, "POST /divert, /restore, /audit\n");
  }

  void Respond(const HttpRequest& request, int code, std::string_view type, std::string_view body) {
    connection_.Send(HttpResponse(code, type, body, request.keep_alive, request.method == "HEAD"));
    if (!request.keep_alive) {
      closed_ = true;
      connection_.Close();
    }
  }

  void RespondLater(const absl::Status& status, std::string_view result) {
    closed_ = true;
    std::string body(result);
    if (!status.ok()) {
      JsonWriter json;
      json.BeginObject().Key("code").Text(StatusCodeName(status.code()));
      body = json.Key("message").Text(Message(status)).EndObject().Take();
    }
    connection_.Send(HttpResponse(status.ok() ? 200 : 409, kJson, body + "\n", false));
    connection_.Close();
  }

  StreamConnection& connection_;
  const HttpServerOptions& options_;
  const PairDoors& doors_;
  bool closed_ = false;  ///< no further request is read
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

absl::StatusOr<std::unique_ptr<StreamServer>> NewHttpServer(UniqueFd socket,
                                                            const HttpServerOptions& options,
                                                            const PairDoors& doors, Loop& loop) {
  const auto shared = std::make_shared<HttpServerOptions>(options);
  return StreamServer::Listen(std::move(socket), loop, options.stream,
                              [shared, &doors](StreamConnection& connection) {
                                return std::make_unique<Exchange>(connection, *shared, doors);
                              });
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (!file.valid() || fstat(file.get(), &found) != 0) {
    return Error(kRefused, "token file {}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(found.st_mode) || (found.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0) {
    return Error(kRefused, "token file {}: others may read or change it (chmod 600)", path);
  }
  std::array<char, 1024> buffer;
  const ssize_t n = read(file.get(), buffer.data(), buffer.size());
  if (n < 0) {
    return Error(kRefused, "token file {}: {}", path, std::strerror(errno));
  }
  std::string_view token(buffer.data(), static_cast<std::size_t>(n));
  while (token.ends_with('\n') || token.ends_with('\r')) {
    token.remove_suffix(1);
  }
  if (token.size() < 16 || token.size() >= buffer.size() ||
      std::ranges::any_of(token, [](char c) { return c <= ' ' || c >= '\x7f'; })) {
    return Error(kRefused, "token file {}: expected 16 to {} visible ASCII characters", path,
                 buffer.size() - 1);
  }
  return std::string(token);
}

}  // namespace mimi::service
