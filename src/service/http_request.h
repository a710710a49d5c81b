#ifndef MIMI_SRC_SERVICE_HTTP_REQUEST_H_
#define MIMI_SRC_SERVICE_HTTP_REQUEST_H_

// One HTTP/1.1 request out of a stream of bytes (RFC 9112), as far as a small server of our own
// needs it: request line and header fields, no bodies.
//
// Bounded: a head of at most kMaxHttpHead bytes. Refused with the status code of the answer: what
// is no HTTP/1 (400), too long (431), a body (413), an expectation (417), HTTP/2 and above (505).
//
// Threads: pure; any.

#include <cstddef>
#include <string>
#include <string_view>

namespace mimi::service {

inline constexpr std::size_t kMaxHttpHead = 8192;  ///< bytes, the empty line included

struct HttpRequest {
  std::string method;         ///< as it came: "GET"
  std::string path;           ///< decoded, without query: "/metrics"
  std::string query;          ///< not decoded, without "?"
  std::string authorization;  ///< the field's value
  bool keep_alive = true;
};

struct HttpParse {
  std::size_t consumed = 0;  ///< bytes of the request; 0: more are needed
  int error = 0;             ///< 0, or the status code to answer with before closing
  HttpRequest request;
};

/// REQUIRES nothing of `input`: it is hostile.
HttpParse ParseHttpRequest(std::string_view input);

/// A whole answer with Content-Length. `head_only`: for HEAD.
std::string HttpResponse(int code, std::string_view type, std::string_view body, bool keep_alive,
                         bool head_only = false);

/// "Not Found".
std::string_view HttpReason(int code);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_HTTP_REQUEST_H_
