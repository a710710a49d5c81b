#include "src/io/redis_words.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace mimi::internal {
namespace {

void AppendLength(char mark, std::size_t length, std::string* out) {
  std::array<char, 24> text;
  text[0] = mark;
  char* const end = std::to_chars(text.data() + 1, text.data() + 22, length).ptr;
  end[0] = '\r';
  end[1] = '\n';
  out->append(text.data(), static_cast<std::size_t>(end + 2 - text.data()));
}

struct Trouble {
  std::string_view word;
  std::string_view state;
};
constexpr Trouble kTroubles[] = {
    {"NOAUTH", "wrong password"},
    {"WRONGPASS", "wrong password"},
    {"NOPERM", "no permission"},
    {"LOADING", "loading"},
    {"READONLY", "read-only replica"},
    {"MASTERDOWN", "read-only replica"},
    {"CLUSTERDOWN", "cluster is down"},
    {"MISCONF", "cannot save"},
    {"NOREPLICAS", "not enough replicas"},
    {"OOM ", "out of memory"},
    {"WRONGTYPE", "wrong type"},
    {"NOSCRIPT", "scripts were flushed"},
    {"MOVED ", "moved"},
    {"ASK ", "moving"},
    {"TRYAGAIN", "moving"},
    {"non local key", "moving"},
};

}  // namespace

void AppendCommand(std::span<const std::string_view> arguments, std::string* out) {
  AppendLength('*', arguments.size(), out);
  for (const std::string_view argument : arguments) {
    AppendLength('$', argument.size(), out);
    out->append(argument);
    out->append("\r\n");
  }
}

std::string_view RedisTrouble(std::string_view error) {
  for (const Trouble& trouble : kTroubles) {
    if (error.find(trouble.word) != std::string_view::npos) {
      return trouble.state;
    }
  }
  return "error";
}

std::optional<RedisRedirection> ParseRedirection(std::string_view error, std::string_view from) {
  RedisRedirection redirection;
  redirection.ask = error.starts_with("ASK ");
  if (!redirection.ask && !error.starts_with("MOVED ")) {
    return std::nullopt;
  }
  const std::string_view address = error.substr(error.rfind(' ') + 1);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  const auto [end, bad] =
      std::from_chars(port.data(), port.data() + port.size(), redirection.to.port);
  if (bad != std::errc() || end != port.data() + port.size() || redirection.to.port == 0) {
    return std::nullopt;
  }
  redirection.to.host = host.empty() || host == "?" ? from : host;
  return redirection;
}

std::string_view SocketTrouble(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:  // a local socket that is not there
      return "refused";
    case ETIMEDOUT:
      return "no answer";
    case ECONNRESET:
    case EPIPE:
      return "reset";
    default:
      return "unreachable";
  }
}

}  // namespace mimi::internal
