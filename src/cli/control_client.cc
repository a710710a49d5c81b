#include "src/cli/control_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/cli/runtime_directory.h"
#include "src/service/control_protocol.h"

namespace mimi::cli {
namespace {

using internal::Member;
using internal::Node;

// A status with sixteen moves and every reason is some 20 kB; a row some 500 bytes.
constexpr std::size_t kMostAnswer = std::size_t{16} << 20;

std::string TextOf(const Node& node, std::string_view name) {
  const Member* const member = node.Find(name);
  return member == nullptr ? "" : member->value.text;
}

bool BoolOf(const Node& node, std::string_view name) {
  const Member* const member = node.Find(name);
  return member != nullptr && member->value.boolean;
}

// The JSON of a member of a line that our own server wrote: from behind its key to the last brace.
std::string_view RawMember(std::string_view line, std::string_view name) {
  const std::string key = fmt::format(",\"{}\":", name);
  const std::size_t at = line.find(key);
  const std::size_t end = line.rfind('}');
  if (at == std::string_view::npos || end == std::string_view::npos || end < at + key.size()) {
    return {};
  }
  return line.substr(at + key.size(), end - at - key.size());
}

}  // namespace

absl::StatusOr<Node> ParseAnswer(std::string_view json) {
  return internal::ParseJson(json, "answer", {.bytes = kMostAnswer, .nodes = 1 << 20});
}

absl::StatusOr<ControlClient> ControlClient::Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(absl::StatusCode::kInvalidArgument, "\"{}\" cannot be a socket's path", path);
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const void* const bytes = &address;
  if (connect(fd.get(), static_cast<const sockaddr*>(bytes), sizeof address) != 0) {
    const int error = errno;
    const bool nobody = error == ECONNREFUSED || error == ENOENT;
    return Error(nobody ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition,
                 "{}: {}", path, nobody ? "no process listens there" : std::strerror(error));
  }
  return ControlClient(std::move(fd), path);
}

absl::StatusOr<std::string> ControlClient::ReadLine() {
  while (true) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    char buffer[65536];
    const ssize_t n = read(socket_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0 || unread_.size() > kMostAnswer) {
      return Error(absl::StatusCode::kUnavailable, "{}: the process went away", path_);
    }
    unread_.append(buffer, static_cast<std::size_t>(n));
  }
}

absl::StatusOr<std::string> ControlClient::Ask(std::string_view members, const PartCallback& part) {
  const std::string request = fmt::format("{{\"id\":1,{}}}\n", members);
  if (send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Error(absl::StatusCode::kUnavailable, "{}: the process went away", path_);
  }
  while (true) {
    const absl::StatusOr<std::string> line = ReadLine();
    if (!line.ok()) {
      return line.status();
    }
    for (const std::string_view member : {"event", "row"}) {
      const std::string start = fmt::format("{{\"id\":1,\"{}\":", member);
      if (line->starts_with(start) && part) {
        part(member, std::string(RawMember(*line, member)));
      }
    }
    if (line->starts_with("{\"id\":1,\"ok\":true,")) {
      return std::string(RawMember(*line, "result"));
    }
    if (line->find("\"ok\":false") != std::string::npos) {
      const absl::StatusOr<Node> answer = ParseAnswer(*line);
      if (!answer.ok()) {
        return answer.status();
      }
      return Error(service::StatusCodeNamed(TextOf(*answer, "code")), "{}",
                   TextOf(*answer, "message"));
    }
  }
}

absl::StatusOr<ControlClient> FindProcess(const std::string& pair, const std::string& socket,
                                          Wanted wanted) {
  if (!socket.empty()) {
    return ControlClient::Connect(socket);
  }
  absl::StatusOr<ControlClient> found =
      Error(absl::StatusCode::kUnavailable, "no process of {} runs here (looked in {})",
            pair.empty() ? "any pair" : fmt::format("pair \"{}\"", pair),
            RuntimeDirectory().empty() ? "no directory: give --socket" : RuntimeDirectory());
  int best = -1;
  for (const std::string& path : FindSockets(pair)) {
    absl::StatusOr<ControlClient> client = ControlClient::Connect(path);
    if (!client.ok()) {
      if (best < 0 && client.status().code() == absl::StatusCode::kFailedPrecondition) {
        found = client.status();  // it is there, but not for us
      }
      continue;
    }
    const absl::StatusOr<std::string> answer = client->Ask("\"verb\":\"ping\"");
    const absl::StatusOr<Node> who = answer.ok() ? ParseAnswer(*answer) : answer.status();
    if (!who.ok() || (!pair.empty() && TextOf(*who, "pair") != pair)) {
      continue;
    }
    const std::string roles = TextOf(*who, "roles");
    const bool sink = roles.find("minion") != std::string::npos;
    const bool source = roles.find("driver") != std::string::npos;
    const int score = wanted == Wanted::kSink
                          ? (sink ? 2 : (source ? 1 : 0))
                          : (BoolOf(*who, "acting") ? 2 : (BoolOf(*who, "manages") ? 1 : 0));
    if (score > best) {
      best = score;
      found = *std::move(client);
    }
  }
  return found;
}

}  // namespace mimi::cli
