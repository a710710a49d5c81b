#include "src/service/http_request.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

namespace mimi::service {
namespace {

// RFC 9110, section 5.6.2.
bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenChar);
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

// Whether a comma-separated field lists this word.
bool Lists(std::string_view field, std::string_view word) {
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    std::string_view item = field.substr(0, comma);
    field.remove_prefix(std::min(comma + 1, field.size()));
    while (item.starts_with(' ') || item.starts_with('\t')) {
      item.remove_prefix(1);
    }
    while (item.ends_with(' ') || item.ends_with('\t')) {
      item.remove_suffix(1);
    }
    if (EqualsIgnoringCase(item, word)) {
      return true;
    }
  }
  return false;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = Lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> Decoded(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    const int high = i + 2 < path.size() ? HexDigit(path[i + 1]) : -1;
    const int low = i + 2 < path.size() ? HexDigit(path[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

// "GET /metrics?x HTTP/1.1". Answers with 0 or the error's code.
int ParseRequestLine(std::string_view line, HttpRequest* request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) {
    return 400;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (version.starts_with("HTTP/") && version.size() == 8 && version[5] >= '2' &&
      version[5] <= '9') {
    return 505;
  }
  if (!IsToken(method) || (version != "HTTP/1.1" && version != "HTTP/1.0") ||
      !target.starts_with('/') ||
      std::ranges::any_of(target, [](char c) { return c <= ' ' || c == '\x7f'; })) {
    return 400;
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  std::optional<std::string> path = Decoded(target.substr(0, question));
  if (!path) {
    return 400;
  }
  request->method = method;
  request->path = *std::move(path);
  request->query = target.substr(std::min(question + 1, target.size()));
  request->keep_alive = version == "HTTP/1.1";
  return 0;
}

// One "Name: value". Answers with 0 or the error's code.
int ParseField(std::string_view line, HttpRequest* request) {
  const std::size_t colon = line.find(':');
  // A blank before the colon, or a folded line, is how requests are smuggled: RFC 9112, 5.1.
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return 400;
  }
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) {
    value.remove_prefix(1);
  }
  while (value.ends_with(' ') || value.ends_with('\t')) {
    value.remove_suffix(1);
  }
  if (value.find('\0') != std::string_view::npos || value.find('\r') != std::string_view::npos) {
    return 400;
  }
  if (EqualsIgnoringCase(name, "transfer-encoding") ||
      (EqualsIgnoringCase(name, "content-length") && value != "0")) {
    return 413;
  }
  if (EqualsIgnoringCase(name, "expect")) {
    return 417;
  }
  if (EqualsIgnoringCase(name, "authorization")) {
    request->authorization = value;
  } else if (EqualsIgnoringCase(name, "connection")) {
    if (Lists(value, "close")) {
      request->keep_alive = false;
    } else if (Lists(value, "keep-alive")) {
      request->keep_alive = true;
    }
  }
  return 0;
}

}  // namespace

HttpParse ParseHttpRequest(std::string_view input) {
  HttpParse parse;
  std::size_t at = 0;
  bool first = true;
  while (true) {
    const std::string_view head = input.substr(0, kMaxHttpHead);
    const std::size_t end = head.find('\n', at);
    if (end == std::string_view::npos) {
      parse.error = input.size() >= kMaxHttpHead ? 431 : 0;
      return parse;
    }
    std::string_view line = input.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty()) {
      if (first) {
        continue;  // RFC 9112, 2.2: empty lines before a request are ignored
      }
      parse.consumed = at;
      return parse;
    }
    parse.error = first ? ParseRequestLine(line, &parse.request) : ParseField(line, &parse.request);
    if (parse.error != 0) {
      return parse;
    }
    first = false;
  }
}

std::string_view HttpReason(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string HttpResponse(int code, std::string_view type, std::string_view body, bool keep_alive,
                         bool head_only) {
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{}{}\r\n",
      code, HttpReason(code), type, body.size(), code == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
      keep_alive ? "" : "Connection: close\r\n");
  if (!head_only) {
    out.append(body);
  }
  return out;
}

}  // namespace mimi::service
