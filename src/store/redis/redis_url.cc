// URLs of Redis repositories, as mimi/builtin/redis_store.h describes them.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "mimi/builtin/redis_store.h"

#include "src/base/status.h"

namespace mimi {
namespace {

struct Scheme {
  std::string_view name;
  RedisStoreOptions::Deployment deployment;
  bool tls;
  bool socket;
};
using Deployment = RedisStoreOptions::Deployment;
constexpr Scheme kSchemes[] = {
    {"redis://", Deployment::kStandalone, false, false},
    {"rediss://", Deployment::kStandalone, true, false},
    {"unix://", Deployment::kStandalone, false, true},
    {"redis-sentinel://", Deployment::kSentinel, false, false},
    {"rediss-sentinel://", Deployment::kSentinel, true, false},
    {"redis-cluster://", Deployment::kCluster, false, false},
    {"rediss-cluster://", Deployment::kCluster, true, false},
};

const Scheme* FindScheme(std::string_view url) {
  for (const Scheme& scheme : kSchemes) {
    if (url.starts_with(scheme.name)) {
      return &scheme;
    }
  }
  return nullptr;
}

template <class... Args>
absl::Status Bad(fmt::format_string<Args...> format, Args&&... args) {
  return Prepend("redis URL",
                 Error(absl::StatusCode::kInvalidArgument, format, std::forward<Args>(args)...));
}

absl::StatusOr<std::string> Decode(std::string_view text, std::string_view part) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    const char* const first = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(first, first + 2, value, 16).ptr != first + 2) {
      return Bad("{}: a % must be followed by two hexadecimal digits", part);
    }
    decoded.push_back(static_cast<char>(value));
    i += 2;
  }
  return decoded;
}

template <class Number>
absl::StatusOr<Number> ParseNumber(std::string_view text, std::string_view part, Number most) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) {
    return Bad("{}: \"{}\" is not a number up to {}", part, text, most);
  }
  return value;
}

// Cuts `*text` at the first `mark` and returns what stood before it; all of it when there is none.
std::string_view CutAt(std::string_view* text, char mark) {
  const std::size_t at = text->find(mark);
  const std::string_view before = text->substr(0, at);
  *text = at == std::string_view::npos ? std::string_view() : text->substr(at + 1);
  return before;
}

absl::StatusOr<RedisAddress> ParseAddress(std::string_view text, std::uint16_t port) {
  RedisAddress address;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return Bad("address {}: ] is missing", text);
    }
    address.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    address.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (address.host.empty() || (!rest.empty() && rest.front() != ':')) {
    return Bad("\"{}\": expected host or host:port", text);
  }
  address.port = port;
  if (!rest.empty()) {
    absl::StatusOr<std::uint16_t> number =
        ParseNumber<std::uint16_t>(rest.substr(1), "port", 65535);
    if (!number.ok() || *number == 0) {
      return Bad("port \"{}\": expected 1 to 65535", rest.substr(1));
    }
    address.port = *number;
  }
  return address;
}

absl::Status ParseUser(std::string_view text, RedisStoreOptions* options) {
  const std::string_view user = CutAt(&text, ':');
  absl::StatusOr<std::string> name = Decode(user, "user");
  absl::StatusOr<std::string> password = Decode(text, "password");
  if (!name.ok() || !password.ok()) {
    return name.ok() ? password.status() : name.status();
  }
  options->user = *std::move(name);
  options->password = *std::move(password);
  return absl::OkStatus();
}

template <class Number>
absl::Status SetNumber(std::string_view text, std::string_view part, Number most, Number* out) {
  absl::StatusOr<Number> number = ParseNumber<Number>(text, part, most);
  if (number.ok()) {
    *out = *number;
  }
  return number.status();
}

absl::Status SetParameter(std::string_view name, std::string value, RedisStoreOptions* options) {
  const std::pair<std::string_view, std::string*> texts[] = {
      {"pair", &options->pair},
      {"prefix", &options->prefix},
      {"ca", &options->ca_file},
      {"cert", &options->cert_file},
      {"key", &options->key_file},
      {"name", &options->server_name},
      {"sentinel_user", &options->sentinel_user},
      {"sentinel_password", &options->sentinel_password},
  };
  for (const auto& [known, field] : texts) {
    if (name == known) {
      *field = std::move(value);
      return absl::OkStatus();
    }
  }
  if (name == "db") {
    return SetNumber<std::uint32_t>(value, "db", 1U << 20, &options->database);
  }
  if (name == "feed_bytes") {
    return SetNumber<std::size_t>(value, "feed_bytes", std::size_t{1} << 50, &options->feed_bytes);
  }
  if (name == "max_rows") {
    return SetNumber<std::size_t>(value, "max_rows", std::size_t{1} << 31, &options->max_rows);
  }
  if (name == "rows" && (value == "packed" || value == "json")) {
    options->rows =
        value == "json" ? RedisStoreOptions::Rows::kJson : RedisStoreOptions::Rows::kPacked;
    return absl::OkStatus();
  }
  if (name == "rows") {
    return Bad("rows={}: expected packed or json", value);
  }
  return Bad(
      "no parameter \"{}\"; there are pair, prefix, db, rows, feed_bytes, max_rows, ca, cert, "
      "key, name, sentinel_user, sentinel_password",
      name);
}

