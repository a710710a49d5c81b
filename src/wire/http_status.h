#ifndef MIMI_SRC_WIRE_HTTP_STATUS_H_
#define MIMI_SRC_WIRE_HTTP_STATUS_H_

/// \file
/// What a probe needs of HTTP/1.1 (RFC 9112): a request, and the status code of its answer.
///
/// Threads: any.

#include <cstdint>
#include <string>
#include <string_view>

namespace mimi::internal {

enum class HttpStatusProgress : std::uint8_t { kMore, kDone, kMalformed };

/// Looks for a complete status line (RFC 9112 section 4) at the start of what has arrived so far. A
/// line that does not end within 1024 bytes is malformed.
HttpStatusProgress ParseHttpStatus(std::string_view received, int* status);

/// A GET that asks for the connection to be closed. REQUIRES: IsHttpHost(host) and IsHttpUri(uri).
std::string HttpGet(std::string_view host, std::string_view uri);

/// Whether it can stand in a request without meaning something else: no spaces, no control
/// characters; a URI starts with '/' ("origin-form", RFC 9112 section 3.2.1).
bool IsHttpHost(std::string_view host);
bool IsHttpUri(std::string_view uri);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_HTTP_STATUS_H_
