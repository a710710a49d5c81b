#ifndef MIMI_SRC_SERVICE_HTTP_SERVER_H_
#define MIMI_SRC_SERVICE_HTTP_SERVER_H_

// HTTP for monitoring, and with a token for moving the pair.
//
//   GET  /metrics   Prometheus's text
//   GET  /status    status_json.h
//   GET  /events    the last events, a JSON object per line
//   GET  /healthz   200 while the process answers
//   GET  /readyz    200 when the pair is ready, else 503; the word and its reasons
//   POST /divert, /restore [?dry_run], /audit [?box=primary]   "Authorization: Bearer TOKEN"
//
// Without a token it only reads. A move is answered when it has ended.
//
// Threads: the loop thread only. Lifetime: loop and doors outlive it.

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/types.h"

#include "src/io/stream_server.h"
#include "src/service/pair_doors.h"

namespace mimi::service {

struct HttpServerOptions {
  std::string token;  ///< empty: POST is refused
  StreamServerOptions stream = {.max_connections = 64,
                                .max_unread = std::size_t{16} * 1024,
                                .idle = std::chrono::seconds(60)};
};

absl::StatusOr<std::unique_ptr<StreamServer>> NewHttpServer(UniqueFd socket,
                                                            const HttpServerOptions& options,
                                                            const PairDoors& doors, Loop& loop);

/// The token in a file: its content without the newline at the end. Errors: FailedPrecondition
/// (cannot be read, others may read it, fewer than 16 bytes, or characters that a header cannot
/// hold).
absl::StatusOr<std::string> ReadToken(const std::string& path);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_HTTP_SERVER_H_