absl::Status ParseQuery(std::string_view query, RedisStoreOptions* options) {
  while (!query.empty()) {
    std::string_view value = CutAt(&query, '&');
    const std::string_view name = CutAt(&value, '=');
    absl::StatusOr<std::string> decoded = Decode(value, name);
    if (!decoded.ok()) {
      return decoded.status();
    }
    if (absl::Status set = SetParameter(name, *std::move(decoded), options); !set.ok()) {
      return set;
    }
  }
  return absl::OkStatus();
}

absl::Status ParsePath(std::string_view path, RedisStoreOptions* options) {
  if (options->deployment == Deployment::kSentinel) {
    absl::StatusOr<std::string> service = Decode(CutAt(&path, '/'), "service");
    if (!service.ok()) {
      return service.status();
    }
    options->service = *std::move(service);
    if (options->service.empty()) {
      return Bad("the service's name is missing: redis-sentinel://host/SERVICE");
    }
  }
  if (path.empty()) {
    return absl::OkStatus();
  }
  if (options->deployment == Deployment::kCluster) {
    return Bad("\"/{}\": a cluster has no databases", path);
  }
  return SetNumber<std::uint32_t>(path, "database", 1U << 20, &options->database);
}

absl::Status ParseHosts(std::string_view hosts, RedisStoreOptions* options) {
  const std::uint16_t port = options->deployment == Deployment::kSentinel ? 26379 : 6379;
  if (options->deployment == Deployment::kStandalone && hosts.find(',') != std::string_view::npos) {
    return Bad("{}: several hosts need redis-sentinel:// or redis-cluster://", hosts);
  }
  do {
    absl::StatusOr<RedisAddress> address = ParseAddress(CutAt(&hosts, ','), port);
    if (!address.ok()) {
      return address.status();
    }
    options->addresses.push_back(*std::move(address));
  } while (!hosts.empty());
  return absl::OkStatus();
}

}  // namespace

bool IsRedisUrl(std::string_view text) {
  return FindScheme(text) != nullptr;
}

std::string RedactRedisUrl(std::string_view url) {
  std::string shown(url);
  constexpr std::string_view kSecret = "sentinel_password=";
  for (std::size_t at = 0; (at = shown.find(kSecret, at)) != std::string::npos;) {
    at += kSecret.size();
    shown.erase(at, std::min(shown.find('&', at), shown.size()) - at);
  }
  const std::size_t begin = shown.find("://");
  const std::size_t at = shown.substr(0, shown.find('?')).rfind('@');
  if (begin != std::string::npos && at != std::string::npos) {
    const std::size_t colon = std::min(shown.find(':', begin + 3), at);
    shown.erase(colon, at - colon);
  }
  return shown;
}

absl::StatusOr<RedisStoreOptions> RedisStoreOptionsFromUrl(std::string_view url) {
  const Scheme* const scheme = FindScheme(url);
  if (scheme == nullptr) {
    return Bad("expected redis://, rediss://, unix://, redis-sentinel:// or redis-cluster://");
  }
  RedisStoreOptions options;
  options.deployment = scheme->deployment;
  options.tls = scheme->tls;
  std::string_view query = url.substr(scheme->name.size());
  std::string_view rest = CutAt(&query, '?');
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    if (absl::Status user = ParseUser(rest.substr(0, at), &options); !user.ok()) {
      return user;
    }
    rest.remove_prefix(at + 1);
  }
  if (scheme->socket) {
    absl::StatusOr<std::string> path = Decode(rest, "path");
    if (!path.ok()) {
      return path.status();
    }
    if (!path->starts_with('/')) {
      return Bad("unix://: expected the absolute path of a socket");
    }
    options.addresses.push_back({.host = {}, .port = 0, .path = *std::move(path)});
  } else {
    const std::string_view hosts = CutAt(&rest, '/');
    if (absl::Status parsed = ParseHosts(hosts, &options); !parsed.ok()) {
      return parsed;
    }
    if (absl::Status parsed = ParsePath(rest, &options); !parsed.ok()) {
      return parsed;
    }
  }
  if (absl::Status parsed = ParseQuery(query, &options); !parsed.ok()) {
    return parsed;
  }
  return options;
}

}  // namespace mimi
